"""A conversation with one client over ASGI: what it sends, for as long as it is there, and what goes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .protocol import JSON_TYPE, BadCall

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
T = TypeVar("T")

# An order of four items with the longest prompts and links takes some 80 kB.
MAXIMUM_BODY = 1 << 20
# How often a body that is awaited looks whether the server is being stopped.
_LOOK_SECONDS = 0.5


class HungUp(Exception):
    """The client is gone: nobody is answered."""


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    status: int
    content: bytes
    kind: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)


def document_answer(document: Mapping[str, Any]) -> Answer:
    """A JSON document, 200."""
    return Answer(200, json.dumps(document).encode())


def refusal(error: BadCall) -> Answer:
    """`{"error": ...}`. The connection is closed: a body that was not read must not be taken for the next call."""
    content = json.dumps({"error": error.text}).encode()
    return Answer(error.status, content, headers={"Connection": "close", **error.headers})


def going_down() -> BadCall:
    """What is said by a server that stops."""
    return BadCall(503, "the predictor is going down", {"Retry-After": "5"})


def headers_of(scope: Scope) -> dict[str, str]:
    """A call's headers by name in lower case; of a name that comes twice, the first one."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return headers


async def read_body(
    headers: Mapping[str, str], receive: Receive, *, seconds: float, stopping: Callable[[], bool]
) -> bytes:
    """The whole body, within so many seconds; a server that is `stopping` waits for no one who is slow.

    Raises BadCall for one that is too large or too slow, HungUp for one that ends early.
    """
    said = headers.get("content-length", "0")
    if not said.isdecimal() or int(said[:20]) > MAXIMUM_BODY:
        raise _too_large()
    deadline = time.monotonic() + seconds
    body = bytearray()
    more = True
    while more:
        part = asyncio.ensure_future(receive())
        try:
            while not part.done():
                if time.monotonic() >= deadline:
                    raise BadCall(408, f"the call did not arrive within {seconds:g} s")
                if stopping():
                    raise going_down()
                await asyncio.wait({part}, timeout=_LOOK_SECONDS)
            message = part.result()
        finally:
            part.cancel()
        if message["type"] == "http.disconnect":
            raise HungUp
        body += message.get("body", b"")
        if len(body) > MAXIMUM_BODY:
            raise _too_large()
        more = message.get("more_body", False)
    return bytes(body)


async def unless_hung_up(call: Awaitable[T], receive: Receive) -> T:
    """The call's result; cancelled, and HungUp raised, when the client goes."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    working = asyncio.ensure_future(call)
    ear = asyncio.ensure_future(gone())
    try:
        await asyncio.wait({working, ear}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError, BadCall):
                await working
            raise HungUp
        return working.result()
    finally:
        working.cancel()
        ear.cancel()


async def send_answer(answer: Answer, send: Send) -> None:
    """Write an answer, with its length."""
    headers = {"content-type": answer.kind, "content-length": str(len(answer.content)), **answer.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.content})


def _too_large() -> BadCall:
    return BadCall(413, f"the call is too large: at most {MAXIMUM_BODY} bytes are read")
