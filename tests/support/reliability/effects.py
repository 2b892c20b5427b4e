"""Effects: everything the operator does to the world, caught where it leaves the process.

Patched are the HTTP clients themselves (aiohttp for the API server, urllib3 for the store, httpx2 for the predictor),
so that nothing of the operator's own code has to be known, and nothing that it does is missed.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DIED = 137


class Ending(StrEnum):
    """How the process ends at an effect."""

    BEFORE = "before the effect"
    AFTER = "done, its answer lost"
    # It stands still before the effect, and goes on when another one leads.
    FROZEN = "frozen before the effect"


@dataclass(frozen=True)
class Fate:
    """What is to happen to one operator process. `at`: at which effect it ends; 0: at none.

    `lag`: seconds by which every watch is behind. `cut_every`: a watch is lost, as one that is too old, after so many
    events; 0: none is.
    """

    at: int = 0
    ending: Ending = Ending.BEFORE
    lag: float = 0.0
    cut_every: int = 0


class Effects:
    """Counts effects, writes each into `record` before it happens, and ends the process at the one asked for."""

    def __init__(self, fate: Fate, record: Path) -> None:
        self._fate, self._count, self._lock = fate, 0, threading.Lock()
        self._record = record.open("a", buffering=1)

    def begin(self, kind: str) -> int:
        """An effect begins; returns its number."""
        with self._lock:
            self._count += 1
            number = self._count
            self._record.write(f"{number}\t{kind}\n")
            if number == self._fate.at and self._fate.ending is Ending.BEFORE:
                os._exit(DIED)
        if number == self._fate.at and self._fate.ending is Ending.FROZEN:
            os.kill(os.getpid(), signal.SIGSTOP)
        return number

    def done(self, number: int) -> None:
        """Whoever was asked has done it: the answer is there, and nobody has read it."""
        if number == self._fate.at and self._fate.ending is Ending.AFTER:
            os._exit(DIED)


def install(fate: Fate, record: Path) -> None:
    """Catch all effects of this process."""
    effects = Effects(fate, record)
    _catch_kubernetes(effects)
    _catch_store(effects)
    _catch_predictor(effects)
    if fate.lag or fate.cut_every:
        _lag_watches(fate)


def _catch_kubernetes(effects: Effects) -> None:
    import aiohttp

    asked = aiohttp.ClientSession._request

    async def request(self: Any, method: str, url: Any, **arguments: Any) -> Any:
        kind = kubernetes_kind(method.upper(), str(url), str(arguments.get("params") or ""))
        number = effects.begin(kind) if kind else 0
        answer = await asked(self, method, url, **arguments)
        if number:
            effects.done(number)
        return answer

    setattr(aiohttp.ClientSession, "_request", request)  # noqa: B010 - its type has thirty parameters


def _catch_store(effects: Effects) -> None:
    import urllib3

    asked = urllib3.PoolManager.urlopen

    def urlopen(self: Any, method: str, url: str, *arguments: Any, **named: Any) -> Any:
        kind = store_kind(method.upper(), url)
        number = effects.begin(kind) if kind else 0
        answer = asked(self, method, url, *arguments, **named)
        if number:
            effects.done(number)
        return answer

    urllib3.PoolManager.urlopen = urlopen  # type: ignore[method-assign]


def _catch_predictor(effects: Effects) -> None:
    import httpx2

    asked = httpx2.AsyncHTTPTransport.handle_async_request

    async def handle(self: Any, request: Any) -> Any:
        number = effects.begin("Predictor called")
        answer = await asked(self, request)
        effects.done(number)
        return answer

    httpx2.AsyncHTTPTransport.handle_async_request = handle  # type: ignore[method-assign]


def _lag_watches(fate: Fate) -> None:
    """Hand every event of a watch on later than it came, in order, and lose the watch now and then."""
    from profile_runtime.kubernetes.aio import AsyncApi
    from profile_runtime.kubernetes.errors import ResourceExpired

    told = AsyncApi.events

    async def events(self: Any, *arguments: Any, **named: Any) -> AsyncIterator[Any]:
        loop, waiting = asyncio.get_running_loop(), asyncio.Queue[tuple[float, Any]]()

        async def follow() -> None:
            try:
                async for event in told(self, *arguments, **named):
                    waiting.put_nowait((loop.time() + fate.lag, event))
            except Exception as error:
                waiting.put_nowait((loop.time(), error))
            else:
                waiting.put_nowait((loop.time(), None))

        reader, count = asyncio.create_task(follow()), 0
        try:
            while True:
                due, event = await waiting.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if isinstance(event, Exception):
                    raise event
                if event is None:
                    return
                count += 1
                if fate.cut_every and count % fate.cut_every == 0:
                    raise ResourceExpired("too old resource version", 410)
                yield event
        finally:
            reader.cancel()

    setattr(AsyncApi, "events", events)  # noqa: B010 - another signature, the same answers


# Kind of object -> what its creation is called, its change, its deletion.
_RESOURCES = {
    "jobs": "Job",
    "secrets": "Secret",
    "events": "Event",
}
_VERBS = {"POST": "created", "PATCH": "changed", "PUT": "changed", "DELETE": "deleted"}


def kubernetes_kind(method: str, url: str, query: str = "") -> str:
    """What a call of the API server does, in words; empty for what changes nothing, and for the Lease."""
    parts = urlsplit(url)
    if method in ("GET", "HEAD") or "dryRun" in parts.query + query or "/leases" in parts.path:
        return ""
    if "/profilerequests/" in parts.path:
        return "Status written" if parts.path.endswith("/status") else "Finalizer written"
    place = re.search(r"/namespaces/[^/]+/([a-z]+)", parts.path)
    resource = place[1] if place else parts.path.rpartition("/")[2]
    return f"{_RESOURCES.get(resource, resource)} {_VERBS[method]}"


def store_kind(method: str, url: str) -> str:
    """What a call of the store does, in words; empty for what changes nothing."""
    parts = urlsplit(url)
    if method == "POST" and parts.path in ("", "/"):
        return "Credentials asked of STS"
    if method == "POST" and "/minio/admin/" in parts.path:
        return "Credentials revoked"
    if method in ("POST", "DELETE"):
        return "Objects deleted in the store"
    return "Object written to the store" if method == "PUT" else ""
