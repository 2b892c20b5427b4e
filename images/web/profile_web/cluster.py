"""ProfileRequests and styles in the cluster: all that the page may do there."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Collection
from typing import Protocol, TypeVar

from profile_contract.ownership import OWNER_LABEL, owned_photos
from profile_contract.resource import Key
from profile_runtime.kubernetes import aio
from profile_runtime.kubernetes.aio import AsyncApi
from profile_runtime.kubernetes.errors import (
    ApiError,
    ApiUnavailable,
    Forbidden,
    ResourceConflict,
    ResourceNotFound,
)
from profile_runtime.kubernetes.resources import (
    CLUSTER_STYLES_PATH,
    JSON,
    MERGE_PATCH,
    Document,
    Query,
    namespace_path,
    request_path,
    requests_path,
    styles_path,
)

from .problems import Code, Problem
from .visitor import Visitor, belongs
from .wishes import LookWish, look_patch, preview_name

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

TIMEOUT_SECONDS = 10.0
# So many owners fit into a selector that every proxy passes on; of more, all owners' requests are listed.
MOST_OWNERS = 40


class RequestsApi(Protocol):
    """Whatever answers as an API server does, and raises ApiError: a cluster's, or the ledger of one machine."""

    async def call(
        self, method: str, path: str, body: object = None, query: Query = (), *, content_type: str = JSON
    ) -> Document: ...

    async def close(self) -> None: ...


class PageCluster:
    """Raises Problem. A request of another owner is as one that does not exist."""

    def __init__(self, api: RequestsApi) -> None:
        self._api = api

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def styles(self, namespace: str) -> list[Document]:
        """The cluster's styles, then the namespace's own, each by name."""
        offered = await _answered(self._api.call("GET", CLUSTER_STYLES_PATH))
        own = await _answered(self._api.call("GET", styles_path(namespace)))
        return [
            style
            for answer in (offered, own)
            for style in sorted(answer["items"], key=lambda style: str(style["metadata"]["name"]))
        ]

    async def namespace_uid(self, namespace: str) -> str:
        """The UID of a namespace, by which its photos are found."""
        return str((await _answered(self._api.call("GET", namespace_path(namespace))))["metadata"]["uid"])

    async def listed(self, namespace: str, owners: Collection[str] | None = None) -> list[Document]:
        """The requests of these owners in a namespace, whatever their photos; of None: all requests there are."""
        query = []
        if owners is not None:
            among = f"{OWNER_LABEL} in ({','.join(sorted(owners))})"
            query = [("labelSelector", among if len(owners) <= MOST_OWNERS else OWNER_LABEL)]
        answer = await _answered(self._api.call("GET", requests_path(namespace), query=query))
        return list(answer["items"])

    async def requests(self, visitor: Visitor) -> list[Document]:
        """The visitor's requests, the newest first."""
        labelled = await self.listed(visitor.namespace, [visitor.owner])
        own = [request for request in labelled if is_own(request, visitor)]
        return sorted(own, key=lambda request: str(request["metadata"]["creationTimestamp"]), reverse=True)

    async def request(self, visitor: Visitor, name: str) -> Document:
        """One of the visitor's requests."""
        request = await _answered(self._api.call("GET", _path(visitor, name)))
        if not is_own(request, visitor):
            raise Problem(Code.REQUEST_NOT_FOUND)
        return request

    async def create(self, visitor: Visitor, manifest: Document) -> Document:
        """Make a request."""
        return await _answered(self._api.call("POST", requests_path(visitor.namespace), manifest))

    async def preview(self, visitor: Visitor, name: str) -> Document | None:
        """The request that shows a first picture beside one of the visitor's; None where there is none of theirs."""
        shown = preview_name(name)
        if shown is None:
            return None
        try:
            document = await _answered(self._api.call("GET", _path(visitor, shown)))
        except Problem as problem:
            if problem.code is Code.REQUEST_NOT_FOUND:
                return None
            raise
        own = belongs(document, visitor, owned_photos(visitor.owner, name))
        return document if own else None

    async def look_again(self, visitor: Visitor, name: str) -> None:
        """Raise the photos' revision: photos came or went."""
        document = await self.request(visitor, name)
        revision = int(document["spec"]["photos"].get("revision", 1)) + 1
        await self._patch(visitor, name, {"spec": {"photos": {"revision": revision}}})

    async def look_otherwise(self, visitor: Visitor, document: Document, look: LookWish) -> Document:
        """Ask for another look of a request, as it was read. Raises Problem, NOT_AT_REST if it changed since."""
        metadata = document["metadata"]
        # Of this version: one of the same name that was made since, or that goes on since, is left alone.
        patch = {
            "metadata": {"resourceVersion": metadata["resourceVersion"]},
            "spec": look_patch(look, document["spec"]),
        }
        try:
            return await self._patch(visitor, str(metadata["name"]), patch)
        except Problem as problem:
            if problem.code is Code.NAME_TAKEN:
                raise Problem(Code.NOT_AT_REST) from problem
            raise

    async def delete(self, visitor: Visitor, name: str) -> None:
        """Ask for a request's deletion, and with it that of everything it made."""
        document = await self.request(visitor, name)
        preview = await self.preview(visitor, name)
        if preview is not None:
            # It would go by itself; until then its pictures would stand.
            await self._delete(visitor, preview)
        await self._delete(visitor, document)

    async def _delete(self, visitor: Visitor, document: Document) -> None:
        """Delete a request as it was read."""
        # That very one: a request of the same name that somebody made meanwhile is another.
        options = {"preconditions": {"uid": document["metadata"].get("uid")}}
        path = _path(visitor, str(document["metadata"]["name"]))
        await _answered(self._api.call("DELETE", path, options))

    async def _patch(self, visitor: Visitor, name: str, patch: Document) -> Document:
        """The request after a merge patch."""
        return await _answered(self._api.call("PATCH", _path(visitor, name), patch, content_type=MERGE_PATCH))


def is_own(document: Document, visitor: Visitor) -> bool:
    """Whether a request is the visitor's, see `belongs`."""
    return belongs(document, visitor, owned_photos(visitor.owner, str(document["metadata"]["name"])))


async def connect() -> PageCluster:
    """By the pod's service account, else by KUBECONFIG. Raises Problem where neither is there."""
    try:
        client = await aio.connect()
    except ApiError as error:
        log.error("%s", error)
        raise Problem(Code.CLUSTER_AWAY) from error
    return PageCluster(AsyncApi(client, seconds=TIMEOUT_SECONDS))


def _path(visitor: Visitor, name: str) -> str:
    return request_path(Key(visitor.namespace, name))


async def _answered(call: Awaitable[Answer]) -> Answer:
    try:
        return await call
    except ApiError as error:
        raise _problem(error) from error


def _problem(error: ApiError) -> Problem:
    """What a visitor is told; what the API server says names accounts and namespaces, and is for the log alone."""
    if isinstance(error, ResourceNotFound):
        return Problem(Code.REQUEST_NOT_FOUND)
    log.warning("the API server answered %s: %r", error.status or "nothing", (error.message or str(error))[:1000])
    if isinstance(error, Forbidden) and error.exceeds_quota:
        return Problem(Code.QUOTA)
    if isinstance(error, ResourceConflict):
        return Problem(Code.NAME_TAKEN)
    if isinstance(error, ApiUnavailable) or error.status == 0:
        return Problem(Code.CLUSTER_AWAY)
    return Problem(Code.CLUSTER_REFUSED)
