"""The Kubernetes API as JSON documents, over `kubernetes.aio`: all calls in one place, errors typed, writes counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.config.config_exception import ConfigException

from profile_contract import GROUP, VERSION
from profile_contract.resource import Key
from profile_operator import metrics, names
from profile_runtime.store.s3 import proxy_of

Document = dict[str, Any]
Query = Sequence[tuple[str, str]]

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
SECONDS = 30.0


class KubeError(Exception):
    """The API server could not be reached, or refused. The message is short and holds no body."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Missing(KubeError):
    """404."""


class Conflicted(KubeError):
    """409: it exists already, or something was changed since it was read (a quota's usage, too)."""


async def connect() -> client.ApiClient:
    """A client from the pod's service account, else from KUBECONFIG. Raises KubeError where neither is there.

    From within the cluster no proxy of the environment stands between us and the API server.
    """
    settings = client.Configuration()
    inside = True
    try:
        config.load_incluster_config(client_configuration=settings)
    except ConfigException:
        inside = False
        try:
            await config.load_kube_config(client_configuration=settings)
        except ConfigException as error:
            raise KubeError(f"no cluster is configured: {error}") from error
    return client.ApiClient(without_proxy(settings) if inside else with_proxy(settings))


def without_proxy(settings: client.Configuration) -> client.Configuration:
    """Settings of a client that asks the API server itself, whatever the environment says."""
    settings.proxy = None
    settings.client_session_kwargs = {"trust_env": False}
    return settings


def with_proxy(settings: client.Configuration) -> client.Configuration:
    """Settings of a client that takes the environment's proxy, unless NO_PROXY spares the API server."""
    address = urlsplit(settings.host)
    proxy = settings.proxy or proxy_of(address.scheme, address.netloc) or None
    without_proxy(settings).proxy = proxy
    return settings


class Kube:
    """What the operator reads and writes."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Query = (),
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Document:
        """One call; every write names us as the fields' manager. Raises Missing, Conflicted or KubeError."""
        if method in ("POST", "PATCH"):
            query = [*query, ("fieldManager", names.FIELD_MANAGER)]
        request = await self._api.param_serialize(
            method,
            path,
            query_params=list(query),
            header_params={"Accept": accept, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = await self._api.call_api(*request, _request_timeout=SECONDS)
            data = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeError(f"the API server cannot be reached: {type(error).__name__}") from error
        if 200 <= response.status < 300:
            return _document(data)
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

    async def set_status(self, key: Key, status: Document, resource_version: str, *, kind: str = "status") -> Document:
        """Write what changed of the status under the resource version: a merge patch, None takes a field away.

        A PUT would take labels and annotations away from whoever manages them. `kind` is what the write is counted as.
        """
        body = {"metadata": {"resourceVersion": resource_version}, "status": status}
        metrics.api_write(kind)
        return await self.call("PATCH", f"{_request_path(key)}/status", body, content_type=MERGE)

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

    async def secret_annotations(self, namespace: str, name: str) -> dict[str, str] | None:
        """A Secret's annotations, or None where there is no such Secret.

        An empty patch changes nothing and answers with the metadata alone: we may write Secrets, and read none.
        """
        try:
            found = await self.call("PATCH", _secret_path(namespace, name), {}, content_type=MERGE, accept=METADATA)
        except Missing:
            return None
        return dict(found["metadata"].get("annotations") or {})

    async def apply_secret(self, document: Document) -> None:
        """Server-side apply of a Secret."""
        metrics.api_write("secret")
        metadata = document["metadata"]
        path = _secret_path(metadata["namespace"], metadata["name"])
        await self.call("PATCH", path, document, query=[("force", "true")], content_type=APPLY)

    async def create_event(self, document: Document) -> None:
        """Post an Event."""
        metrics.api_write("event")
        await self.call("POST", f"/api/v1/namespaces/{document['metadata']['namespace']}/events", document)


def _request_path(key: Key) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{key.namespace}/{names.REQUESTS}/{key.name}"


def _secret_path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{name}"


def _document(data: bytes) -> Document:
    """Raises KubeError for what is no JSON object: whoever stands between may answer with a page of its own."""
    try:
        document = json.loads(data) if data else {}
    except (ValueError, RecursionError) as error:
        raise KubeError("the API server's answer is no JSON") from error
    if not isinstance(document, dict):
        raise KubeError("the API server's answer is no JSON object")
    return document


def _error(status: int, data: bytes) -> KubeError:
    try:
        message = str(json.loads(data).get("message", ""))[:300]
    except (ValueError, AttributeError, RecursionError):
        message = ""
    text = f"the API server answered {status}{': ' + message if message else ''}"
    return {404: Missing, 409: Conflicted}.get(status, KubeError)(text, status)
