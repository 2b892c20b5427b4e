"""Which adapters were deleted lately: whoever asked before is too late, whatever they still hold in their hands."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from profile_draw.errors import Refused

MOST_DIGESTS = 100_000


class Evictions:
    """Digests with the moment at which they were evicted. Safe for threads.

    Kept for `seconds`, as long as a grant that was signed before may live. Moments are those of `clock`, in seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._lock = threading.Lock()
        self._moments: OrderedDict[str, float] = OrderedDict()

    def add(self, digests: Iterable[str]) -> None:
        """These are deleted now."""
        now = self._clock()
        with self._lock:
            for digest in digests:
                self._moments.pop(digest, None)
                self._moments[digest] = now
            while self._moments and self._is_over(next(iter(self._moments.values())), now):
                self._moments.popitem(last=False)

    def since(self, digest: str, asked: float) -> bool:
        """Whether an adapter was deleted at or after the moment at which somebody asked for it."""
        with self._lock:
            return self._moments.get(digest, float("-inf")) >= asked

    def check(self, digest: str, asked: float) -> None:
        """Raises Refused for an order that was asked before its adapter was deleted."""
        if self.since(digest, asked):
            raise Refused("the adapter was deleted while the order waited")

    def _is_over(self, moment: float, now: float) -> bool:
        return now - moment > self._seconds or len(self._moments) > MOST_DIGESTS
