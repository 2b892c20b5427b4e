"""/healthz for the kubelet: whether the operator's workers run."""

from __future__ import annotations

import socket
from collections.abc import Callable

from aiohttp import web


def listen(port: int) -> socket.socket:
    """A socket on a port of every address of the machine: IPv4 and IPv6 where it has both."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("0.0.0.0", port))  # noqa: S104 - the kubelet asks from outside of the pod


class HealthServer:
    """Answers 200 while `healthy` says so, else 500."""

    def __init__(self, healthy: Callable[[], bool]) -> None:
        self._healthy = healthy
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> None:
        """Begin to answer. Raises OSError where the port is taken."""
        app = web.Application()
        app.router.add_get("/healthz", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.SockSite(self._runner, listen(port)).start()

    async def stop(self) -> None:
        """End it."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, _: web.Request) -> web.Response:
        if self._healthy():
            return web.Response(text="ok")
        return web.Response(status=500, text="the operator's workers have ended")
