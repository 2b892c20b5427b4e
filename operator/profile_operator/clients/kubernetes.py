"""What the operator reads and writes of the Kubernetes API, as JSON documents; writes are counted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress

import msgspec
from kubernetes.aio import client

from profile_contract.resource import Key
from profile_operator import metrics, names
from profile_runtime.kubernetes.aio import AsyncApi
from profile_runtime.kubernetes.errors import ResourceNotFound
from profile_runtime.kubernetes.resources import (
    CLUSTER_LOOKS_PATH,
    CLUSTER_STYLES_PATH,
    JSON,
    MERGE_PATCH,
    Document,
    looks_path,
    namespace_path,
    request_path,
    requests_path,
    styles_path,
)

SECONDS = 30.0
PAGE = 200
# What a port is called that tells of the pod alone, as the chart names it.
METRICS_PORT = "metrics"


class ListedMetadata(msgspec.Struct, frozen=True):
    """Which request, and what its deletion waits for."""

    namespace: str
    name: str
    finalizers: tuple[str, ...] = ()


class ListedRequest(msgspec.Struct, frozen=True):
    """What lists of requests are asked for: a fiftieth of the memory of the whole ones."""

    metadata: ListedMetadata

    @property
    def key(self) -> Key:
        """Which request."""
        return Key(self.metadata.namespace, self.metadata.name)


class Kube:
    """What the operator reads and writes. Every method raises ApiError, or the kind of it that says why."""

    def __init__(self, api: client.ApiClient, fence: Callable[[], None] | None = None) -> None:
        """`fence` raises where nothing may be written any more."""
        self.api = self._api = AsyncApi(api, seconds=SECONDS, manager=names.FIELD_MANAGER, fence=fence)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def written(self, document: Document) -> None:
        """Told of every object that a write made or changed, as the API server answered it."""

    # --- requests and styles ---

    def settled(self, key: Key, platform: str) -> bool:
        """Whether it is known, without asking anybody, that nothing is to be done for a request.

        `platform`: the digest of the platform's settings.
        """
        return False

    async def refresh(self, key: Key) -> None:
        """See to it that the next look at a request finds it as it stands now."""

    def style_digests(self, namespace: str, styles: Iterable[str]) -> dict[str, str]:
        """The digests of what the styles of these keys say to a namespace, as far as it is known; else empty."""
        return dict.fromkeys(styles, "")

    async def request(self, key: Key) -> Document:
        """A ProfileRequest. Raises ResourceNotFound."""
        return await self._api.call("GET", request_path(key))

    async def requests(self, namespace: str) -> list[Document]:
        """All ProfileRequests of a namespace, whole."""
        return await self._list(requests_path(namespace))

    async def listed_requests(self, namespaces: Sequence[str]) -> list[ListedRequest]:
        """All ProfileRequests of these namespaces, of all if none is named, page by page."""
        return [
            msgspec.json.decode(item, type=ListedRequest)
            for place in namespaces or (None,)
            async for page in self._api.pages(requests_path(place))
            for item in page.items
        ]

    async def request_pages(self, namespaces: Sequence[str]) -> AsyncIterator[list[Document]]:
        """All ProfileRequests of these namespaces, of all if none is named, a page at a time."""
        for place in namespaces or (None,):
            token = ""
            while True:
                query = [("limit", str(PAGE)), *([("continue", token)] if token else [])]
                page = await self._api.call("GET", requests_path(place), query=query)
                yield page.get("items", [])
                token = (page.get("metadata") or {}).get("continue") or ""
                if not token:
                    break

    async def create_request(self, document: Document) -> Document:
        """Make a ProfileRequest. Raises ResourceConflict if one of that name exists."""
        return await self._api.call("POST", requests_path(document["metadata"]["namespace"]), document)

    async def delete_request(self, key: Key) -> None:
        """Ask for the deletion of a ProfileRequest. Raises ResourceNotFound."""
        await self._api.call("DELETE", request_path(key))

    async def cluster_styles(self) -> list[Document]:
        """All ClusterProfileStyles."""
        return await self._list(CLUSTER_STYLES_PATH)

    async def styles(self, namespace: str | None) -> list[Document]:
        """The ProfileStyles of a namespace, or of all for None."""
        return await self._list(styles_path(namespace))

    async def looks(self, namespace: str) -> list[Document]:
        """What styles of a namespace may draw with: the ClusterStyleAdapters, and its StyleAdapters. None where the
        cluster has no such kinds."""
        looks: list[Document] = []
        for path in (CLUSTER_LOOKS_PATH, looks_path(namespace)):
            with suppress(ResourceNotFound):
                looks += await self._list(path)
        return looks

    async def _write(self, method: str, path: str, body: Document, *, content_type: str = JSON) -> Document:
        """A write that is answered with the object as it is then, which whoever keeps it is told."""
        document = await self._api.call(method, path, body, content_type=content_type)
        self.written(document)
        return document

    async def _list(self, path: str, query: Sequence[tuple[str, str]] = ()) -> list[Document]:
        """The objects of a collection, whole."""
        items: list[Document] = (await self._api.call("GET", path, query=query)).get("items", [])
        return items

    async def set_finalizers(self, key: Key, finalizers: Sequence[str], resource_version: str) -> Document:
        """Write the finalizers under the resource version."""
        metadata = {"resourceVersion": resource_version, "finalizers": list(finalizers)}
        metrics.api_write("finalizer")
        return await self._write("PATCH", request_path(key), {"metadata": metadata}, content_type=MERGE_PATCH)

    async def set_status(self, key: Key, status: Document, resource_version: str, *, kind: str = "status") -> Document:
        """Write what changed of the status under the resource version: a merge patch, None takes a field away.

        A PUT would take labels and annotations away from whoever manages them. `kind` is what the write is counted as.
        """
        body = {"metadata": {"resourceVersion": resource_version}, "status": status}
        metrics.api_write(kind)
        return await self._write("PATCH", f"{request_path(key)}/status", body, content_type=MERGE_PATCH)

    async def namespace_uid(self, namespace: str) -> str:
        """The UID of a namespace. Raises ResourceNotFound."""
        return str((await self._api.call("GET", namespace_path(namespace)))["metadata"]["uid"])

    # --- Jobs, pods, Secrets, Events ---

    async def jobs(self, key: Key) -> list[Document]:
        """The Jobs that carry the request's label."""
        return await self._list(_jobs_path(key.namespace), [("labelSelector", f"{names.LABEL_REQUEST}={key.name}")])

    async def look_jobs(self, key: Key) -> list[Document]:
        """The Jobs by which looks of that name are learnt in that namespace: whose each is its owner says."""
        return await self._list(_jobs_path(key.namespace), [("labelSelector", f"{names.LABEL_LOOK}={key.name}")])

    async def all_look_jobs(self, namespaces: Sequence[str]) -> list[Document]:
        """The Jobs by which looks are learnt in these namespaces; none named: in all."""
        query = [("labelSelector", names.LABEL_LOOK)]
        paths = [_jobs_path(namespace) for namespace in namespaces] or ["/apis/batch/v1/jobs"]
        return [job for path in paths for job in await self._list(path, query)]

    async def job(self, namespace: str, name: str) -> Document:
        """A Job. Raises ResourceNotFound."""
        return await self._api.call("GET", _job_path(namespace, name))

    async def create_job(self, document: Document) -> Document:
        """Create a Job. Raises ResourceConflict if one of that name exists."""
        metrics.api_write("job")
        return await self._write("POST", _jobs_path(document["metadata"]["namespace"]), document)

    async def delete_job(self, namespace: str, name: str, uid: str = "") -> None:
        """Delete a Job; it is gone when its pods are. Nothing happens if there is none.

        `uid`: of that Job and no other of its name. Raises ResourceConflict where another stands there by now.
        """
        metrics.api_write("job")
        # All of it in the body: beside one the API server does not read the query, and leaves a Job's pods running.
        options: Document = {"propagationPolicy": "Foreground"} | ({"preconditions": {"uid": uid}} if uid else {})
        try:
            await self._api.call("DELETE", _job_path(namespace, name), options)
        except ResourceNotFound:
            return

    async def local_queue(self, namespace: str, name: str) -> Document:
        """A LocalQueue of Kueue's. Raises ResourceNotFound, also where Kueue is not there or does not know v1beta2."""
        return await self._api.call("GET", f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{namespace}/localqueues/{name}")

    async def pods(self, namespace: str, job: str) -> list[Document]:
        """The pods of a Job."""
        query = [("labelSelector", f"batch.kubernetes.io/job-name={job}")]
        return await self._list(f"/api/v1/namespaces/{namespace}/pods", query)

    async def events_about(self, namespace: str, about: Sequence[str]) -> list[Document]:
        """The Events about the objects of these names."""
        path = f"/api/v1/namespaces/{namespace}/events"
        pages = [await self._list(path, [("fieldSelector", f"involvedObject.name={name}")]) for name in about]
        return [event for page in pages for event in page]

    async def secret_uid(self, namespace: str, name: str) -> str:
        """The uid of a Secret that stands, empty where there is none.

        We may create and delete Secrets, and read none: a deletion on trial changes nothing and tells it.
        """
        try:
            answer = await self._api.call("DELETE", _secret_path(namespace, name), query=[("dryRun", "All")])
        except ResourceNotFound:
            return ""
        return str(answer.get("details", {}).get("uid") or answer.get("metadata", {}).get("uid") or "")

    async def create_secret(self, document: Document) -> str:
        """Create a Secret; returns its uid. Raises ResourceConflict if one of that name exists."""
        metrics.api_write("secret")
        created = await self._api.call("POST", _secret_path(document["metadata"]["namespace"]), document)
        return str(created["metadata"]["uid"])

    async def delete_secret(self, namespace: str, name: str, uid: str) -> None:
        """Delete the Secret of that uid. Nothing happens if there is none; raises ResourceConflict for another one."""
        metrics.api_write("secret")
        try:
            await self._api.call("DELETE", _secret_path(namespace, name), {"preconditions": {"uid": uid}})
        except ResourceNotFound:
            return

    async def ready_pods(self, namespace: str, service: str) -> int | None:
        """How many pods behind a Service answer; None where there is no such Service."""
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        slices = await self._list(path, [("labelSelector", f"kubernetes.io/service-name={service}")])
        endpoints = [endpoint for piece in slices for endpoint in piece.get("endpoints") or ()]
        # Not said, it is ready.
        ready = sum((endpoint.get("conditions") or {}).get("ready") is not False for endpoint in endpoints)
        return ready if slices else None

    async def set_style_status(self, path: str, status: Document, resource_version: str) -> None:
        """Write a style's status under the resource version."""
        metrics.api_write("style")
        metadata = {"resourceVersion": resource_version}
        patch = {"metadata": metadata, "status": status}
        await self._api.call("PATCH", f"{path}/status", patch, content_type=MERGE_PATCH)

    async def origins(self, namespace: str, service: str) -> list[str]:
        """Where the pods behind a Service answer, those that are ending included: http://ADDRESS:PORT of each."""
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        slices = await self._list(path, [("labelSelector", f"kubernetes.io/service-name={service}")])
        origins = set()
        for piece in slices:
            port = _asked_port(piece.get("ports") or ())
            for endpoint in piece.get("endpoints") or ():
                for address in endpoint.get("addresses", ())[:1] if port else ():
                    host = f"[{address}]" if ":" in address else address
                    origins.add(f"http://{host}:{port}")
        return sorted(origins)

    async def create_event(self, document: Document) -> None:
        """Post an Event."""
        metrics.api_write("event")
        await self._api.call("POST", f"/api/v1/namespaces/{document['metadata']['namespace']}/events", document)


def _asked_port(ports: Iterable[Document]) -> int | None:
    """The number of the port that answers calls: one named for HTTP, else any but that of the metrics."""
    names = {str(port.get("name") or ""): int(port["port"]) for port in ports if port.get("port")}
    calls = sorted((name for name in names if name != METRICS_PORT), key=lambda name: not name.startswith("http"))
    return next((names[name] for name in calls), None)


def _jobs_path(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs" if namespace else "/apis/batch/v1/jobs"


def _job_path(namespace: str, name: str) -> str:
    return f"{_jobs_path(namespace)}/{name}"


def _secret_path(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{name}".rstrip("/")
