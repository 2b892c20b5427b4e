"""The watcher: lists requests, follows what happens to them, and lists them again when it has lost the thread."""

from __future__ import annotations

import asyncio
import logging
import time

from profile_runtime.kubernetes.errors import ApiError, ResourceExpired

from .cluster import Requests
from .recorder import Recorder

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
WATCH_SECONDS = 300


class Watcher:
    """Tells the recorder of the requests of one namespace, or of all."""

    def __init__(self, requests: Requests, recorder: Recorder, resync_seconds: float) -> None:
        self._requests, self._recorder, self._resync = requests, recorder, resync_seconds

    async def watch(self) -> None:
        """Until cancelled: a list, what happens from there on, and a list again, with growing pauses after failures."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                version, seconds = await self._list()
                pause = FIRST_PAUSE_SECONDS
                await self._follow(version, seconds)
            except ResourceExpired:
                log.info("the watch is too far behind: the requests are listed anew")
                await asyncio.sleep(FIRST_PAUSE_SECONDS)
            except ApiError as error:
                log.warning("%s; again in %.0f s", error, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _list(self) -> tuple[str, float]:
        """Note every request and forget those that are gone; returns the list's version, and how long it will do."""
        # In this order: what was written before the list was asked for and is not in it, is gone.
        written = await self._recorder.written(self._requests.namespace)
        records, version = await self._requests.listed()
        compared = written is not None and await self._recorder.compare(written, {record.key for record in records})
        for record in records:
            self._recorder.note(record)
        return version, self._resync if compared else min(self._resync, LONGEST_PAUSE_SECONDS)

    async def _follow(self, version: str, seconds: float) -> None:
        """Note what happens after a version, for so many seconds. Raises ApiError."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            async for change in self._requests.changes(version, max(1, min(WATCH_SECONDS, int(left)))):
                version = change.version
                if change.record is None:
                    continue
                if change.gone:
                    self._recorder.gone(change.record)
                else:
                    self._recorder.note(change.record)
