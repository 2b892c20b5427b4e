"""What a call of the predictor may hold: its size and pace, its tensors and their bytes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from predictor_calls import PLAIN, tensor
from predictor_world import INFER, World, order, world
from profile_predictor.server.app import CallLimits
from profile_predictor.server.conversation import MAXIMUM_BODY
from properties import examples


@pytest.fixture(scope="module")
def predictor() -> Iterator[World]:
    with world() as found:
        yield found


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


@examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


@examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ORDERS, st.sampled_from(["order", "evict"]))
def test_no_order_is_answered_with_anything_but_pictures_or_a_sentence(
    predictor: World, document: dict[str, Any], name: str
) -> None:
    whole = {**order(), **document} if name == "order" else document
    reply = asyncio.run(asyncio.wait_for(predictor.client.order(whole, name), 20))
    assert reply.status in (200, 400), reply.content
    if reply.status == 400:
        assert reply.error
