"""RpcServer: the Open Inference Protocol over gRPC, beside REST: the same calls, bounds, token and errors.

A call is written as REST would bring it and read by the same reader, so that neither door lets in what the other one
refuses. Only what is said here is served: a repository, from which anybody could unload the model, is not.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
from google.protobuf.message import Message
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from .app import PredictorApp
from .conversation import MAXIMUM_BODY
from .protocol import BINARY_SIZE, BINARY_TYPE, LENGTH_HEADER, BadCall

log = logging.getLogger(__name__)

SERVICE = "inference.GRPCInferenceService"
# What an error of REST is called here.
STATUSES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
# Which field of a tensor's contents holds a datatype; FP16 is sent raw.
_CONTENTS = {
    "BYTES": "bytes_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "INT64": "int64_contents",
    "UINT64": "uint64_contents",
    **{f"INT{bits}": "int_contents" for bits in (8, 16, 32)},
    **{f"UINT{bits}": "uint_contents" for bits in (8, 16, 32)},
}
# Of the network's own pace: a connection on which nothing is called for so long is closed.
_IDLE_SECONDS = 300
Handler = Callable[[Any, Mapping[str, str]], Awaitable[Message]]


class RpcServer:
    """The door, closed until `start`. It asks the same application that answers REST."""

    def __init__(self, app: PredictorApp, port: int) -> None:
        self._app, self._port = app, port
        self._server: Any = None

    async def start(self) -> None:
        """Open the door, on all addresses. Raises RuntimeError if the port is taken."""
        options = [
            ("grpc.max_receive_message_length", MAXIMUM_BODY),
            # Of the largest picture, 2048 x 2048.
            ("grpc.max_send_message_length", 16 << 20),
            ("grpc.max_concurrent_streams", self._app.limits.calls),
            ("grpc.max_connection_idle_ms", 1000 * _IDLE_SECONDS),
            # A second server on the same port would take every other call.
            ("grpc.so_reuseport", 0),
        ]
        self._server = grpc.aio.server(options=options, maximum_concurrent_rpcs=2 * self._app.limits.calls)
        handlers = {
            "ServerLive": (self._live, pb.ServerLiveRequest),
            "ServerReady": (self._ready, pb.ServerReadyRequest),
            "ModelReady": (self._model_ready, pb.ModelReadyRequest),
            "ServerMetadata": (self._server_metadata, pb.ServerMetadataRequest),
            "ModelMetadata": (self._model_metadata, pb.ModelMetadataRequest),
            "ModelInfer": (self._infer, pb.ModelInferRequest),
        }
        methods = {
            name: grpc.unary_unary_rpc_method_handler(
                _answering(handler), kind.FromString, lambda reply: reply.SerializeToString()
            )
            for name, (handler, kind) in handlers.items()
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        host = "[::]" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104
        self._server.add_insecure_port(f"{host}:{self._port}")
        await self._server.start()

    async def stop(self, seconds: float, forced: Callable[[], bool]) -> None:
        """Take no more calls; those that run have so many seconds, or until it is `forced`."""
        if self._server is None:
            return
        stopping = asyncio.ensure_future(self._server.stop(seconds))
        while not stopping.done():
            await asyncio.wait({stopping}, timeout=0.1)
            if forced():
                await self._server.stop(None)

    async def _live(self, request: Any, metadata: Mapping[str, str]) -> Message:
        return pb.ServerLiveResponse(live=self._app.model.alive)

    async def _ready(self, request: Any, metadata: Mapping[str, str]) -> Message:
        return pb.ServerReadyResponse(ready=self._app.model.accepting)

    async def _model_ready(self, request: Any, metadata: Mapping[str, str]) -> Message:
        self._check_name(request.name)
        return pb.ModelReadyResponse(ready=self._app.model.accepting)

    async def _server_metadata(self, request: Any, metadata: Mapping[str, str]) -> Message:
        return pb.ServerMetadataResponse(**self._app.server_metadata)

    async def _model_metadata(self, request: Any, metadata: Mapping[str, str]) -> Message:
        self._check_name(request.name)
        return pb.ModelMetadataResponse(**self._app.model_metadata)

    async def _infer(self, request: Any, metadata: Mapping[str, str]) -> Message:
        """An inference call, as REST answers it. Raises BadCall."""
        self._app.check_token(metadata.get("authorization", ""))
        self._check_name(request.model_name)
        with self._app.place():
            headers, body = as_rest(request)
            response = await self._app.carry_out(headers, body)
            reply: Message = await asyncio.to_thread(response.to_grpc)
            return reply

    def _check_name(self, name: str) -> None:
        """Raises BadCall (404) for another model than is served."""
        if name != self._app.model.name:
            raise BadCall(404, "there is no such model here")


def _answering(handler: Handler) -> Callable[[Any, Any], Awaitable[Message]]:
    """A handler whose errors are answered in gRPC's words, and never with more than a sentence."""

    async def answer(request: Any, context: Any) -> Message:
        metadata = {str(name): value for name, value in context.invocation_metadata() if isinstance(value, str)}
        try:
            return await handler(request, metadata)
        except BadCall as error:
            refusal = error
        except Exception:
            log.exception("a call failed")
            refusal = BadCall(500, "the call failed; the predictor's log says why")
        await _refuse(context, refusal)
        raise AssertionError("gRPC ends a call that is refused")

    return answer


async def _refuse(context: Any, error: BadCall) -> None:
    """End a call with what is wrong, and when to come again."""
    context.set_trailing_metadata(tuple((name.lower(), value) for name, value in error.headers.items()))
    await context.abort(STATUSES.get(error.status, grpc.StatusCode.INTERNAL), error.text)


def as_rest(request: Any) -> tuple[dict[str, str], bytes]:
    """Headers and body of the REST call that says the same as a ModelInferRequest. Raises BadCall.

    Pictures are asked for as bytes: a list of numbers would be four times their size.
    """
    raw = list(request.raw_input_contents)
    if raw and (len(raw) != len(request.inputs) or any(tensor.HasField("contents") for tensor in request.inputs)):
        raise BadCall(400, "either every input has raw_input_contents, or none has and all have contents")
    inputs = []
    for number, tensor in enumerate(request.inputs):
        document: dict[str, Any] = {"name": tensor.name, "shape": list(tensor.shape), "datatype": tensor.datatype}
        if raw:
            document["parameters"] = {BINARY_SIZE: len(raw[number])}
        else:
            document["data"] = _contents(tensor)
        inputs.append(document)
    document = {
        "inputs": inputs,
        "parameters": {"binary_data_output": True},
        **({"id": request.id} if request.id else {}),
    }
    text = json.dumps(document).encode()
    return {"content-type": BINARY_TYPE, LENGTH_HEADER: str(len(text))}, text + b"".join(raw)


def _contents(tensor: Any) -> list[Any]:
    """The elements of a tensor as JSON holds them. Raises BadCall for bytes that are no text."""
    field = _CONTENTS.get(tensor.datatype)
    if field is None:
        raise BadCall(400, "an input has a datatype that is sent as raw_input_contents alone, or that is none")
    elements = list(getattr(tensor.contents, field))
    try:
        return [element.decode() if isinstance(element, bytes) else element for element in elements]
    except UnicodeDecodeError as error:
        raise BadCall(400, "an input of BYTES is no UTF-8 text") from error
