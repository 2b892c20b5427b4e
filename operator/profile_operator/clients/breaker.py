"""Breaker: while something is down, one asks whether it is back, and everybody else is told so at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 15.0


class Breaker:
    """Open from the first failure until a probe succeeds."""

    def __init__(self, probe: Callable[[], Awaitable[None]], closed: Callable[[], None]) -> None:
        """`probe` raises while it is down. `closed` is called when it is back."""
        self._probe, self._closed = probe, closed
        self._task: asyncio.Task[None] | None = None
        self.error: Exception | None = None

    def trip(self, error: Exception) -> None:
        """It is down, as this error says: begin to ask for it, if nobody does so yet."""
        self.error = error
        if self._task is None:
            self._task = asyncio.create_task(self._ask(), name="breaker")

    async def _ask(self) -> None:
        """Probe with growing pauses until it answers."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                await self._probe()
            except Exception as error:
                self.error, pause = error, min(2 * pause, LONGEST_PAUSE_SECONDS)
                log.info("still down: %s; asked again in %.0f s", error, pause)
            else:
                break
        self.error = self._task = None
        self._closed()

    def close(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
