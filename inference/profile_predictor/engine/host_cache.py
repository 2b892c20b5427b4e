"""Least recently used cache, bounded in bytes. Safe for threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class HostCache(Generic[T]):
    """Values by digest, at most `limit` bytes of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """What is held."""
        return self._bytes

    def get(self, digest: str) -> T | None:
        """The value, which is then the most recently used one."""
        with self._lock:
            entry = self._entries.get(digest)
            if entry is None:
                return None
            self._entries.move_to_end(digest)
            return entry[0]

    def put(self, digest: str, value: T, size: int) -> None:
        """Keep a value of `size` bytes; the longest unused give way. One larger than the limit is not kept."""
        with self._lock:
            self._drop(digest)
            if size > self._limit:
                return
            while self._bytes + size > self._limit:
                self._drop(next(iter(self._entries)))
            self._entries[digest] = (value, size)
            self._bytes += size

    def drop(self, digest: str) -> bool:
        """Forget a value; says whether there was one."""
        with self._lock:
            return self._drop(digest)

    def _drop(self, digest: str) -> bool:
        entry = self._entries.pop(digest, None)
        if entry is None:
            return False
        self._bytes -= entry[1]
        return True
