"""Threads for what waits on the store: some for reading, others for bringing candidates there.

A slow store then holds up neither the other direction nor anything else of the server; and what a thread does is
counted until the thread ends, not until its client hangs up.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

UPLOAD_THREADS = 8


class NamingThreads(ThreadPoolExecutor):
    """Threads whose log names what is bound where their work was handed over."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As any executor's; each piece of work has a copy of the caller's context."""
        return super().submit(contextvars.copy_context().run, fn, *args, **kwargs)


class Pools:
    """`reads`: one thread for each place, so that no read waits for another. `uploads`: a few."""

    def __init__(self, places: int) -> None:
        self.reads = NamingThreads(places, thread_name_prefix="read")
        self.uploads = NamingThreads(UPLOAD_THREADS, thread_name_prefix="upload")

    def close(self) -> None:
        """Begin nothing more; what runs is not waited for."""
        self.reads.shutdown(wait=False, cancel_futures=True)
        self.uploads.shutdown(wait=False, cancel_futures=True)


class Writing:
    """Whose candidates are being written at this moment. Safe for threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._writes: Counter[str] = Counter()

    @contextmanager
    def of(self, digests: Iterable[str]) -> Iterator[None]:
        """Around one write of a candidate that was drawn with these adapters."""
        with self._changed:
            self._writes.update(digests)
        try:
            yield
        finally:
            with self._changed:
                self._writes.subtract(digests)
                self._writes += Counter()  # drops what is at nought
                self._changed.notify_all()

    def wait_for(self, digests: Sequence[str], seconds: float) -> bool:
        """Wait until none of these is being written; False if that takes longer."""
        deadline = time.monotonic() + seconds
        with self._changed:
            return self._changed.wait_for(
                lambda: not any(self._writes[digest] for digest in digests), deadline - time.monotonic()
            )
