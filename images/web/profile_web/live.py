"""Requests as they change, for the pages that follow them: server-sent events from the cluster's status and Redis'
progress.

However many pages are open, the cluster is asked once in a while for the requests of all who watch, and Redis is read
by one connection.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from fastapi.sse import ServerSentEvent
from pydantic import ValidationError
from redis.exceptions import RedisError

from profile_contract.progress import ProgressEvent, stream_key
from profile_runtime.kubernetes.resources import Document

from .bucket import PICTURE_SECONDS
from .cluster import PageCluster, is_own
from .problems import Code, Problem
from .visitor import Visitor

log = logging.getLogger(__name__)

# How often the requests are looked at; progress comes as soon as a stage tells it.
PAUSE_SECONDS = 2.0
# A page that is still open then asks again, and must be signed in again; long before its links end.
STREAM_SECONDS = min(900.0, PICTURE_SECONDS / 2)
# How soon a page hears that its stream is at its end where nothing happens.
WAIT_SECONDS = 5.0

Followed = tuple[str, str]  # namespace and name
View = Callable[[Document], str]


class ProgressStreams:
    """Progress of all requests, read by one connection. Without Redis, or while it is away, there is none, and nothing
    else happens."""

    def __init__(self, redis: Any) -> None:
        """`redis`: a client of redis.asyncio, or None."""
        self._redis = redis

    async def after(self, cursors: Mapping[Followed, str]) -> dict[Followed, tuple[str, ProgressEvent | None]]:
        """Of each request that has newer events than its cursor: the next cursor and the newest event, if it can be
        read. Waits for PAUSE_SECONDS at most."""
        if self._redis is None:
            await asyncio.sleep(PAUSE_SECONDS)
            return {}
        requests = {stream_key(*key): key for key in cursors}
        streams = {stream: cursors[key] for stream, key in requests.items()}
        try:
            answer: Any = await self._redis.xread(streams, block=int(1000 * PAUSE_SECONDS))
        except (TimeoutError, RedisError, OSError) as error:
            log.info("progress cannot be read: %s", type(error).__name__)
            await asyncio.sleep(PAUSE_SECONDS)
            return {}
        newest = {requests[_text(stream)]: entries[-1] for stream, entries in answer or [] if entries}
        return {key: (_text(entry[0]), _event(entry[1])) for key, entry in newest.items()}


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _event(fields: Mapping[bytes, bytes]) -> ProgressEvent | None:
    try:
        return ProgressEvent.model_validate_json(fields.get(b"event", b""))
    except ValidationError:
        return None


class Watch:
    """The requests that are followed, as they were last seen."""

    def __init__(self, cluster: PageCluster, progress: ProgressStreams) -> None:
        self._cluster, self._reader = cluster, progress
        self._following: Counter[tuple[Visitor, str]] = Counter()
        self._documents: dict[Followed, Document] = {}
        self._asked: set[Followed] = set()
        self._away: set[str] = set()
        self._cursors: dict[Followed, str] = {}
        self._progress: dict[Followed, ProgressEvent] = {}
        self._changed = asyncio.Event()
        self._someone = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def streams(self, visitor: Visitor) -> int:
        """How many pages of this visitor follow a request."""
        return sum(
            count for (other, _), count in self._following.items()
            if (other.namespace, other.owner) == (visitor.namespace, visitor.owner)
        )  # fmt: skip

    async def follow(
        self, visitor: Visitor, name: str, view: View, most: int, seconds: float = STREAM_SECONDS
    ) -> AsyncIterator[ServerSentEvent]:
        """Events `request` (what `view` gives, whenever the request changed), `progress`, `away`, and at the end
        `gone`, `busy` (as many as `most` streams are open already) or `again` (it is time to ask anew)."""
        if self.streams(visitor) >= most:
            yield ServerSentEvent(raw_data="{}", event="busy")
            return
        ends = time.monotonic() + seconds
        with self._followed(visitor, name):
            async for event in self._events(visitor, name, view, ends):
                yield event

    async def close(self) -> None:
        """Stop asking."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextmanager
    def _followed(self, visitor: Visitor, name: str) -> Any:
        self._following[visitor, name] += 1
        self._someone.set()
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._look()), asyncio.create_task(self._listen())]
        try:
            yield
        finally:
            self._following[visitor, name] -= 1
            self._following = +self._following
            if not self._following:
                self._someone.clear()
            key = (visitor.namespace, name)
            if key not in self._keys():
                self._asked.discard(key)
                for known in (self._documents, self._cursors, self._progress):
                    known.pop(key, None)

    async def _events(self, visitor: Visitor, name: str, view: View, ends: float) -> AsyncIterator[ServerSentEvent]:
        key, version, sent = (visitor.namespace, name), "", None
        while time.monotonic() < ends:
            if visitor.namespace in self._away:
                # What comes next must be told, changed or not: the page shows that nobody answers.
                if version != "away":
                    yield ServerSentEvent(raw_data="{}", event="away")
                version = "away"
            elif key in self._asked:
                document = self._documents.get(key)
                if document is None or not is_own(document, visitor):
                    yield ServerSentEvent(raw_data="{}", event="gone")
                    return
                if document["metadata"]["resourceVersion"] != version:
                    version = document["metadata"]["resourceVersion"]
                    shown = await asyncio.to_thread(view, document)
                    yield ServerSentEvent(raw_data=shown, event="request", id=version)
            progress = self._progress.get(key)
            if progress is not None and progress != sent:
                sent = progress
                far = {"stage": sent.stage, "percent": sent.percent, "remainingSeconds": sent.remaining_seconds}
                yield ServerSentEvent(raw_data=json.dumps(far), event="progress")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(WAIT_SECONDS, max(0.0, ends - time.monotonic())))
        yield ServerSentEvent(raw_data="{}", event="again")

    def _keys(self) -> set[Followed]:
        return {(visitor.namespace, name) for visitor, name in self._following}

    def _tell(self) -> None:
        """Wake everybody who waits; who comes later waits for the next."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _look(self) -> None:
        """Ask the cluster, as long as somebody follows."""
        while await self._someone.wait():
            owners: dict[str, set[str]] = {}
            for visitor, _ in self._following:
                owners.setdefault(visitor.namespace, set()).add(visitor.owner)
            for namespace, watching in owners.items():
                await self._look_at(namespace, watching)
            self._tell()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _look_at(self, namespace: str, owners: set[str]) -> None:
        # Who begins to follow during the call is answered by the next one.
        asked = {key for key in self._keys() if key[0] == namespace}
        try:
            requests = await self._cluster.listed(namespace, owners)
        except Problem as problem:
            if problem.code is not Code.CLUSTER_AWAY:
                log.warning("requests cannot be followed in %r: %s", namespace, problem)
            self._away.add(namespace)
            return
        self._away.discard(namespace)
        documents = {(namespace, str(request["metadata"]["name"])): request for request in requests}
        for key in asked & self._keys():
            self._documents.pop(key, None)
            if key in documents:
                self._documents[key] = documents[key]
            self._asked.add(key)

    async def _listen(self) -> None:
        """Read the progress of all requests that are followed."""
        while await self._someone.wait():
            cursors = {key: self._cursors.setdefault(key, "$") for key in self._keys()}
            newest = await self._reader.after(cursors)
            for key in newest.keys() & self._keys():
                self._cursors[key], event = newest[key]
                if event is not None:
                    self._progress[key] = event
            if newest:
                self._tell()
