"""A request as it changes, for the page: server-sent events from the cluster's status and Redis' progress."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import redis.asyncio as redis
from pydantic import ValidationError
from redis.exceptions import RedisError
from sse_starlette import ServerSentEvent

from profile_contract.progress import ProgressEvent, stream_key

from .cluster import NOT_FOUND, Cluster, ClusterAway, Refused
from .grants import PICTURE_SECONDS
from .views import Link, request_view
from .visitor import Visitor

log = logging.getLogger(__name__)

# How often the request itself is looked at; progress comes as soon as a stage tells it.
PAUSE_SECONDS = 2.0
REDIS_SECONDS = 5.0
# Links are told anew well before they end.
LINKS_SECONDS = PICTURE_SECONDS / 2


class Progress:
    """Progress streams. Without Redis, or while it is away, there is none, and nothing else happens."""

    def __init__(self, url: str) -> None:
        self._client: redis.Redis | None = None
        if url:
            self._client = redis.Redis.from_url(url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)

    async def after(self, visitor: Visitor, name: str, cursor: str) -> tuple[str, ProgressEvent | None]:
        """The newest event after a cursor, and the next cursor; waits for PAUSE_SECONDS at most."""
        if self._client is None:
            await asyncio.sleep(PAUSE_SECONDS)
            return cursor, None
        key = stream_key(visitor.namespace, name)
        try:
            found: Any = await self._client.xread({key: cursor}, block=int(1000 * PAUSE_SECONDS))
        except (TimeoutError, RedisError, OSError) as error:
            log.info("progress cannot be read: %s", type(error).__name__)
            await asyncio.sleep(PAUSE_SECONDS)
            return cursor, None
        entries = found[0][1] if found else []
        if not entries:
            return cursor, None
        return entries[-1][0].decode(), _event(entries[-1][1])

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()


def _event(fields: Mapping[bytes, bytes]) -> ProgressEvent | None:
    try:
        return ProgressEvent.model_validate_json(fields.get(b"event", b""))
    except ValidationError:
        return None


async def follow(
    cluster: Cluster, progress: Progress, visitor: Visitor, name: str, link: Link
) -> AsyncIterator[ServerSentEvent]:
    """Events `request` (a RequestView, whenever it changed), `progress`, `away` and, at the end, `gone`."""
    version, cursor, told_at = "", "$", 0.0
    while True:
        try:
            document = await cluster.request(visitor, name)
            old = time.monotonic() - told_at > LINKS_SECONDS
            if old or document["metadata"]["resourceVersion"] != version:
                version, told_at = document["metadata"]["resourceVersion"], time.monotonic()
                yield ServerSentEvent(request_view(document, link).to_json(), event="request", id=version)
        except ClusterAway:
            # What comes next must be told, changed or not: the page shows that nobody answers.
            version = ""
            yield ServerSentEvent("{}", event="away")
        except Refused as refused:
            if refused.status == NOT_FOUND:
                yield ServerSentEvent("{}", event="gone")
                return
            raise
        cursor, told = await progress.after(visitor, name, cursor)
        if told is not None:
            yield ServerSentEvent(_told(told), event="progress")


def _told(event: ProgressEvent) -> str:
    return json.dumps({"stage": event.stage, "percent": event.percent, "remainingSeconds": event.remaining_seconds})
