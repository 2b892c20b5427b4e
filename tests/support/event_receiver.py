"""A receiver of CloudEvents: a real HTTP server that can be away, refuse, and come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Receiver:
    """Answers with the codes of `answers`, one after another, then 202; keeps what it was sent."""

    answers: list[int] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    tries: int = 0

    async def post(self, request: web.Request) -> web.Response:
        self.tries += 1
        body = await request.read()
        code = self.answers.pop(0) if self.answers else 202
        if code == 202:
            self.headers.append(dict(request.headers))
            self.bodies.append(body)
            self.taken.append(json.loads(body))
        return web.Response(status=code)

    async def until(self, count: int) -> None:
        """Wait for so many events that were taken."""
        async with asyncio.timeout(10):
            while len(self.taken) < count:
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """The address where it takes events."""
        app = web.Application()
        app.router.add_post("/", self.post)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()
