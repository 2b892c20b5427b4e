"""The predictor over HTTP, as an ASGI application: a list of doors, and everything else is 404 before a body is read.

KServe's own application is not served: it would open V1, a repository from which anybody may unload the model, and
bodies without limit. Here bodies are bounded in size and time, a client that hangs up frees its place, and every error
is `{"error": ...}`. An unforeseen error is logged and answered without its text, which may hold links and prompts.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from kserve import InferRequest, InferResponse

from profile_contract.generation import GenerationOrder

from . import tensors
from .conversation import (
    Answer,
    HungUp,
    Receive,
    Scope,
    Send,
    document_answer,
    going_down,
    headers_of,
    read_body,
    refusal,
    send_answer,
    unless_hung_up,
)
from .images import images_answer, images_refusal, read_images_call
from .protocol import BINARY_TYPE, LENGTH_HEADER, BadCall, check_json, check_types, read_call

log = logging.getLogger(__name__)

# OpenAI's door, where KServe puts it.
IMAGES = "/openai/v1/images/generations"
SERVER: dict[str, Any] = {"name": "profile-predictor", "version": "2", "extensions": ["binary_tensor_data"]}


class Served(Protocol):
    """What is behind the doors."""

    name: str

    @property
    def native_size(self) -> tuple[int, int]:
        """Width and height of pictures of which no size is said."""

    @property
    def beside(self) -> dict[str, str]:
        """The networks beside the base model's, by their folders."""

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

    async def images(self, order: GenerationOrder) -> list[bytes]:
        """Draw an order of nobody's request; its pictures as files. Raises BadCall."""


@dataclass(frozen=True)
class CallLimits:
    """`body_seconds`: for a whole body. `send_seconds`: for a client to take a part of the answer. `calls`: at once."""

    body_seconds: float = 30.0
    send_seconds: float = 30.0
    calls: int = 128


class PredictorApp:
    """The application. With a `token` inference needs `Authorization: Bearer <token>`; probes and metadata do not."""

    def __init__(self, model: Served, token: str = "", limits: CallLimits = CallLimits()) -> None:
        self.model, self.limits, self._token = model, limits, token.encode()
        self._calls = 0
        named = f"/v2/models/{model.name}"
        self.server_metadata = SERVER
        self.model_metadata = {"name": model.name, "versions": [], "platform": "diffusers", **tensors.METADATA}
        self._doors: dict[str, Callable[[], Answer]] = {
            "/v2": lambda: document_answer(self.server_metadata),
            "/v2/health/live": lambda: _state("live", model.alive, "nothing can be drawn without a new process"),
            "/v2/health/ready": lambda: _state("ready", model.accepting, "the model is not ready"),
            # Over gRPC there is no place for parameters.
            named: lambda: document_answer({**self.model_metadata, "parameters": model.beside}),
            f"{named}/ready": lambda: _state("ready", model.accepting, "the model is not ready", name=model.name),
        }
        self._drawing_doors = {f"{named}/infer": self._infer, IMAGES: self._images}

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
            answer = images_refusal(error) if scope["path"] == IMAGES else refusal(error)
        except HungUp:
            return
        except asyncio.CancelledError:
            if not self.model.stopping:
                raise
            # The grace is over: the call ends with this answer. No pause here: whoever cancels does so again.
            await send_answer(refusal(going_down()), send)
            return
        except Exception:
            log.exception("a call failed")
            answer = refusal(BadCall(500, "the call failed; the predictor's log says why"))
        with contextlib.suppress(TimeoutError, OSError):
            await asyncio.wait_for(send_answer(answer, send), self.limits.send_seconds)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        """What is behind the door that a call knocks at. Raises BadCall or HungUp."""
        path, method = scope["path"], scope["method"]
        if path in self._drawing_doors:
            if method != "POST":
                raise BadCall(405, "only POST is answered here", {"Allow": "POST"})
            return await self._drawing_doors[path](headers_of(scope), receive)
        door = self._doors.get(path)
        if door is None:
            raise BadCall(404, "there is nothing here")
        if method not in ("GET", "HEAD"):
            raise BadCall(405, "only GET is answered here", {"Allow": "GET"})
        return door()

    def check_token(self, authorization: str) -> None:
        """Raises BadCall (401) unless a call shows the token, if there is one."""
        scheme, _, given = authorization.partition(" ")
        known = hmac.compare_digest(given.strip().encode(), self._token) and scheme.lower() == "bearer"
        if self._token and not known:
            raise BadCall(401, "the call needs the predictor's token", {"WWW-Authenticate": "Bearer"})

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Around one call. Raises BadCall (429) where there are too many."""
        if self._calls >= self.limits.calls:
            raise BadCall(429, "too many calls at once; come again in 1 s", {"Retry-After": "1"})
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    async def carry_out(self, headers: Mapping[str, str], body: bytes) -> InferResponse:
        """What the model answers to an inference call. Raises BadCall."""
        return await self.model.predict(read_call(headers, body, self.model.name))

    async def _infer(self, headers: Mapping[str, str], receive: Receive) -> Answer:
        """The answer to an inference call. Raises BadCall or HungUp."""
        self.check_token(headers.get("authorization", ""))
        check_types(headers)
        with self.place():
            body = await self._body(headers, receive)
            response = await unless_hung_up(self.carry_out(headers, body), receive)
            # A picture as JSON takes long to write.
            return await asyncio.to_thread(_encoded, response)

    async def _images(self, headers: Mapping[str, str], receive: Receive) -> Answer:
        """The answer to a call of OpenAI's images API. Raises BadCall or HungUp."""
        self.check_token(headers.get("authorization", ""))
        check_json(headers)
        with self.place():
            call = read_images_call(await self._body(headers, receive), self.model.name)
            pictures = await unless_hung_up(self.model.images(call.order(self.model.native_size)), receive)
            return await asyncio.to_thread(images_answer, pictures)

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """A call's whole body. Raises as `read_body` does."""
        seconds = self.limits.body_seconds
        return await read_body(headers, receive, seconds=seconds, stopping=lambda: self.model.stopping)


def _state(word: str, holds: bool, otherwise: str, **more: str) -> Answer:
    """That something holds. Raises BadCall (503) where it does not."""
    if not holds:
        raise BadCall(503, otherwise)
    return document_answer({**more, word: True})


def _encoded(response: InferResponse) -> Answer:
    """KServe's response as JSON, or as JSON with the tensors' bytes behind it."""
    content, length = response.to_rest()
    if isinstance(content, bytes):
        return Answer(200, content, BINARY_TYPE, {LENGTH_HEADER: str(length)})
    return Answer(200, orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY))
