"""The cluster's ProfileRequests: listed page by page, and watched from there on. Nothing is ever written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from profile_runtime.kubernetes.aio import AsyncApi
from profile_runtime.kubernetes.errors import ApiError
from profile_runtime.kubernetes.resources import requests_path

from .record import RequestRecord, record_of

PAGE = 500


@dataclass(frozen=True)
class RequestChange:
    """Something that happened to a request, and the version to go on from; `record` is None where it only told that."""

    version: str
    record: RequestRecord | None = None
    gone: bool = False


class Requests:
    """The requests of one namespace, or of all where it is ''. Every call raises ApiError."""

    def __init__(self, api: AsyncApi, namespace: str = "") -> None:
        self.namespace = namespace
        self._api, self._path = api, requests_path(namespace or None)

    async def listed(self) -> tuple[list[RequestRecord], str]:
        """All of them, as they were at one version, and that version. Raises ResourceExpired where it took too long."""
        records: list[RequestRecord] = []
        following = ""
        while True:
            more = [("continue", following)] if following else []
            page = await self._api.call("GET", self._path, query=[("limit", str(PAGE)), *more])
            records += [record_of(item) for item in page.get("items", ())]
            metadata = page.get("metadata", {})
            following = metadata.get("continue", "")
            if not following:
                return records, str(metadata.get("resourceVersion", ""))

    async def changes(self, version: str, seconds: int) -> AsyncIterator[RequestChange]:
        """What happens after a version, for so many seconds. Raises ResourceExpired for one that is too old."""
        async for event in self._api.watch(self._path, version, seconds):
            request = event.get("object")
            if not isinstance(request, dict):
                raise ApiError("an event of the API server holds no object")
            following = str(request["metadata"]["resourceVersion"])
            if event["type"] == "BOOKMARK":
                yield RequestChange(following)
            else:
                yield RequestChange(following, record_of(request), gone=event["type"] == "DELETED")
