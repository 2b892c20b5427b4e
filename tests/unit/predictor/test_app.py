"""The predictor's doors: which there are, what may come in, what every refusal looks like."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save

from predictor_world import INFER, NAME, World, adapter, order, tensors, world
from profile_contract.generation import GenerationOrder
from profile_contract.stages.order import RequestRef
from profile_predictor.server.app import CallLimits
from profile_predictor.server.conversation import MAXIMUM_BODY
from profile_runtime.logging import json_lines

READY = f"/v2/models/{NAME}/ready"


@pytest.fixture(scope="module")
def predictor() -> Iterator[World]:
    with world() as found:
        yield found


@pytest.fixture
def capture() -> Iterator[list[dict[str, Any]]]:
    """The log as the program writes it where it writes JSON, a line an object."""
    lines: list[dict[str, Any]] = []
    handler = logging.Handler()
    handler.setFormatter(json_lines())
    handler.emit = lambda record: lines.append(json.loads(handler.format(record)))  # type: ignore[method-assign]
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lines
    root.removeHandler(handler)
    root.setLevel(level)


def tensor(name: str, value: Any, datatype: str = "BYTES", **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": [1], "datatype": datatype, "data": [value], **more}


PLAIN = [
    tensor("prompt", "x"),
    tensor("steps", 1, "INT32"),
    tensor("width", 64, "INT32"),
    tensor("height", 64, "INT32"),
]


# --- doors ---


@pytest.mark.parametrize("path", ["/v2", "/v2/health/live", "/v2/health/ready", f"/v2/models/{NAME}", READY])
async def test_who_asks_how_it_is_gets_an_answer(predictor: World, path: str) -> None:
    reply = await predictor.client.ask("GET", path)
    assert reply.status == 200
    assert "error" not in reply.document


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/metrics"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/v1/models"),
        ("GET", "/v2/models"),
        ("POST", f"/v1/models/{NAME}:predict"),
        ("POST", f"/v1/models/{NAME}:explain"),
        ("POST", f"/v2/repository/models/{NAME}/unload"),
        ("POST", f"/v2/repository/models/{NAME}/load"),
        ("POST", "/v2/repository/index"),
        ("POST", "/openai/v1/completions"),
        ("POST", f"{INFER}/"),
        ("POST", f"/v2/models/{NAME}/versions/1/infer"),
        ("POST", "/v2/models/other/infer"),
        ("GET", "/v2/models/other/ready"),
        ("POST", f"/v2//models/{NAME}/infer"),
    ],
)
async def test_there_is_no_other_door_and_no_body_is_read_before_it(predictor: World, method: str, path: str) -> None:
    reply = await predictor.client.ask(method, path, b"x" * 100_000)
    assert (reply.status, reply.headers["parts-read"], reply.headers["connection"]) == (404, "0", "close")
    assert reply.error
    assert (await predictor.client.ask("GET", READY)).status == 200


@pytest.mark.parametrize(("method", "path"), [("GET", INFER), ("DELETE", INFER), ("POST", READY), ("PUT", "/v2")])
async def test_doors_open_one_way(predictor: World, method: str, path: str) -> None:
    reply = await predictor.client.ask(method, path, b"x")
    assert (reply.status, reply.headers["parts-read"]) == (405, "0")
    assert reply.error
    assert reply.headers["allow"] in ("GET", "POST")


async def test_metadata_say_what_may_be_asked(predictor: World) -> None:
    document = (await predictor.client.ask("GET", f"/v2/models/{NAME}")).document
    assert document["name"] == NAME
    assert {one["name"] for one in document["inputs"]} >= {"order", "evict", "prompt", "seed"}
    assert {one["name"] for one in document["outputs"]} == {"result", "image"}


# --- life ---


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_predictor_whose_drawing_thread_died_is_neither_alive_nor_ready() -> None:
    with world() as found:
        assert (await found.client.ask("GET", "/v2/health/live")).status == 200
        found.engine.clear = None  # type: ignore[assignment, method-assign]
        assert (await asyncio.wait_for(found.client.order({"sha256": ["a"]}, "evict"), 10)).status == 503
        found.queue._thread.join(5)
        for path in ("/v2/health/live", "/v2/health/ready", READY):
            reply = await found.client.ask("GET", path)
            assert (path, reply.status) == (path, 503)
            assert reply.error
        for name, document in (("order", order()), ("evict", {"sha256": ["a"]})):
            reply = await asyncio.wait_for(found.client.order(document, name), 10)
            assert (reply.status, reply.headers["retry-after"]) == (503, "5")


async def test_a_predictor_that_is_asked_to_stop_lives_on_but_is_not_ready() -> None:
    with world() as found:
        found.model.stop()
        assert (await found.client.ask("GET", "/v2/health/live")).status == 200
        assert (await found.client.ask("GET", READY)).status == 503
        assert (await found.client.order(order())).status == 503


async def test_who_is_not_done_when_the_grace_is_over_is_told_so() -> None:
    with world() as found:
        found.pipeline.pause = 0.05
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        body = json.dumps({"inputs": [tensor("order", json.dumps(order(steps=150)))]}).encode()
        parts = iter([{"type": "http.request", "body": body}])

        async def receive() -> Any:
            return next(parts, None) or await _never()

        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        scope = {"type": "http", "method": "POST", "path": INFER, "headers": headers}
        call = asyncio.ensure_future(found.client.app(scope, receive, send))
        await asyncio.sleep(0.2)
        found.model.stop()
        call.cancel()
        await call
        assert (sent[0]["status"], found.client.app.calls) == (503, 0)
        assert "going down" in json.loads(sent[1]["body"])["error"]


# --- who may draw ---


@pytest.mark.parametrize(
    "given_token", ["", "Bearer wrong", "Bearer ", "Basic secret", "secret", "Bearer secret2", "Bearer Secret"]
)
async def test_with_a_token_nobody_else_draws(given_token: str) -> None:
    with world(token="secret") as found:
        reply = await found.client.order(order(), headers={"authorization": given_token})
        assert (reply.status, reply.headers["parts-read"]) == (401, "0")
        assert "token" in reply.error
        assert (await found.client.ask("GET", READY)).status == 200
        assert (await found.client.order(order(), headers={"authorization": "Bearer secret"})).status == 200


# --- bodies ---


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": " "},
        {"content-type": "text/plain"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/cloudevents+json"},
        {"content-encoding": "gzip"},
        {"content-encoding": "identity, gzip"},
    ],
)
async def test_other_forms_are_refused_by_name(predictor: World, headers: dict[str, str]) -> None:
    reply = await predictor.client.infer(PLAIN, headers=headers)
    assert (reply.status, reply.headers["parts-read"]) == (415, "0")
    assert "send" in reply.error


async def test_large_bodies_are_refused_whether_they_say_so_or_not(predictor: World) -> None:
    body = b" " * (MAXIMUM_BODY + 1)
    honest = await predictor.client.ask("POST", INFER, body)
    assert (honest.status, honest.headers["parts-read"]) == (413, "0")
    silent = await predictor.client.ask("POST", INFER, body, headers={"content-length": ""})
    assert silent.status == 413
    assert str(MAXIMUM_BODY) in silent.error
    assert (await predictor.client.ask("POST", INFER, b"x", headers={"content-length": "-1"})).status == 413


async def _never() -> dict[str, Any]:
    await asyncio.sleep(3600)
    raise AssertionError


async def _stalled(app: Any) -> tuple[int, float, bytes]:
    """A client that never sends its body: status, seconds until the answer, its text."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    started = time.monotonic()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"5000")]
    await app({"type": "http", "method": "POST", "path": INFER, "headers": headers}, _never, send)
    return sent[0]["status"], time.monotonic() - started, sent[1]["body"]


async def test_a_body_has_a_deadline() -> None:
    with world(limits=CallLimits(body_seconds=0.6)) as found:
        status, seconds, body = await _stalled(found.client.app)
        assert (status, found.client.app.calls) == (408, 0)
        assert 0.5 < seconds < 3
        assert "0.6 s" in json.loads(body)["error"]


async def test_a_slow_body_does_not_hold_up_the_end() -> None:
    with world() as found:
        waiting = asyncio.ensure_future(_stalled(found.client.app))
        await asyncio.sleep(0.1)
        assert found.client.app.calls == 1
        found.model.stop()
        status, seconds, _ = await asyncio.wait_for(waiting, 5)
        assert status == 503
        assert seconds < 3


async def test_a_client_that_takes_nothing_is_left() -> None:
    with world(limits=CallLimits(send_seconds=0.2)) as found:

        async def send(message: Any) -> None:
            await asyncio.sleep(3600)

        scope = {"type": "http", "method": "GET", "path": "/v2", "headers": []}
        await asyncio.wait_for(found.client.app(scope, _never, send), 3)


async def test_only_so_many_calls_are_read_at_once() -> None:
    with world(limits=CallLimits(calls=1, body_seconds=1.0)) as found:
        waiting = asyncio.ensure_future(_stalled(found.client.app))
        await asyncio.sleep(0.1)
        reply = await found.client.order(order())
        assert (reply.status, reply.headers["retry-after"]) == (429, "1")
        await waiting
        assert (await found.client.order(order())).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b"\xff\x00",
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b'{"inputs":[]}',
        b'{"inputs":{}}',
        b'{"inputs":[null]}',
        b'{"inputs":[{"name":"prompt","shape":[1],"datatype":"BYTES","data":["\\ud800"]}]}',
        b'{"inputs":[{"name":"\\ud800","shape":[1],"datatype":"BYTES","data":["x"]}]}',
        b'{"id":"\\ud800","inputs":[{"name":"prompt","shape":[1],"datatype":"BYTES","data":["x"]}]}',
        b'{"id":7,"inputs":[{"name":"prompt","shape":[1],"datatype":"BYTES","data":["x"]}]}',
        b'{"inputs":[{"name":"seed","shape":[1],"datatype":"INT64","data":[' + b"9" * 6000 + b"]}]}",
    ],
)
async def test_what_is_no_call_is_refused_with_a_sentence(predictor: World, body: bytes) -> None:
    reply = await predictor.client.ask("POST", INFER, body)
    assert reply.status == 400
    assert reply.error.startswith(("the call is no", "input "))


@pytest.mark.parametrize(
    "wrong",
    [
        tensor("seed", 1.5, "INT64"),
        tensor("seed", 1.5, "FP32"),
        tensor("seed", 1.0, "FP64"),
        tensor("seed", "1", "INT64"),
        tensor("seed", True, "INT64"),
        tensor("seed", None, "INT64"),
        tensor("seed", -1, "INT64"),
        tensor("seed", 2**63, "UINT64"),
        tensor("seed", 2**63, "INT64"),
        tensor("seed", 10**23, "INT64"),
        tensor("seed", 300, "UINT8"),
        tensor("seed", "x"),
        tensor("steps", 0, "INT32"),
        tensor("steps", 5.0, "FP32"),
        tensor("width", 65, "INT32"),
        tensor("guidance", float("nan"), "FP32"),
        tensor("guidance", float("inf"), "FP64"),
        tensor("guidance", 1e39, "FP32"),
        tensor("guidance", 10**400, "FP32"),
        tensor("guidance", "7", "FP32"),
        tensor("guidance", 1.0, "FP16"),
        tensor("guidance", True, "BOOL"),
        tensor("prompt", 5),
        tensor("prompt", {"a": 1}),
        tensor("prompt", "x", "STRING"),
        tensor("negative_prompt", "x" * 2001),
        tensor("lora", "x"),
        tensor("seed", 1, "INT64", shape=[2]),
        tensor("seed", 1, "INT64", shape=[-1]),
        tensor("seed", 1, "INT64", shape=[0]),
        tensor("seed", 1, "INT64", shape="1"),
        tensor("seed", 1, "INT64", data=[]),
        tensor("seed", 1, "INT64", data=[1, 2]),
        tensor("seed", 1, "INT64", data=1),
        tensor("seed", 1, "INT64", data=[[[[[[1]]]]]]),
        tensor("seed", 1, "INT64", data=None),
        tensor("seed", 1, "INT64", parameters={"binary_data_size": 8}),
        tensor("seed", 1, "INT64", parameters={"a": [1]}),
        tensor("x" * 65, 1, "INT64"),
    ],
    ids=lambda one: json.dumps(one)[:60],
)
async def test_wrong_tensors_are_refused_with_a_sentence(predictor: World, wrong: dict[str, Any]) -> None:
    inputs = [*(one for one in PLAIN if one["name"] != wrong["name"]), wrong]
    reply = await predictor.client.infer(inputs)
    assert reply.status == 400, reply.content[:200]
    assert wrong["name"][:10] in reply.error or "inputs." in reply.error


async def test_a_call_that_does_not_say_its_type_is_read_as_its_header_says(predictor: World) -> None:
    """As Triton's client sends it."""
    untold = {"content-type": ""}
    assert (await predictor.client.infer(PLAIN, headers=untold)).status == 200
    body, headers = binary({"inputs": [*PLAIN[1:], raw_tensor("prompt", 5)]}, packed(b"x"))
    assert (await predictor.client.ask("POST", INFER, body, headers | untold)).status == 200


async def test_two_of_a_name_are_refused(predictor: World) -> None:
    assert "same name" in (await predictor.client.infer([*PLAIN, tensor("prompt", "y")])).error


def binary(header: Any, raw: bytes, length: str | None = None) -> tuple[bytes, dict[str, str]]:
    text = json.dumps(header).encode()
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": length or str(len(text))}
    return text + raw, headers


def raw_tensor(name: str, size: Any, datatype: str = "BYTES") -> dict[str, Any]:
    return {"name": name, "shape": [1], "datatype": datatype, "parameters": {"binary_data_size": size}}


def packed(text: bytes) -> bytes:
    return len(text).to_bytes(4, "little") + text


async def test_binary_tensors_are_read_exactly(predictor: World) -> None:
    inputs = [
        raw_tensor("prompt", 9),
        raw_tensor("seed", 8, "INT64"),
        raw_tensor("steps", 4, "INT32"),
        raw_tensor("guidance", 2, "FP16"),
    ]
    raw = packed(b"hello") + (7).to_bytes(8, "little") + (1).to_bytes(4, "little") + np.float16(2).tobytes()
    wanted = {"inputs": inputs, "outputs": [{"name": "image", "parameters": {"binary_data": True}}]}
    body, headers = binary(wanted | {"parameters": {"binary_data_output": True}}, raw)
    reply = await predictor.client.ask("POST", INFER, body, headers)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/octet-stream")
    picture = np.frombuffer(reply.content[int(reply.headers["inference-header-content-length"]) :], np.uint8)
    assert picture.shape == (64 * 64 * 3,)


@pytest.mark.parametrize(
    ("inputs", "raw", "length"),
    [
        ([raw_tensor("prompt", 500)], b"\x01\0\0\0x", None),
        ([raw_tensor("prompt", 5)], b"\x02\0\0\0x", None),
        ([raw_tensor("prompt", 5)], (2**31).to_bytes(4, "little") + b"x", None),
        ([raw_tensor("prompt", 10)], packed(b"a") + packed(b"b"), None),
        ([raw_tensor("prompt", 2)], b"\0\0", None),
        ([raw_tensor("prompt", 0)], b"", None),
        ([raw_tensor("prompt", 6)], packed(b"\xff\xfe"), None),
        ([raw_tensor("prompt", 5)], packed(b"x") + b"more", None),
        ([raw_tensor("prompt", -5)], packed(b"x"), None),
        ([raw_tensor("prompt", True)], packed(b"x"), None),
        ([raw_tensor("prompt", "5")], packed(b"x"), None),
        ([raw_tensor("prompt", 5), raw_tensor("seed", 4, "INT64")], packed(b"x") + b"\0" * 4, None),
        ([raw_tensor("prompt", 5), raw_tensor("seed", 16, "INT64")], packed(b"x") + b"\0" * 16, None),
        (
            [raw_tensor("prompt", 5), raw_tensor("guidance", 4, "FP32")],
            packed(b"x") + np.float32("nan").tobytes(),
            None,
        ),
        (
            [raw_tensor("prompt", 5), raw_tensor("guidance", 2, "FP16")],
            packed(b"x") + np.float16("inf").tobytes(),
            None,
        ),
        ([raw_tensor("prompt", 5)], packed(b"x"), "-5"),
        ([raw_tensor("prompt", 5)], packed(b"x"), "x"),
        ([raw_tensor("prompt", 5)], packed(b"x"), "3"),
        ([raw_tensor("prompt", 5)], packed(b"x"), "99999"),
        ([raw_tensor("prompt", 5)], packed(b"x"), "9" * 40),
    ],
)
async def test_short_and_forged_binary_tensors_are_refused(
    predictor: World, inputs: list[dict[str, Any]], raw: bytes, length: str | None
) -> None:
    body, headers = binary({"inputs": inputs}, raw, length)
    reply = await predictor.client.ask("POST", INFER, body, headers)
    assert reply.status == 400
    assert len(reply.error) > 20


async def test_binary_without_its_header_says_what_is_missing(predictor: World) -> None:
    reply = await predictor.client.infer(PLAIN, headers={"content-type": "application/octet-stream"})
    assert "inference-header-content-length is missing" in reply.error


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["prompt", "seed", "steps", "guidance", "order", "evict", "width"]) | _JSON,
        "shape": st.just([1]) | _JSON,
        "datatype": st.sampled_from(["BYTES", "INT64", "INT8", "UINT64", "FP16", "FP32", "FP64", "BOOL"]) | _JSON,
        "data": st.lists(_JSON, min_size=1, max_size=1) | _JSON,
        "parameters": st.dictionaries(st.sampled_from(["binary_data_size", "x"]), _JSON, max_size=2) | _JSON,
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(_TENSORS, max_size=4), st.binary(max_size=40), st.booleans(), st.dictionaries(st.text(max_size=6), _JSON)
)
def test_no_call_is_answered_with_anything_but_a_sentence(
    predictor: World, inputs: list[Any], raw: bytes, is_binary: bool, more: dict[str, Any]
) -> None:
    """Whatever is sent: 200, or a refusal in V2's words. Never 500, which would be asked again for ever."""
    text = json.dumps({**more, "inputs": inputs}).encode()
    length = {"inference-header-content-length": str(len(text)), "content-type": "application/octet-stream"}
    asked = predictor.client.ask("POST", INFER, text + (raw if is_binary else b""), length if is_binary else None)
    reply = asyncio.run(asyncio.wait_for(asked, 20))
    assert reply.status in (200, 400), reply.content
    if reply.status == 400:
        assert reply.error


_ORDERS = st.fixed_dictionaries(
    {},
    optional={
        "request": st.just({"namespace": "team", "name": "minji"}) | _JSON,
        "items": st.lists(
            st.fixed_dictionaries(
                {"seed": st.integers(-1, 2**64) | _JSON, "prompt": st.text(max_size=20) | _JSON},
                optional={
                    "negativePrompt": st.text(max_size=20) | _JSON,
                    "pose": st.fixed_dictionaries({"url": st.text(max_size=20)}) | _JSON,
                    "putUrl": st.sampled_from(["", "http://store/x", "x"]) | _JSON,
                    "key": st.text(max_size=20) | _JSON,
                },
            ),
            max_size=5,
        )
        | _JSON,
        "width": st.sampled_from([64, 72, 65, 0]) | _JSON,
        "height": st.just(64) | _JSON,
        "steps": st.integers(-1, 3) | _JSON,
        "guidance": st.floats() | _JSON,
        "controlWeight": st.floats() | _JSON,
        "controlEnd": st.floats() | _JSON,
        "mode": st.sampled_from(["TextToImage", "ImageToImage"]) | _JSON,
        "strength": st.floats() | _JSON,
        "adapter": st.none()
        | st.fixed_dictionaries({"url": st.text(max_size=9), "sha256": st.text(max_size=64)})
        | _JSON,
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ORDERS, st.sampled_from(["order", "evict"]))
def test_no_order_is_answered_with_anything_but_pictures_or_a_sentence(
    predictor: World, document: dict[str, Any], name: str
) -> None:
    whole = {**order(), **document} if name == "order" else document
    reply = asyncio.run(asyncio.wait_for(predictor.client.order(whole, name), 20))
    assert reply.status in (200, 400), reply.content
    if reply.status == 400:
        assert reply.error


# --- seeds ---


async def test_seeds_are_exact_whole_numbers(predictor: World) -> None:
    """Above 2**53 a float stands for many of them."""
    for seed in (2**60, 2**60 + 1, 2**63 - 1):
        reply = await predictor.client.order(order(seeds=(seed,)))
        assert reply.result["items"][0]["seed"] == seed
    pictures = [
        (await predictor.client.infer([*PLAIN, tensor("seed", seed, "INT64")])).document["outputs"][0]["data"][:3]
        for seed in (2**60, 2**60 + 1)
    ]
    assert pictures[0] != pictures[1]


@pytest.mark.parametrize(
    "seed", ["9223372036854775808", "18446744073709551616", "1" + "0" * 30, "-1", "1.0", '"1"', "NaN"]
)
async def test_seeds_beyond_what_the_generator_takes_are_refused(predictor: World, seed: str) -> None:
    text = json.dumps(order(seeds=(777,))).replace("777", seed)
    reply = await predictor.client.order(text)
    assert reply.status == 400
    assert "items.0.seed" in reply.error


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": "NaN"},
        {"guidance": "NaN"},
        {"guidance": "Infinity"},
        {"controlWeight": "NaN"},
        {"controlEnd": "-Infinity"},
        {"strength": "1e400"},
        {"width": "10" + "0" * 400},
    ],
)
async def test_numbers_that_are_none_are_refused(predictor: World, changes: dict[str, str]) -> None:
    (name, value), *_ = changes.items()
    text = json.dumps({**order(), name: 777}).replace("777", value)
    assert (await predictor.client.order(text)).status == 400


# --- answers ---


async def test_a_picture_comes_back_as_it_was_drawn(predictor: World) -> None:
    reply = await predictor.client.order(order(seeds=(3,)))
    with Image.open(io.BytesIO(base64.b64decode(reply.result["items"][0]["image"]))) as picture:
        assert picture.size == (64, 64)
    plain = (await predictor.client.infer([*PLAIN, tensor("seed", 3, "INT64")])).document["outputs"][0]
    assert (plain["name"], plain["datatype"], plain["shape"]) == ("image", "UINT8", [64, 64, 3])


async def test_pictures_that_are_not_finite_are_the_orders_own_fault(predictor: World) -> None:
    reply = await predictor.client.order(order(item={"prompt": "not finite"}))
    assert reply.status == 400
    assert "not finite" in reply.error


async def test_a_surprise_is_answered_without_its_text(predictor: World) -> None:
    reply = await predictor.client.order(order(item={"prompt": "surprise"}))
    assert reply.status == 500
    assert "prompt" not in reply.error


async def test_a_name_cannot_forge_a_line_of_the_log(predictor: World, caplog: pytest.LogCaptureFixture) -> None:
    name = "x\n2026-11-27 00:00:00,000 CRITICAL profile_predictor forged \x1b[31m"
    with caplog.at_level(logging.INFO):
        assert (await predictor.client.order({**order(), "request": {"namespace": "t", "name": name}})).status == 400
        forged = RequestRef.model_construct(namespace="t", name=name, uid="")
        document = GenerationOrder.model_validate(order()).model_copy(update={"request": forged})
        await predictor.model._generate(document, time.monotonic())
    assert caplog.messages
    assert not any("\n" in message or "\x1b" in message for message in caplog.messages)


async def test_the_log_names_whose_order_it_is_in_every_thread(
    predictor: World, capture: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"team.1a2b3c4d-5e6f/requests/minji/candidates/{'ab' * 8}/000001.png"
    whose = {"request": "team/minji", "stage": "generate", "digest": "ab" * 8}
    monkeypatch.setattr("profile_predictor.server.grants._FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("profile_predictor.server.grants._MORE_SECONDS", 0.01)
    predictor.store.statuses["/c/1"] = [503]
    stored = order(item={"key": key, "putUrl": predictor.store.link("/c/1")})
    assert (await predictor.client.order(stored)).status == 200
    assert (await predictor.client.order(order(item={"key": key, "prompt": "surprise"}))).status == 500
    assert (await predictor.client.order(order(item={"key": "../x", "prompt": "not finite"}))).status == 400
    lines = {line["message"].split(",")[0].split(":")[0].split(";")[0]: line for line in capture}
    for message in (
        "the store did not take a candidate",
        "'team/minji'",
        "a batch could not be drawn",
        "an order failed",
    ):
        assert {name: lines[message].get(name) for name in whose} == whose, message
    refused = lines["an order could not be drawn"]
    assert refused["request"] == "team/minji"
    assert not refused.keys() & {"stage", "digest"}
    logging.getLogger("after").warning("nobody's")
    assert "request" not in capture[-1]


async def test_an_adapter_is_drawn_with_and_its_tier_told(predictor: World) -> None:
    grant = predictor.store.grant("/a/ann", adapter(1))
    base = (await predictor.client.order(order())).result["items"][0]["sha256"]
    ann = (await predictor.client.order(order(grant))).result["items"][0]["sha256"]
    weak = (await predictor.client.order(order({**grant, "weight": 0.3}))).result["items"][0]["sha256"]
    assert len({base, ann, weak}) == 3


async def test_looks_are_drawn_with_beside_a_person_and_named_where_they_cannot_be(predictor: World) -> None:
    person = predictor.store.grant("/a/ann", adapter(1))
    rim, film = (
        {**predictor.store.grant(f"/looks/{name}", adapter(seed)), "name": name}
        for name, seed in (("rim", 2), ("film", 3))
    )

    async def drawn(*looks: dict[str, Any]) -> Any:
        return await predictor.client.order(order(person, looks=list(looks)))

    pictures = [await drawn(*looks) for looks in ((), (rim,), (film,), ({**rim, "weight": 0.2},))]
    assert len({picture.result["items"][0]["sha256"] for picture in pictures}) == 4
    alone = await predictor.client.order(order(looks=[rim, film]))
    assert alone.status == 200
    crowded = await drawn(rim, film)
    assert (crowded.status, crowded.error.split(":")[0]) == (
        400,
        "the order draws with 2 looks beside a person; the predictor has 2 slots for both",
    )
    pickle = {**predictor.store.grant("/looks/pickle", b"\x80\x04" + b"x" * 90), "name": "pickle"}
    assert (await drawn(pickle)).error.startswith("the look 'pickle': the adapter is a pickle")
    gone = {**rim, "url": predictor.store.link("/looks/gone"), "name": "gone"}
    assert (await drawn(gone)).error == "the look 'gone': a granted file is not in the store (any more)"
    other = {**rim, "sha256": "0" * 64}
    assert "its sha256 differs" in (await drawn(other)).error


async def test_a_look_may_lack_layers_and_a_person_may_not(predictor: World) -> None:
    """What was read as a look is asked again before a person is drawn with it."""
    half = save({key: part for key, part in tensors(4).items() if "to_q" in key})
    look = {**predictor.store.grant("/looks/half", half), "name": "half"}
    assert (await predictor.client.order(order(looks=[look]))).status == 200
    person = {key: value for key, value in look.items() if key != "name"}
    refused = await predictor.client.order(order(person))
    assert "lacks 1 of 2 layers" in refused.error


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
async def test_a_call_in_another_encoding_is_refused_in_words(predictor: World, encoding: str) -> None:
    reply = await predictor.client.ask("POST", INFER, json.dumps({"inputs": PLAIN}).encode(encoding))
    assert (reply.status, reply.error) == (400, "the call is no JSON document in UTF-8")


@pytest.mark.parametrize(
    "odd", ["NaN", "Infinity", "-Infinity", "[" * 1100 + "]" * 1100, "1" * 400, "1e999", '"\\u0000"']
)
async def test_what_is_left_unread_in_a_call_fails_nothing(predictor: World, odd: str) -> None:
    body = json.dumps({"inputs": PLAIN}).encode()[:-1] + f', "another": {odd}}}'.encode()
    reply = await predictor.client.ask("POST", INFER, body)
    assert reply.status in (200, 400)
    if reply.status == 400:
        assert reply.error
