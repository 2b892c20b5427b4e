"""The Kubernetes API as JSON documents, over `kubernetes.aio`: all calls in one place, errors typed, writes counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.config.config_exception import ConfigException

from profile_contract import GROUP, VERSION

from . import metrics, names
from .snapshot import Key

Document = dict[str, Any]
Query = Sequence[tuple[str, str]]

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
SECONDS = 30.0


class KubeError(Exception):
    """The API server could not be reached, or refused. The message is short and holds no body."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Missing(KubeError):
    """404."""


class Conflicted(KubeError):
    """409: it exists already, or was changed since it was read."""


async def connect() -> client.ApiClient:
    """A client from the pod's service account, else from KUBECONFIG. Raises KubeError where neither is there."""
    try:
        config.load_incluster_config()
    except ConfigException:
        try:
            await config.load_kube_config()
        except ConfigException as error:
            raise KubeError(f"no cluster is configured: {error}") from error
    return client.ApiClient()


class Kube:
    """What the operator reads and writes."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def call(
        self, method: str, path: str, body: Any = None, query: Query = (), content_type: str = "application/json"
    ) -> Document:
        """One call. Raises Missing, Conflicted or KubeError."""
        request = await self._api.param_serialize(
            method,
            path,
            query_params=list(query),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = await self._api.call_api(*request, _request_timeout=SECONDS)
            data = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeError(f"the API server cannot be reached: {type(error).__name__}") from error
        if 200 <= response.status < 300:
            document: Document = json.loads(data) if data else {}
            return document
        raise _error(response.status, data)

    # --- requests and styles ---

    async def request(self, key: Key) -> Document:
        """A ProfileRequest. Raises Missing."""
        return await self.call("GET", _request_path(key))

    async def requests(self, namespaces: Sequence[str]) -> list[Document]:
        """All ProfileRequests of these namespaces; of all, if none is named."""
        base = f"/apis/{GROUP}/{VERSION}"
        paths = [f"{base}/namespaces/{namespace}/{names.REQUESTS}" for namespace in namespaces]
        found: list[Document] = []
        for path in paths or [f"{base}/{names.REQUESTS}"]:
            found += (await self.call("GET", path)).get("items", [])
        return found

    async def styles(self) -> list[Document]:
        """All ProfileStyles."""
        items: list[Document] = (await self.call("GET", f"/apis/{GROUP}/{VERSION}/{names.STYLES}")).get("items", [])
        return items

    async def set_finalizers(self, key: Key, finalizers: Sequence[str], resource_version: str) -> Document:
        """Write the finalizers under the resource version."""
        metadata = {"resourceVersion": resource_version, "finalizers": list(finalizers)}
        metrics.api_write("finalizer")
        return await self.call("PATCH", _request_path(key), {"metadata": metadata}, content_type=MERGE)

    async def set_status(
        self, key: Key, status: Document, spec: Document, resource_version: str, *, kind: str = "status"
    ) -> Document:
        """Write the whole status under the resource version; `kind` is what the write is counted as."""
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.REQUEST_KIND,
            "metadata": {"name": key.name, "namespace": key.namespace, "resourceVersion": resource_version},
            "spec": spec,
            "status": status,
        }
        metrics.api_write(kind)
        return await self.call("PUT", f"{_request_path(key)}/status", body)

    # --- Jobs, pods, Secrets, Events ---

    async def jobs(self, key: Key) -> list[Document]:
        """The Jobs that carry the request's label."""
        path = f"/apis/batch/v1/namespaces/{key.namespace}/jobs"
        query = [("labelSelector", f"{names.LABEL_REQUEST}={key.name}")]
        items: list[Document] = (await self.call("GET", path, query=query)).get("items", [])
        return items

    async def job(self, namespace: str, name: str) -> Document:
        """A Job. Raises Missing."""
        return await self.call("GET", f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}")

    async def create_job(self, document: Document) -> Document:
        """Create a Job. Raises Conflicted if one of that name exists."""
        metrics.api_write("job")
        return await self.call("POST", f"/apis/batch/v1/namespaces/{document['metadata']['namespace']}/jobs", document)

    async def suspend_job(self, namespace: str, name: str, *, suspended: bool) -> None:
        """Suspend a Job or let it go on."""
        metrics.api_write("job")
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}"
        await self.call("PATCH", path, {"spec": {"suspend": suspended}}, content_type=MERGE)

    async def delete_job(self, namespace: str, name: str) -> None:
        """Delete a Job; it is gone when its pods are. Nothing happens if there is none."""
        metrics.api_write("job")
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}"
        try:
            await self.call("DELETE", path, query=[("propagationPolicy", "Foreground")])
        except Missing:
            return

    async def pods(self, namespace: str, job: str) -> list[Document]:
        """The pods of a Job."""
        query = [("labelSelector", f"batch.kubernetes.io/job-name={job}")]
        items: list[Document] = (await self.call("GET", f"/api/v1/namespaces/{namespace}/pods", query=query)).get(
            "items", []
        )
        return items

    async def apply_secret(self, document: Document) -> None:
        """Server-side apply of a Secret."""
        metrics.api_write("secret")
        metadata = document["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/secrets/{metadata['name']}"
        query = [("fieldManager", names.FIELD_MANAGER), ("force", "true")]
        await self.call("PATCH", path, document, query=query, content_type=APPLY)

    async def create_event(self, document: Document) -> None:
        """Post an Event."""
        metrics.api_write("event")
        await self.call("POST", f"/api/v1/namespaces/{document['metadata']['namespace']}/events", document)


def _request_path(key: Key) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{key.namespace}/{names.REQUESTS}/{key.name}"


def _error(status: int, data: bytes) -> KubeError:
    try:
        message = str(json.loads(data).get("message", ""))[:300]
    except (ValueError, AttributeError):
        message = ""
    text = f"the API server answered {status}{': ' + message if message else ''}"
    return {404: Missing, 409: Conflicted}.get(status, KubeError)(text, status)
