"""The queue of requests to look at: one entry a request, never the same request twice at once, delays, back-off."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable

from profile_contract.resource import Key
from profile_runtime.logging import bound

from . import metrics

log = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 60.0
# Levels: what happened, what was to be looked at again by now, and what is looked at for safety's sake.
NEWS, AGAIN, ROUND = 0, 1, 2
# What is to be looked at again gives way to news that come within so many seconds: it is how far a stage is, mostly,
# and nobody waits for it. No longer, or it were never looked at where something always happens.
YIELD_SECONDS = 5.0

Handler = Callable[[Key], Awaitable[float | None]]


class WorkQueue:
    """The handler returns when to look again, or None; if it raises, it is called again with growing pauses."""

    def __init__(self) -> None:
        # Whether it may wait for all others, the moment by which it is looked at, a number, the level, the request.
        self._ready: asyncio.PriorityQueue[tuple[bool, float, int, int, Key]] = asyncio.PriorityQueue()
        self._order = itertools.count()
        # With the level at which each waits. What stands in `_ready` at another level is passed over.
        self._queued: dict[Key, int] = {}
        self._busy: set[Key] = set()
        self._dirty: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}

    def add(self, key: Key, after: float = 0.0) -> None:
        """Look at a request since something happened, or, with `after`, again in so many seconds at the latest."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if after <= 0:
            if timer is not None:
                timer.cancel()
            self._fire(key, NEWS)
            return
        when = loop.time() + after
        if timer is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(when, self._fire, key, AGAIN)

    def add_low(self, key: Key) -> None:
        """Look at a request when nothing else is to be done, unless it is looked at anyway."""
        if key not in self._busy and key not in self._queued and key not in self._timers:
            self._enqueue(key, ROUND)

    def _fire(self, key: Key, level: int) -> None:
        self._timers.pop(key, None)
        if key in self._busy:
            self._dirty.add(key)
        elif self._queued.get(key, ROUND + 1) > level:
            self._enqueue(key, level)

    def _enqueue(self, key: Key, level: int) -> None:
        self._queued[key] = level
        by = asyncio.get_running_loop().time() + (YIELD_SECONDS if level == AGAIN else 0.0)
        self._ready.put_nowait((level == ROUND, by, next(self._order), level, key))
        metrics.QUEUE_LENGTH.set(len(self._queued))

    async def work(self, handler: Handler) -> None:
        """One worker: runs until it is cancelled."""
        while True:
            *_, level, key = await self._ready.get()
            if self._queued.get(key) != level:
                continue
            del self._queued[key]
            self._busy.add(key)
            metrics.QUEUE_LENGTH.set(len(self._queued))
            try:
                with bound(request=str(key)):
                    again = await self._handle(key, handler)
            finally:
                self._busy.discard(key)
            if key in self._dirty:
                self._dirty.discard(key)
                again = 0.0 if key not in self._failures else again
            if again is not None:
                self.add(key, again)

    async def _handle(self, key: Key, handler: Handler) -> float | None:
        try:
            again = await handler(key)
        except Exception as error:  # whatever it was, this request is tried again and the others go on
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            pause = min(FIRST_BACKOFF_SECONDS * 2 ** (failures - 1), LONGEST_BACKOFF_SECONDS)
            log.warning("%s: %s; again in %.0f s", key, error, pause, exc_info=not isinstance(error, ExpectedError))
            return pause
        self._failures.pop(key, None)
        return again


class ExpectedError(Exception):
    """Something outside is not as it should be: worth a line in the log, not a traceback."""
