"""What KServe does not do for inference calls.

A client that hangs up frees its place: its request's task is cancelled. Bodies are bounded. An unforeseen error is
logged and answered without its text, which may hold links and prompts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)

# An order of four items with the longest prompts and links takes some 80 kB.
MAXIMUM_BODY = 1 << 20


class HangUp:
    """ASGI middleware for inference calls; answers 413 and 500 by itself."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, and cancel it when the client goes."""
        if scope["type"] != "http" or not str(scope.get("path", "")).endswith("/infer"):
            await self._app(scope, receive, send)
            return
        messages: asyncio.Queue[Message] = asyncio.Queue()
        call = asyncio.ensure_future(self._app(scope, messages.get, send))
        ear = asyncio.ensure_future(_listen(receive, messages))
        try:
            await asyncio.wait({call, ear}, return_when=asyncio.FIRST_COMPLETED)
            if call.done():
                await _finished(call, send)
                return
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call
            if ear.result():
                await _answer(send, 413, "the request is too large")
        finally:
            call.cancel()
            ear.cancel()


async def _listen(receive: Receive, messages: asyncio.Queue[Message]) -> bool:
    """Hand on what the client sends until it hangs up; True if it sent too much."""
    received = 0
    while True:
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAXIMUM_BODY:
            return True
        await messages.put(message)
        if message["type"] == "http.disconnect":
            return False


async def _finished(call: asyncio.Future[None], send: Send) -> None:
    try:
        await call
    except Exception:
        log.exception("an inference call failed")
        await _answer(send, 500, "the call failed; the predictor's log says why")


async def _answer(send: Send, status: int, text: str) -> None:
    body = json.dumps({"error": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
