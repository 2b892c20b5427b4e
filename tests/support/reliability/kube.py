"""KubeApi: what people, a kubelet and the harness say to the API server; tried again while it is away."""

from __future__ import annotations

import time
from typing import Any

import httpx2

from bare_cluster import TOKEN
from profile_contract import GROUP

Document = dict[str, Any]
MERGE = "application/merge-patch+json"
PATIENCE_SECONDS = 150.0


class Refusal(Exception):
    """The API server answered otherwise than asked; `code` is its status."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text[:500]}")
        self.code = code


class KubeApi:
    """An API server as its administrator. Threads may share it."""

    def __init__(self, url: str) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        # Its certificate is made as it starts.
        self._client = httpx2.Client(base_url=url, headers=headers, verify=False, timeout=30, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def call(self, method: str, path: str, body: Document | None = None, **query: str) -> Document:
        """One call. Raises Refusal."""
        content = MERGE if method == "PATCH" else "application/json"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._client.request(
                    method, path, json=body, params=query, headers={"Content-Type": content} if body else None
                )
            except httpx2.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
                continue
            if answer.status_code < 300:
                document: Document = answer.json()
                return document
            raise Refusal(answer.status_code, answer.text)

    def get(self, path: str) -> Document | None:
        """An object; None where there is none."""
        try:
            return self.call("GET", path)
        except Refusal as refusal:
            if refusal.code == 404:
                return None
            raise

    def items(self, path: str, **query: str) -> list[Document]:
        """The objects of a collection."""
        listed: list[Document] = self.call("GET", path, None, **query)["items"]
        return listed

    def delete(self, path: str, propagation: str = "Background") -> None:
        """Delete an object, if there is one."""
        try:
            self.call("DELETE", path, {"propagationPolicy": propagation})
        except Refusal as refusal:
            if refusal.code != 404:
                raise


def request_path(namespace: str, name: str = "") -> str:
    """Of a ProfileRequest, or of all of a namespace."""
    return f"/apis/{GROUP}/v1alpha1/namespaces/{namespace}/profilerequests/{name}".rstrip("/")


def jobs_path(namespace: str, name: str = "") -> str:
    """Of a Job, or of all of a namespace."""
    return f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}".rstrip("/")


def core_path(namespace: str, kind: str, name: str = "") -> str:
    """Of a pod, a Secret or another of Kubernetes' core, or of all of a namespace."""
    return f"/api/v1/namespaces/{namespace}/{kind}/{name}".rstrip("/")
