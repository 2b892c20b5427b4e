"""The door over gRPC: what REST answers, by the client that people use; the same bounds, token and errors."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from predictor_world import NAME, World, adapter, free_port, order, serving, wait_until, world
from profile_sandbox.paths import CLONE

TOKEN = "very-secret"
TRITON = CLONE / "tests" / "support" / "triton_client.py"
SHOWN = {"authorization": f"Bearer {TOKEN}"}


class Doors:
    """A predictor that is served, and its two addresses."""

    def __init__(self, found: World, http: int, rpc: int) -> None:
        self.found, self._http, self._rpc = found, f"127.0.0.1:{http}", f"127.0.0.1:{rpc}"
        self.channel = grpc.insecure_channel(self._rpc)

    def by_triton(self, *calls: Any) -> list[Any]:
        """What Triton's clients get."""
        command = [sys.executable, str(TRITON), self._http, self._rpc]
        result = subprocess.run(command, input=json.dumps(calls), capture_output=True, text=True, check=True)
        answers: list[Any] = json.loads(result.stdout)
        return answers

    def call(self, method: str, message: Any, headers: dict[str, str] = SHOWN) -> bytes:
        call = self.channel.unary_unary(f"/inference.GRPCInferenceService/{method}")
        reply: bytes = call(message.SerializeToString(), metadata=tuple(headers.items()), timeout=60)
        return reply

    def infer(self, request: Any, headers: dict[str, str] = SHOWN) -> Any:
        return pb.ModelInferResponse.FromString(self.call("ModelInfer", request, headers))


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    door = free_port()
    with world(token=TOKEN) as found, serving(found, grpc_port=door, token=TOKEN) as (_, port, _):
        opened = Doors(found, port, door)
        yield opened
        opened.channel.close()


def request(model: str = NAME, **values: Any) -> Any:
    """A call with inputs of one element, in contents."""
    inputs = []
    for name, value in values.items():
        text = isinstance(value, str | bytes)
        contents = {"bytes_contents": [value.encode() if isinstance(value, str) else value]}
        inputs.append(
            {
                "name": name,
                "shape": [1],
                "datatype": "BYTES" if text else "INT64",
                "contents": contents if text else {"int64_contents": [value]},
            }
        )
    return pb.ModelInferRequest(model_name=model, inputs=inputs)


def test_tritons_clients_get_the_same_at_both_doors(doors: Doors) -> None:
    words = {"prompt": "a studio portrait", "seed": 7, "steps": 1, "width": 64, "height": 72}
    grant = doors.found.store.grant("/adapter", adapter(3))
    asked = [NAME, {"order": json.dumps(order(grant, seeds=(5, 6)))}, SHOWN]
    calls = [
        [door, method, arguments]
        for method, arguments in (
            ("infer", [NAME, words, SHOWN]),
            ("infer", asked),
            ("infer", [NAME, {**words, "width": 63}, SHOWN]),
            ("infer", [NAME, words, {}]),
            ("get_model_metadata", [NAME]),
            ("is_server_live", []),
            ("is_server_ready", []),
            ("is_model_ready", [NAME]),
        )
        for door in ("http", "grpc")
    ]
    answers = iter(doors.by_triton(*calls, ["grpc", "unload_model", [NAME]], ["grpc", "is_model_ready", [NAME]]))
    picture, over_grpc = next(answers), next(answers)
    assert picture == over_grpc
    assert (len(picture["image"]), len(picture["image"][0])) == (72, 64)
    for result in (next(answers)["result"], next(answers)["result"]):
        assert [item["seed"] for item in result["items"]] == [5, 6]
    for wrong in ("width", "token"):
        refused, over = next(answers), next(answers)
        assert wrong in refused["message"]
        assert refused["message"] == over["message"]
    said, over = next(answers), next(answers)
    assert {"name": "image", "datatype": "UINT8", "shape": [-1, -1, 3]} in said["outputs"]
    assert {tensor["name"] for tensor in said["inputs"]} >= {"order", "evict", "prompt", "seed", "guidance"}
    for part in ("inputs", "outputs"):
        tensors = [(tensor["name"], tensor["datatype"], list(map(int, tensor["shape"]))) for tensor in over[part]]
        assert tensors == [(tensor["name"], tensor["datatype"], tensor["shape"]) for tensor in said[part]]
    assert [next(answers) for _ in range(6)] == [True] * 6
    # Nobody can take the model away.
    assert next(answers)["status"] == "StatusCode.UNIMPLEMENTED"
    assert next(answers) is True


@pytest.mark.parametrize(
    ("asked", "headers", "answer"),
    [
        (request(prompt="x"), {}, ("UNAUTHENTICATED", "token")),
        (request(prompt="x"), {"authorization": "Bearer wrong"}, ("UNAUTHENTICATED", "token")),
        (request("other", prompt="x"), SHOWN, ("NOT_FOUND", "no such model")),
        (request(prompt="x", width=63), SHOWN, ("INVALID_ARGUMENT", "width")),
        (request(prompt="x", seed=-1), SHOWN, ("INVALID_ARGUMENT", "seed")),
        (request(order="{}"), SHOWN, ("INVALID_ARGUMENT", "items")),
        (request(nothing="x"), SHOWN, ("INVALID_ARGUMENT", "no input is named")),
        (request(prompt="x" * 2001), SHOWN, ("INVALID_ARGUMENT", "2000")),
        (request(prompt=b"\xff"), SHOWN, ("INVALID_ARGUMENT", "no UTF-8")),
        (request(), SHOWN, ("INVALID_ARGUMENT", "inputs")),
        (
            pb.ModelInferRequest(model_name=NAME, inputs=[{"name": "seed", "shape": [1], "datatype": "FP16"}]),
            SHOWN,
            ("INVALID_ARGUMENT", "datatype"),
        ),
        (
            pb.ModelInferRequest(
                model_name=NAME,
                inputs=[{"name": "prompt", "shape": [1], "datatype": "BYTES"}],
                raw_input_contents=[b"\xff\xff\xff\x7fx"],
            ),
            SHOWN,
            ("INVALID_ARGUMENT", "behind its length"),
        ),
        (
            pb.ModelInferRequest(
                model_name=NAME,
                inputs=[{"name": "seed", "shape": [1 << 40], "datatype": "INT64", "contents": {"int64_contents": [1]}}],
            ),
            SHOWN,
            ("INVALID_ARGUMENT", "one element"),
        ),
        (request(prompt="x" * 1_100_000), SHOWN, ("RESOURCE_EXHAUSTED", "larger than max")),
        (request(prompt="a surprise", steps=1), SHOWN, ("INTERNAL", "log says why")),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_said_in_a_sentence(
    doors: Doors, caplog: pytest.LogCaptureFixture, asked: Any, headers: dict[str, str], answer: tuple[str, str]
) -> None:
    status, said = answer
    with pytest.raises(grpc.RpcError) as caught:
        doors.infer(asked, headers)
    error: Any = caught.value
    assert (error.code().name, said in error.details()) == (status, True), error.details()
    if status != "INTERNAL":
        assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
    assert not doors.found.queue.taken


def test_nobody_else_is_served_here(doors: Doors) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        doors.call("ModelMetadata", pb.ModelMetadataRequest(name="other"), {})
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.RpcError) as caught:
        doors.call("RepositoryModelUnload", pb.RepositoryModelUnloadRequest(model_name=NAME))
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_full_queue_says_when_to_come_again() -> None:
    door = free_port()
    with world(queue=1) as found, serving(found, grpc_port=door) as (server, port, _):
        found.pipeline.pause = 0.2
        opened = Doors(found, port, door)
        call = opened.channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        first = call.future(request(prompt="x", steps=50, width=64, height=64).SerializeToString())
        wait_until(lambda: found.pipeline.drawn)
        with pytest.raises(grpc.RpcError) as caught:
            opened.infer(request(prompt="y"), {})
        error: Any = caught.value
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert int(dict(error.trailing_metadata())["retry-after"]) >= 1
        # A client that goes frees its place.
        first.cancel()
        wait_until(lambda: not found.queue.taken and not server._app.calls)
        opened.channel.close()
