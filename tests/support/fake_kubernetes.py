"""A Kubernetes API server in memory, behind real HTTP: what the operator's client does to one, it does to this.

It keeps what decides whether a write is right: resource versions and their conflicts, owners of fields by manager
(merge patch and server-side apply), the status subresource, generations, finalizers, foreground and background
deletion (pods stay until they are told to end), label selectors. `refuse` makes the next matching calls fail.
"""

from __future__ import annotations

import asyncio
import copy
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web
from kubernetes.aio import client

from api_documents import (
    Call,
    Document,
    conflict,
    failed,
    leaves,
    merged,
    now,
    outdated,
    parts_of,
    remove,
    selects,
    within,
)
from api_in_process import InProcess, no_certificates
from areas import NAMESPACE_UID
from profile_operator.clients.kubernetes import Kube

FOREGROUND = "foregroundDeletion"
# Kinds whose status is a subresource.
WITH_STATUS = (
    "profilerequests", "clusterprofilestyles", "profilestyles", "clusterstyleadapters", "styleadapters", "jobs"
)  # fmt: skip
REQUESTS = "/apis/profilestudio.io/v1alpha1/namespaces/{}/profilerequests"
CLUSTER_STYLES = "/apis/profilestudio.io/v1alpha1/clusterprofilestyles"
STYLES = "/apis/profilestudio.io/v1alpha1/namespaces/{}/profilestyles"
CLUSTER_LOOKS = "/apis/profilestudio.io/v1alpha1/clusterstyleadapters"
LOOKS = "/apis/profilestudio.io/v1alpha1/namespaces/{}/styleadapters"
JOBS = "/apis/batch/v1/namespaces/{}/jobs"
NAMESPACES = "/api/v1/namespaces"
PODS = "/api/v1/namespaces/{}/pods"
SECRETS = "/api/v1/namespaces/{}/secrets"
EVENTS = "/api/v1/namespaces/{}/events"


# Collections that may be read, empty ones too.
LISTED = (
    "profilerequests",
    "clusterprofilestyles",
    "profilestyles",
    "clusterstyleadapters",
    "styleadapters",
    "jobs",
    "pods",
    "secrets",
    "events",
    "namespaces",
    "endpointslices",
)


@dataclass
class _Refusal:
    """What the next `times` calls that match are answered with."""

    matches: Callable[[Call], bool]
    status: int
    body: Document
    times: int


@dataclass
class FakeKubernetes:
    """The objects by their path, each with the fields that managers own."""

    objects: dict[str, Document] = field(default_factory=dict)
    owners: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    refusals: list[_Refusal] = field(default_factory=list)
    before: Callable[[Call], None] | None = None
    # Watches tell nothing while it is set, and of nothing that is older than `oldest`.
    lagging: bool = False
    oldest: int = 0
    # Namespaces that are not there; all others are, see `areas`.
    gone: set[str] = field(default_factory=set)
    _version: int = 100
    _watched: bool = False
    _told: list[tuple[int, str, str, Document]] = field(default_factory=list)

    # --- for tests ---

    def put(self, collection: str, document: Document, manager: str = "someone") -> Document:
        """An object that is there, whoever made it."""
        path = f"{collection}/{document['metadata']['name']}"
        stored = copy.deepcopy(document)
        metadata = stored["metadata"]
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp", now())
        metadata.setdefault("generation", 1)
        if "/namespaces/" in collection:
            metadata.setdefault("namespace", collection.split("/namespaces/")[1].split("/", maxsplit=1)[0])
        self.objects[path] = self._stamped(stored)
        self.owners.setdefault(path, {}).setdefault(manager, set()).update(leaves(document))
        return stored

    def named(self, collection: str) -> dict[str, Document]:
        """The objects of a collection by name."""
        return {
            path.rpartition("/")[2]: document
            for path, document in self.objects.items()
            if path.rpartition("/")[0] == collection
        }

    def refuse(
        self, method: str, part: str, status: int, message: str, *, reason: str = "", kind: str = "", times: int = 1
    ) -> None:
        """Answer the next calls of that method whose path holds `part` with a Status."""
        body = {"kind": "Status", "code": status, "reason": reason, "message": message, "details": {"kind": kind}}
        matches = lambda call: call.method == method and part in call.path  # noqa: E731
        self.refusals.append(_Refusal(matches, status, body, times))

    def writes(self, part: str = "") -> list[Call]:
        """All writes so far whose path holds `part`, Events left out unless they are asked for."""
        written = [call for call in self.calls if call.method != "GET" and part in call.path]
        return [call for call in written if "/events" in part or "/events" not in call.path]

    def events(self, namespace: str) -> list[Document]:
        """The Events posted in a namespace."""
        return list(self.named(EVENTS.format(namespace)).values())

    def end_pods(self, job: str) -> None:
        """The pods of a Job end; a Job that was deleted in the foreground goes with them."""
        for path, document in list(self.objects.items()):
            if document["metadata"].get("labels", {}).get("batch.kubernetes.io/job-name") == job:
                del self.objects[path]
        for path, document in list(self.objects.items()):
            if path.endswith(f"/jobs/{job}") and FOREGROUND in document["metadata"].get("finalizers", []):
                document["metadata"]["finalizers"].remove(FOREGROUND)
                self._let_go(path)

    # --- the server ---

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on loopback, on any port where none is named; gives the URL."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.05)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        port = runner.addresses[0][1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            await runner.cleanup()

    def in_process(self) -> client.ApiClient:
        """A client of the library that leads here without a socket."""
        return InProcess(self)

    @asynccontextmanager
    async def kube(self) -> AsyncIterator[Kube]:
        """The operator's own client, connected to it."""
        async with self.running() as url:
            with no_certificates():
                kube = Kube(client.ApiClient(client.Configuration(host=url)))
            try:
                yield kube
            finally:
                await kube.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            return await self._watch(request)
        text = await request.text()
        status, body = await self.answer(
            Call(
                request.method,
                request.path,
                dict(parse_qsl(request.query_string)),
                request.content_type,
                json.loads(text) if text else None,
            )
        )
        return web.json_response(body, status=status)

    async def answer(self, call: Call) -> tuple[int, Document]:
        """Status and document of the answer to a call."""
        self.calls.append(call)
        if self.before is not None:
            self.before(call)
        await asyncio.sleep(0)
        for refusal in self.refusals:
            if refusal.times > 0 and refusal.matches(call):
                refusal.times -= 1
                return refusal.status, refusal.body
        answered: tuple[int, Document] = getattr(self, f"_{call.method.lower()}")(call)
        return answered

    def _get(self, call: Call) -> tuple[int, Document]:
        namespace = re.fullmatch(rf"{NAMESPACES}/([^/]+)", call.path)
        if namespace and call.path not in self.objects and namespace[1] not in self.gone:
            return 200, {"metadata": {"name": namespace[1], "uid": NAMESPACE_UID}}
        if call.path in self.objects:
            return 200, self.objects[call.path]
        last = call.path.rpartition("/")[2]
        if last not in LISTED:
            return 404, failed(404, f"{call.path} not found", "NotFound")
        items = [document for path, document in self.objects.items() if within(call.path, path)]
        selector = call.query.get("labelSelector", "")
        chosen = [item for item in items if selects(selector, item["metadata"].get("labels", {}))]
        begin, limit = int(call.query.get("continue", 0)), int(call.query.get("limit", len(chosen) or 1))
        metadata: Document = {"resourceVersion": str(self._version)}
        if begin + limit < len(chosen):
            metadata["continue"] = str(begin + limit)
        return 200, {"kind": "List", "metadata": metadata, "items": chosen[begin : begin + limit]}

    def _post(self, call: Call) -> tuple[int, Document]:
        path = f"{call.path}/{call.body['metadata']['name']}"
        if path in self.objects:
            kind = call.path.rpartition("/")[2]
            text = f'{kind} "{call.body["metadata"]["name"]}" already exists'
            return 409, failed(409, text, "AlreadyExists", kind)
        self.put(call.path, call.body, call.query.get("fieldManager", "OpenAPI-Generator"))
        return 201, self.objects[path]

    def _put(self, call: Call) -> tuple[int, Document]:
        """A PUT takes away from every manager what its document does not say."""
        path, part = parts_of(call.path)
        before = self.objects.get(path)
        if before is None:
            return 404, failed(404, f"{path} not found", "NotFound")
        if outdated(call.body, before):
            return 409, conflict(path)
        said = leaves(call.body)
        for owned in self.owners[path].values():
            owned -= {leaf for leaf in owned if leaf.startswith("metadata.") and leaf not in said}
        after = {**before, part: call.body.get(part)} if part else {**call.body, "metadata": before["metadata"]}
        return 200, self._store(path, after, call, said)

    def _patch(self, call: Call) -> tuple[int, Document]:
        path, part = parts_of(call.path)
        applies = call.content_type == "application/apply-patch+yaml"
        before = self.objects.get(path)
        if before is None and applies:
            collection = path.rpartition("/")[0]
            self.put(collection, call.body, call.query["fieldManager"])
            return 201, self.objects[path]
        if before is None:
            return 404, failed(404, f"{path} not found", "NotFound")
        if outdated(call.body, before):
            return 409, conflict(path)
        body = copy.deepcopy(call.body)
        if part:
            body = {part: body.get(part, {})}
        elif path.split("/")[-2] in WITH_STATUS:
            body.pop("status", None)
        said = leaves(body)
        after = merged(before, body)
        if applies:
            manager = call.query["fieldManager"]
            held = set().union(*(owned for name, owned in self.owners[path].items() if name != manager))
            for leaf in self.owners[path].get(manager, set()) - said - held:
                remove(after, leaf)
            self.owners[path][manager] = set()
        return 200, self._store(path, after, call, said)

    def _store(self, path: str, after: Document, call: Call, said: set[str]) -> Document:
        before = self.objects[path]
        manager = call.query.get("fieldManager", "OpenAPI-Generator")
        self.owners[path].setdefault(manager, set()).update(said)
        if after == before:
            return before
        if after.get("spec") != before.get("spec"):
            after = {**after, "metadata": {**after["metadata"], "generation": before["metadata"]["generation"] + 1}}
        self.objects[path] = self._stamped(copy.deepcopy(after))
        document = self.objects[path]
        self._let_go(path)
        return document

    def _delete(self, call: Call) -> tuple[int, Document]:
        document = self.objects.get(call.path)
        if document is None:
            return 404, failed(404, f"{call.path} not found", "NotFound")
        metadata = document["metadata"]
        # As the API server reads them: the query only where there is no body.
        options: Document = call.body or dict(call.query)
        wanted = options.get("preconditions", {}).get("uid")
        if wanted and wanted != metadata["uid"]:
            return 409, failed(409, "the UID in the precondition does not match", "Conflict")
        if options.get("dryRun") == "All":
            return 200, {"kind": "Status", "status": "Success", "details": {"uid": metadata["uid"]}}
        metadata["deletionTimestamp"] = now()
        if options.get("propagationPolicy") == "Foreground" and self._pods(metadata["name"]):
            metadata["finalizers"] = [*metadata.get("finalizers", []), FOREGROUND]
        self._stamped(document)
        self._let_go(call.path)
        return 200, document

    def _pods(self, job: str) -> list[Document]:
        label = "batch.kubernetes.io/job-name"
        return [one for one in self.objects.values() if one["metadata"].get("labels", {}).get(label) == job]

    def _let_go(self, path: str) -> None:
        metadata = self.objects[path]["metadata"]
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            document = self.objects.pop(path)
            if self._watched:
                self._tell("DELETED", path, self._stamped(document))

    def _stamped(self, document: Document) -> Document:
        self._version += 1
        document["metadata"]["resourceVersion"] = str(self._version)
        return document

    # --- watches ---

    def take(self, path: str) -> None:
        """An object goes at once, whoever took it away."""
        self._tell("DELETED", path, self._stamped(self.objects.pop(path)))

    def _tell(self, kind: str, path: str, document: Document) -> None:
        """Note what watches are told."""
        version = int(document["metadata"]["resourceVersion"])
        self._told.append((version, kind, path, copy.deepcopy(document)))

    def _changes(self) -> None:
        """Note every object that was written since the last time, however it was."""
        known = {path: document["metadata"]["resourceVersion"] for _, _, path, document in self._told}
        for path, document in self.objects.items():
            if known.get(path) != document["metadata"]["resourceVersion"]:
                self._tell("MODIFIED" if path in known else "ADDED", path, document)
        self._told.sort(key=lambda told: told[0])

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        """Tell what happens after a version, until the client goes or the time is over."""
        query, self._watched = dict(parse_qsl(request.query_string)), True
        self.calls.append(Call("GET", request.path, query, "", None))
        for refusal in self.refusals:
            if refusal.times > 0 and refusal.matches(self.calls[-1]):
                refusal.times -= 1
                return web.json_response(refusal.body, status=refusal.status)
        response = web.StreamResponse()
        await response.prepare(request)
        seen, end = int(query["resourceVersion"]), asyncio.get_running_loop().time() + int(query["timeoutSeconds"])
        while asyncio.get_running_loop().time() < end:
            if seen < self.oldest:
                expired = {"type": "ERROR", "object": failed(410, "too old resource version", "Expired")}
                await response.write(json.dumps(expired).encode() + b"\n")
                break
            for version, kind, _, document in [] if self.lagging else self._news(request.path, query, seen):
                seen = version
                await response.write(json.dumps({"type": kind, "object": document}).encode() + b"\n")
            await asyncio.sleep(0.005)
        return response

    def _news(self, collection: str, query: dict[str, str], seen: int) -> list[tuple[int, str, str, Document]]:
        self._changes()
        selector = query.get("labelSelector", "")
        return [
            told
            for told in self._told
            if told[0] > seen
            and within(collection, told[2])
            and selects(selector, told[3]["metadata"].get("labels", {}))
        ]
