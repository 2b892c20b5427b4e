"""What the page's routes share: its configuration, what it talks to, and what it remembers and does by itself."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis.asyncio as redis
from fastapi import FastAPI

from profile_contract.areas import Area, area_of
from profile_contract.artifacts import photos_prefix, request_prefix, uploads_area, uploads_prefix
from profile_contract.ownership import owned_photos
from profile_runtime.kubernetes.resources import Document
from profile_runtime.store.port import StoreError

from . import holdings
from .bucket import MOST_LISTED, Bucket, Links
from .cluster import PageCluster, connect
from .config import WebConfig
from .live import ProgressStreams, Watch
from .problems import Code, Problem
from .purges import Purges, expired_drafts, newest_photos
from .view_models import RequestView
from .views import UNREADABLE_ERRORS, request_view, unreadable_view
from .visitor import Visitor, photos_prefix_of

log = logging.getLogger(__name__)

FIRST_SWEEP_SECONDS, SWEEP_SECONDS = 60.0, 600.0
# Of one process: reading of progress holds one, the others serve what is to be deleted again.
REDIS_CONNECTIONS, REDIS_SECONDS = 4, 5.0


@dataclass(frozen=True)
class Backends:
    """What the page talks to, where it is not what the configuration names: other things in tests."""

    bucket: Bucket | None = None
    redis: Any = None
    connect: Callable[[], Awaitable[PageCluster]] = connect


class Page:
    """What the routes share."""

    def __init__(self, config: WebConfig, environment: Mapping[str, str], backends: Backends) -> None:
        self.config = config
        self.bucket = backends.bucket or Bucket(config.store, environment)
        self.forms = holdings.Forms()
        # Prefixes of requests that were deleted, and until when forms for them may live.
        self.deleted: dict[str, float] = {}
        self.redis = backends.redis or connect_redis(environment.get("PROFILE_REDIS", ""))
        self._connect = backends.connect
        self.purges = Purges(self.bucket.purge, self.redis)
        # What is counted before something is added is counted by one call of a visitor at a time.
        self.counting: dict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self.cluster: PageCluster
        self.watch: Watch

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Connections for as long as the program runs."""
        self.cluster = await self._connect()
        self.watch = Watch(self.cluster, ProgressStreams(self.redis))
        chores = [asyncio.create_task(self.purges.run()), asyncio.create_task(self._sweep())]
        yield
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        await self.watch.close()
        if self.redis is not None:
            await self.redis.aclose()
        await self.cluster.close()

    async def _sweep(self) -> None:
        # A page that starts has other things to do first.
        await asyncio.sleep(FIRST_SWEEP_SECONDS)
        while True:
            for namespace in self.config.namespaces.served:
                try:
                    await self.delete_expired(namespace)
                except (Problem, StoreError) as error:
                    log.warning("old drafts in %r are deleted later: %s", namespace, type(error).__name__)
            await asyncio.sleep(SWEEP_SECONDS)

    async def delete_expired(self, namespace: str) -> None:
        """Delete the drafts of a namespace that nobody ended. Raises Problem and StoreError."""
        now = datetime.now(UTC)
        area = await self.area(namespace)
        photos = self.bucket.scan(uploads_area(area))
        newest = await asyncio.to_thread(newest_photos, photos, area, now)
        # Asked after the store: a request that was made meanwhile keeps its photos.
        named = [str(photos_prefix_of(request)) for request in await self.cluster.listed(namespace)]
        for prefix in expired_drafts(newest, named, now, self.config.drafts.seconds):
            log.info("photos of a draft that nobody ended are deleted")
            await self.bucket.delete(uploads_prefix(area, prefix))

    async def area(self, namespace: str) -> Area:
        """Where a namespace's things lie in the bucket. Asked each time: one made anew under its name has another.

        Raises Problem.
        """
        return area_of(namespace, await self.cluster.namespace_uid(namespace), self.config.store.prefix)

    def prefix(self, visitor: Visitor, draft: str) -> str:
        """The key prefix of a request's photos."""
        return uploads_prefix(visitor.area, owned_photos(visitor.owner, draft))

    def links(self, visitor: Visitor, name: str) -> Links:
        """Links to a request's photos and to what was made of them."""
        return self.bucket.links(self.prefix(visitor, name), request_prefix(visitor.area, name))

    def check_not_deleted(self, prefix: str) -> None:
        """Raises Problem for what was deleted a moment ago: it will be emptied again."""
        now = clock()
        self.deleted = {place: until for place, until in self.deleted.items() if until > now}
        if prefix in self.deleted:
            raise Problem(Code.REQUEST_NOT_FOUND)

    def lock(self, visitor: Visitor) -> asyncio.Lock:
        """Held while a visitor's things are counted and one is added."""
        return self.counting[visitor.namespace, visitor.owner]

    async def holding(self, visitor: Visitor) -> holdings.Holding:
        """What the visitor has in the store, and may still send there."""
        base = uploads_prefix(visitor.area, photos_prefix(visitor.owner))
        objects = await self.bucket.list(base)
        if len(objects) >= MOST_LISTED:
            raise Problem(Code.TOO_MANY_BYTES)
        return holdings.Holding(holdings.arrived(objects, base), self.forms.living(visitor, clock()))

    async def shown(self, visitor: Visitor, document: Document) -> RequestView:
        """A request as its owner sees it; one that cannot be read spoils no other."""
        links = self.links(visitor, str(document["metadata"]["name"]))
        # The first links of a request ask the store for credentials.
        return await asyncio.to_thread(readable_view, document, links)


def readable_view(document: Document, links: Links) -> RequestView:
    """A request as its owner sees it; one that this version cannot read is named, and can be deleted."""
    try:
        return request_view(document, links)
    except UNREADABLE_ERRORS as error:
        log.warning("request %r cannot be read: %s", document["metadata"]["name"], type(error).__name__)
        return unreadable_view(document)


def connect_redis(url: str) -> Any:
    """A client that connects when it is needed; None for no URL."""
    if not url:
        return None
    return redis.Redis.from_url(
        url,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        max_connections=REDIS_CONNECTIONS,
    )


def clock() -> float:
    """Seconds, by the clock of the event loop."""
    return asyncio.get_running_loop().time()
