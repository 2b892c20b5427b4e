"""Census: what of the cluster says to whom something belongs, a page at a time, with nothing that is not needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from kubernetes.aio import client

from profile_contract.resource import Key
from profile_operator import names
from profile_runtime.kubernetes.aio import AsyncApi
from profile_runtime.kubernetes.errors import ResourceConflict, ResourceNotFound
from profile_runtime.kubernetes.resources import Document, request_path, requests_path

SECONDS = 30.0
PAGE = 500


class ObjectMetadata(msgspec.Struct, frozen=True, rename="camel"):
    """Whose an object is, and since when it is there."""

    name: str
    uid: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    owner_references: list[dict[str, object]] = []
    creation_timestamp: str = ""
    deletion_timestamp: str = ""


class ListedObject(msgspec.Struct, frozen=True):
    """An object but for all else."""

    metadata: ObjectMetadata


class PhotosPlace(msgspec.Struct, frozen=True):
    """Where a request's photos lie; empty where that is not told."""

    prefix: str = ""


class PhotosSpec(msgspec.Struct, frozen=True):
    """Of a request's spec its photos."""

    photos: PhotosPlace = PhotosPlace()


class RequestPhotos(msgspec.Struct, frozen=True):
    """A request, and where its photos lie."""

    metadata: ObjectMetadata
    spec: PhotosSpec = PhotosSpec()


class PageMetadata(msgspec.Struct, frozen=True, rename={"more": "continue"}):
    """Where a list goes on; empty at its end."""

    more: str = ""


class ObjectPage(msgspec.Struct, frozen=True):
    """Some objects of a list."""

    metadata: PageMetadata = PageMetadata()
    items: list[ListedObject] = []


class PhotosPage(msgspec.Struct, frozen=True):
    """Some requests of a list."""

    metadata: PageMetadata = PageMetadata()
    items: list[RequestPhotos] = []


Page = TypeVar("Page", ObjectPage, PhotosPage)


class Census:
    """Every method raises ApiError: who cannot be asked is not 'nobody'."""

    def __init__(self, api: client.ApiClient, fence: Callable[[], None] | None = None) -> None:
        """`fence` raises where nothing may be written any more."""
        self._api = AsyncApi(api, seconds=SECONDS, manager=names.FIELD_MANAGER, fence=fence)

    async def namespaces(self) -> dict[str, str]:
        """The UIDs of all namespaces by their names."""
        pages = await self._pages("/api/v1/namespaces", ObjectPage)
        return {item.metadata.name: item.metadata.uid for page in pages for item in page.items}

    async def request(self, key: Key) -> Document | None:
        """A request, or None where it certainly is gone: its namespace's requests can be listed, and it is none."""
        try:
            return await self._api.call("GET", request_path(key))
        except ResourceNotFound:
            # So an API server answers too that does not know the kind, or not yet.
            await self._api.read(requests_path(key.namespace), PhotosPage, [("limit", "1")])
            return None

    async def photos(self, namespace: str) -> list[str]:
        """`spec.photos.prefix` of all requests of a namespace."""
        pages = await self._pages(requests_path(namespace), PhotosPage)
        return [item.spec.photos.prefix for page in pages for item in page.items]

    async def ownerless_jobs(self, namespace: str) -> list[ObjectMetadata]:
        """The Jobs of requests that have lost their owner reference and are not going already."""
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        pages = await self._pages(path, ObjectPage, names.LABEL_UID)
        listed = (item.metadata for page in pages for item in page.items)
        return [job for job in listed if not job.owner_references and not job.deletion_timestamp]

    async def delete_job(self, namespace: str, job: ObjectMetadata) -> None:
        """Delete this very Job with its pods; nothing happens where another has its name by now."""
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{job.name}"
        body = {"propagationPolicy": "Background", "preconditions": {"uid": job.uid}}
        try:
            await self._api.call("DELETE", path, body)
        except (ResourceNotFound, ResourceConflict):
            return

    async def _pages(self, path: str, shape: type[Page], labels: str = "") -> list[Page]:
        """All pages of a list."""
        query: list[tuple[str, str]] = [("limit", str(PAGE)), *([("labelSelector", labels)] if labels else [])]
        pages = [await self._api.read(path, shape, query)]
        while pages[-1].metadata.more:
            pages.append(await self._api.read(path, shape, [*query, ("continue", pages[-1].metadata.more)]))
        return pages
