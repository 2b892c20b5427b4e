"""The predictor's doors: which there are, who may draw, what its answers are."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import save

from predictor_calls import PLAIN, tensor
from predictor_world import INFER, NAME, World, adapter, order, tensors, world
from profile_contract.generation import GenerationOrder
from profile_contract.stages.order import RequestRef
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


async def _never() -> dict[str, Any]:
    await asyncio.sleep(3600)
    raise AssertionError


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


async def test_a_look_is_checked_without_being_drawn_and_what_is_wrong_is_no_error(predictor: World) -> None:
    look = {**predictor.store.grant("/looks/rim", adapter(2)), "name": "rim", "key": "looks/rim.safetensors"}

    async def checked(**more: Any) -> Any:
        return await predictor.client.order({"namespace": "", "look": {**look, **more}}, name="check")

    drawn = len(predictor.pipeline.drawn)
    assert (await checked()).result == {"refused": "", "absent": False, "layers": 2, "rank": 2}
    gone = (await checked(url=predictor.store.link("/looks/gone"))).result
    assert gone["absent"]
    assert "not in the store" in gone["refused"]
    other = (await checked(sha256="0" * 64)).result
    assert (other["absent"], "its sha256 differs" in other["refused"]) == (False, True)
    assert len(predictor.pipeline.drawn) == drawn
    for _ in range(20):
        assert (await checked()).status == 200, "a place that was taken is free again"


async def test_a_look_is_checked_where_its_namespaces_lie_and_nowhere_else() -> None:
    with world(bucket="profiles") as predictor:
        place = "hr.1a2b3c4d-5e6f/looks/rim.safetensors"
        look = {**predictor.store.grant(f"/profiles/{place}", adapter(2)), "name": "rim", "key": place}

        async def checked(namespace: str, **more: Any) -> Any:
            return await predictor.client.order({"namespace": namespace, "look": {**look, **more}}, name="check")

        assert (await checked("hr")).result["layers"] == 2
        for namespace in ("finance", ""):
            assert "does not lie where" in (await checked(namespace)).error
        elsewhere = predictor.store.put("/profiles/finance.1a2b3c4d-5e6f/looks/rim.safetensors", b"x")
        assert "outside" in (await checked("hr", url=elsewhere)).result["refused"]


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
