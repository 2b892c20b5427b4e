"""Renewal: the Lease is renewed in a thread with a loop and a connection of its own, whatever the work is busy with.

A loop that is taken by work for longer than the lead lasts would lose it, the process would end, and the next one would
find the same work. One that never comes back answers the kubelet's probes no more and is started anew by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, suppress

from .election import Elector, LeaseAccess


class Renewal:
    """Of a lead that was won."""

    def __init__(self, elector: Elector, connect: Callable[[], AbstractAsyncContextManager[LeaseAccess]]) -> None:
        """`connect` opens a way to the Lease, within the thread."""
        self._elector, self._connect = elector, connect
        self._stop: Callable[[], object] | None = None
        self._stopped = False

    async def hold(self) -> None:
        """Renew for as long as that goes; returns when this process may not work any more. Once cancelled, nothing is
        written any more."""
        with ThreadPoolExecutor(1, thread_name_prefix="lease") as threads:
            held = asyncio.get_running_loop().run_in_executor(threads, self._run)
            try:
                await asyncio.shield(held)
            finally:
                self._stopped = True
                if self._stop is not None:
                    # The thread's loop may be closed by now.
                    with suppress(RuntimeError):
                        self._stop()
                await asyncio.wait([held])

    def _run(self) -> None:
        try:
            asyncio.run(self._renew())
        except asyncio.CancelledError:
            return

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        work = loop.create_task(self._work())
        self._stop = lambda: loop.call_soon_threadsafe(work.cancel)
        await work

    async def _work(self) -> None:
        async with self._connect() as lease:
            if not self._stopped:
                await self._elector.hold(lease)
