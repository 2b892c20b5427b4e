"""LongWaits: for how long requests have waited for what is not their own doing, as seen at each resync."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from profile_contract.conditions import Reason

from .clients.entries import HEALING, RequestEntry

# With the pauses between them, so many attempts of a stage take an hour.
MANY_ATTEMPTS = 12
WAITS = HEALING | {Reason.QUEUED.value, Reason.PENDING.value}


class LongWaits:
    """Remembers since when; a process that begins counts anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[tuple[str, bool], float] = {}

    def longest(self, requests: Iterable[RequestEntry]) -> dict[str, float]:
        """Seconds of the longest wait by its reason as it is now; 0 where nobody waits for that.

        The reason may change while one waits; to wait for a GPU is a wait of its own.
        """
        now, before, self._since = self._clock(), self._since, {}
        seconds = dict.fromkeys(sorted(WAITS), 0.0)
        for request in requests:
            if request.reason not in WAITS or request.deleting or request.suspended:
                continue
            wait = request.uid, request.reason == Reason.QUEUED
            self._since[wait] = before.get(wait, now)
            seconds[request.reason] = max(seconds[request.reason], now - self._since[wait])
        return seconds
