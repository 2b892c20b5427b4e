"""The predictor over HTTP, as an ASGI application: a list of doors, and everything else is 404 before a body is read.

KServe's own application is not served: it would open V1, a repository from which anybody may unload the model, and
bodies without limit. Here bodies are bounded in size and time, a client that hangs up frees its place, and every error
is `{"error": ...}`. An unforeseen error is logged and answered without its text, which may hold links and prompts.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from kserve import InferRequest, InferResponse

from . import tensors
from .protocol import BINARY_TYPE, JSON_TYPE, LENGTH_HEADER, BadCall, check_types, read_call

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

log = logging.getLogger(__name__)

# An order of four items with the longest prompts and links takes some 80 kB.
MAXIMUM_BODY = 1 << 20
SERVER = {"name": "profile-predictor", "version": "2", "extensions": ["binary_tensor_data"]}
# How often a body that is awaited looks whether the server is being stopped.
_LOOK_SECONDS = 0.5


class Served(Protocol):
    """What is behind the doors."""

    name: str

    @property
    def alive(self) -> bool:
        """Whether it can ever draw again without a new process."""

    @property
    def accepting(self) -> bool:
        """Whether it takes orders now."""

    @property
    def stopping(self) -> bool:
        """Whether the pod was asked to stop."""

    async def predict(self, payload: InferRequest) -> InferResponse:
        """Carry out one call. Raises BadCall."""


@dataclass(frozen=True)
class Limits:
    """`body_seconds`: for a whole body. `send_seconds`: for a client to take a part of the answer. `calls`: at once."""

    body_seconds: float = 30.0
    send_seconds: float = 30.0
    calls: int = 128


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    status: int
    content: bytes
    kind: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)


class _HungUp(Exception):
    """The client is gone: nobody is answered."""


class PredictorApp:
    """The application. With a `token` inference needs `Authorization: Bearer <token>`; probes and metadata do not."""

    def __init__(self, model: Served, token: str = "", limits: Limits = Limits()) -> None:
        self._model, self._token, self._limits = model, token.encode(), limits
        self._calls = 0
        named = f"/v2/models/{model.name}"
        self._doors: dict[str, Callable[[], Answer]] = {
            "/v2": lambda: _document(
                {"name": "profile-predictor", "version": "2", "extensions": ["binary_tensor_data"]}
            ),
            "/v2/health/live": lambda: _state("live", model.alive, "nothing can be drawn without a new process"),
            "/v2/health/ready": lambda: _state("ready", model.accepting, "the model is not ready"),
            named: lambda: _document({"name": model.name, "versions": [], "platform": "diffusers", **tensors.METADATA}),
            f"{named}/ready": lambda: _state("ready", model.accepting, "the model is not ready", name=model.name),
        }
        self._infer_door = f"{named}/infer"

    @property
    def calls(self) -> int:
        """Inference calls being read, carried out or written."""
        return self._calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call. Anything but HTTP is a mistake of the server's settings."""
        if scope["type"] != "http":
            raise ValueError(f"{scope['type']} is not served here")
        try:
            answer = await self._answer(scope, receive)
        except BadCall as error:
            answer = _refusal(error)
        except _HungUp:
            return
        except asyncio.CancelledError:
            if not self._model.stopping:
                raise
            # The grace is over: the call ends with this answer. No pause here: whoever cancels does so again.
            await _send(_refusal(_going_down()), send)
            return
        except Exception:
            log.exception("a call failed")
            answer = _refusal(BadCall(500, "the call failed; the predictor's log says why"))
        with contextlib.suppress(TimeoutError, OSError):
            await asyncio.wait_for(_send(answer, send), self._limits.send_seconds)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path, method = scope["path"], scope["method"]
        if path == self._infer_door:
            if method != "POST":
                raise BadCall(405, "only POST is answered here", {"Allow": "POST"})
            return await self._infer(_headers(scope), receive)
        door = self._doors.get(path)
        if door is None:
            raise BadCall(404, "there is nothing here")
        if method not in ("GET", "HEAD"):
            raise BadCall(405, "only GET is answered here", {"Allow": "GET"})
        return door()

    async def _infer(self, headers: Mapping[str, str], receive: Receive) -> Answer:
        self._check_token(headers)
        check_types(headers)
        if self._calls >= self._limits.calls:
            raise BadCall(429, "too many calls at once; come again in 1 s", {"Retry-After": "1"})
        self._calls += 1
        try:
            payload = read_call(headers, await self._body(headers, receive), self._model.name)
            response = await _unless_hung_up(self._model.predict(payload), receive)
            # A picture as JSON takes long to write.
            return await asyncio.to_thread(_encoded, response)
        finally:
            self._calls -= 1

    def _check_token(self, headers: Mapping[str, str]) -> None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        known = hmac.compare_digest(given.strip().encode(), self._token) and scheme.lower() == "bearer"
        if self._token and not known:
            raise BadCall(401, "the call needs the predictor's token", {"WWW-Authenticate": "Bearer"})

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """The whole body. Raises BadCall for one that is too large or too slow, _HungUp for one that ends early."""
        said = headers.get("content-length", "0")
        if not said.isdecimal() or int(said[:20]) > MAXIMUM_BODY:
            raise _too_large()
        deadline = time.monotonic() + self._limits.body_seconds
        body = bytearray()
        more = True
        while more:
            message = await self._part(receive, deadline)
            if message["type"] == "http.disconnect":
                raise _HungUp
            body += message.get("body", b"")
            if len(body) > MAXIMUM_BODY:
                raise _too_large()
            more = message.get("more_body", False)
        return bytes(body)

    async def _part(self, receive: Receive, deadline: float) -> Message:
        """What the client sends next. A server that stops waits for no one who is slow."""
        waiting = asyncio.ensure_future(receive())
        try:
            while not waiting.done():
                if time.monotonic() >= deadline:
                    raise BadCall(408, f"the call did not arrive within {self._limits.body_seconds:g} s")
                if self._model.stopping:
                    raise _going_down()
                await asyncio.wait({waiting}, timeout=_LOOK_SECONDS)
            return waiting.result()
        finally:
            waiting.cancel()


async def _unless_hung_up(call: Awaitable[InferResponse], receive: Receive) -> InferResponse:
    """The call's result; cancelled, and _HungUp raised, when the client goes."""
    working = asyncio.ensure_future(call)
    ear = asyncio.ensure_future(_until_gone(receive))
    try:
        await asyncio.wait({working, ear}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError, BadCall):
                await working
            raise _HungUp
        return working.result()
    finally:
        working.cancel()
        ear.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(answer: Answer, send: Send) -> None:
    headers = {"content-type": answer.kind, "content-length": str(len(answer.content)), **answer.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.content})


def _headers(scope: Scope) -> dict[str, str]:
    """Of a name that comes twice, the first one."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return found


def _document(document: Mapping[str, Any]) -> Answer:
    return Answer(200, json.dumps(document).encode())


def _state(word: str, holds: bool, otherwise: str, **more: str) -> Answer:
    if not holds:
        raise BadCall(503, otherwise)
    return _document({**more, word: True})


def _refusal(error: BadCall) -> Answer:
    # Closed: a body that was not read must not be taken for the next call.
    return Answer(
        error.status, json.dumps({"error": error.text}).encode(), headers={"Connection": "close", **error.headers}
    )


def _encoded(response: InferResponse) -> Answer:
    content, length = response.to_rest()
    if isinstance(content, bytes):
        return Answer(200, content, BINARY_TYPE, {LENGTH_HEADER: str(length)})
    return Answer(200, orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY))


def _going_down() -> BadCall:
    return BadCall(503, "the predictor is going down", {"Retry-After": "5"})


def _too_large() -> BadCall:
    return BadCall(413, f"the call is too large: at most {MAXIMUM_BODY} bytes are read")
