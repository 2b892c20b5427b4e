"""What was deleted stays deleted: a form that was given before can still send a photo, so the place is emptied again
once the last form has ended, and once more for an upload that began in time and took long. Drafts that nobody ended
are deleted when they are old."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError

from profile_contract.areas import Area
from profile_contract.artifacts import photos_prefix
from profile_runtime.store.port import StoredObject, StoreError

from .bucket import UPLOAD_SECONDS

log = logging.getLogger(__name__)

# After the last form's end, and after an upload that began in its last second over a bad line.
AGAIN_SECONDS = (UPLOAD_SECONDS + 30, UPLOAD_SECONDS + 1800)
LOOK_SECONDS = 10.0
REDIS_KEY = "profile:page:purges"
# The page's own drafts: a folder of an owner's digits, one of a draft, a photo. Others upload elsewhere.
_DRAFT = re.compile("^(" + photos_prefix("[0-9a-f]{16,64}", "[a-z0-9][-a-z0-9]{0,39}") + ")[^/]+$")


class Purges:
    """Keys and prefixes that are to be emptied again. Kept in Redis where there is one, so that a restart forgets
    nothing; else in memory."""

    def __init__(self, purge: Callable[[str], Awaitable[None]], redis: Any = None) -> None:
        self._purge, self._redis = purge, redis
        self._due: dict[str, float] = {}

    async def schedule(self, place: str, now: float | None = None) -> None:
        """Empty a key, or a prefix that ends with '/', again when no form for it can live any more."""
        start = time.time() if now is None else now
        entries = {entry: start + after for entry, after in zip(_entries(place), AGAIN_SECONDS, strict=True)}
        try:
            if self._redis is not None:
                await self._redis.zadd(REDIS_KEY, entries)
                return
        except (TimeoutError, RedisError, OSError) as error:
            log.info("what is to be deleted again is kept in memory: %s", type(error).__name__)
        self._due |= entries

    async def cancel(self, place: str) -> None:
        """Do not empty it again: something new is to stand there."""
        for entry in _entries(place):
            self._due.pop(entry, None)
        if self._redis is not None:
            try:
                await self._redis.zrem(REDIS_KEY, *_entries(place))
            except (TimeoutError, RedisError, OSError) as error:
                log.info("what is to be deleted again cannot be read: %s", type(error).__name__)

    async def empty_due(self, now: float | None = None) -> None:
        """Empty what is due; what the store does not delete now is tried again."""
        moment = time.time() if now is None else now
        for entry in await self._entries(moment):
            try:
                await self._purge(entry.partition(" ")[2])
            except StoreError as error:
                log.warning("a deleted place is emptied again later: %s", type(error).__name__)
                continue
            await self._forget(entry)

    async def _entries(self, now: float) -> list[str]:
        due = [entry for entry, at in self._due.items() if at <= now]
        if self._redis is None:
            return due
        try:
            entries = await self._redis.zrangebyscore(REDIS_KEY, "-inf", now)
        except (TimeoutError, RedisError, OSError):
            return due
        return due + [entry.decode() if isinstance(entry, bytes) else str(entry) for entry in entries]

    async def _forget(self, entry: str) -> None:
        if self._due.pop(entry, None) is None and self._redis is not None:
            try:
                await self._redis.zrem(REDIS_KEY, entry)
            except (TimeoutError, RedisError, OSError):
                log.info("%r is emptied once more", entry)

    async def run(self) -> None:
        """Empty what is due, again and again."""
        while True:
            await self.empty_due()
            await asyncio.sleep(LOOK_SECONDS)


def _entries(place: str) -> list[str]:
    return [f"{after} {place}" for after in AGAIN_SECONDS]


def newest_photos(objects: Iterable[StoredObject], area: Area, now: datetime) -> dict[str, datetime]:
    """Of each draft's prefix, as requests name it, when its newest photo was sent. Pure.

    `objects`: what lies below the uploads of the area. Only what looks like a draft of the page is one; whoever uploads
    otherwise says themselves what goes.
    """
    newest: dict[str, datetime] = {}
    for photo in objects:
        match = _DRAFT.match(photo.key.removeprefix(area))
        if match:
            # Without a time it counts as new: better late than wrong.
            written = photo.modified or now
            newest[match[1]] = max(newest.get(match[1], datetime.min.replace(tzinfo=UTC)), written)
    return newest


def expired_drafts(
    newest: Mapping[str, datetime], requested: Collection[str], now: datetime, seconds: int
) -> list[str]:
    """The prefixes of drafts whose newest photo is older than that and which no request names. Pure.

    `requested`: `spec.photos.prefix` of all the namespace's requests, asked for after the photos.
    """
    kept = set(requested)
    return sorted(
        prefix for prefix, at in newest.items() if (now - at).total_seconds() > seconds and prefix not in kept
    )
