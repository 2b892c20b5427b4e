"""What the predictor's answers mean to the operator, and how much of them is read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from operator_world import CONFIG
from profile_contract.generation import EvictionOrder, GenerationOrder
from profile_operator.clients.predictor import (
    PredictorBusy,
    PredictorClient,
    PredictorFailed,
    PredictorRefused,
    PredictorUnavailable,
    retry_after,
)
from profile_operator.config import Secrets


async def test_eviction() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        tensor = json.loads(request.content)["inputs"][0]
        assert tensor["name"] == "evict"
        assert EvictionOrder.model_validate_json(tensor["data"][0]).sha256 == ["a" * 64]
        return httpx2.Response(200, json={"outputs": [{"name": "result", "data": ['{"evicted": 2}']}]})

    client = PredictorClient(CONFIG.generation)
    client._client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    assert await client.evict("p", EvictionOrder(sha256=["a" * 64])) == 2
    await client.close()


@pytest.mark.parametrize(("token", "shown"), [("", None), ("t0ken", "Bearer t0ken")])
async def test_a_token_is_shown_where_there_is_one(token: str, shown: str | None) -> None:
    client = PredictorClient(CONFIG.generation, token)
    asked: list[str | None] = []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.headers.get("Authorization"))
        return httpx2.Response(200, json={"outputs": [{"name": "result", "data": ['{"evicted": 0}']}]})

    client._client._transport = httpx2.MockTransport(answer)
    await client.evict("p", EvictionOrder(sha256=["a" * 64]))
    assert asked == [shown]
    await client.close()


def test_the_predictors_token_comes_from_the_environment() -> None:
    account = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
    assert Secrets.from_environment(account).predictor_token.get_secret_value() == ""
    found = Secrets.from_environment({**account, "PROFILE_PREDICTOR_TOKEN": "t0ken\n"})
    assert found.predictor_token.get_secret_value() == "t0ken"
    assert "t0ken" not in repr(found)


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx2.Response(401), PredictorUnavailable),
        (httpx2.Response(429), PredictorBusy),
        (httpx2.Response(404), PredictorUnavailable),
        (httpx2.Response(408), PredictorUnavailable),
        (httpx2.Response(500), PredictorFailed),
        (httpx2.Response(502), PredictorUnavailable),
        (httpx2.Response(503), PredictorUnavailable),
        (httpx2.Response(504), PredictorUnavailable),
        (httpx2.Response(507), PredictorFailed),
        (httpx2.Response(400, text="no json"), PredictorRefused),
        (httpx2.Response(413), PredictorRefused),
        (httpx2.Response(200, json={"outputs": []}), PredictorUnavailable),
        (httpx2.Response(200, text="<html>"), PredictorUnavailable),
        (httpx2.Response(200, text="[" * 100_000), PredictorUnavailable),
        (httpx2.Response(200, text='{"outputs": ' + "[" * 100_000), PredictorUnavailable),
        (httpx2.Response(400, text="[" * 100_000), PredictorRefused),
        (httpx2.Response(500, text='{"error": ' + "[" * 100_000), PredictorFailed),
        (httpx2.Response(200, json={"outputs": [{"name": "result", "data": ["x" * 2_000_000]}]}), PredictorUnavailable),
    ],
)
async def test_what_answers_mean(response: httpx2.Response, error: type[Exception]) -> None:
    client = PredictorClient(CONFIG.generation)
    client._client = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda request: response))
    with pytest.raises(error):
        await client.evict("p", EvictionOrder(sha256=["a" * 64]))
    await client.close()


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    sent = 0

    async def without_end() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100_000_000:
            sent += 65_536
            yield b" " * 65_536

    client = PredictorClient(CONFIG.generation)
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.headers["Accept-Encoding"])
        return httpx2.Response(200, content=without_end())

    client._client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    with pytest.raises(PredictorUnavailable):
        await client.evict("p", EvictionOrder(sha256=["a" * 64]))
    await client.close()
    assert sent <= 2 << 20
    assert asked == ["identity"]


SOUND = {"seed": 1, "key": "k", "sha256": "a" * 64, "bytes": 5}


@pytest.mark.parametrize(
    "said",
    [
        {"items": [SOUND | {"sha256": "a" * 5000}]},
        {"items": [SOUND | {"sha256": "A" * 64}]},
        {"items": [SOUND | {"key": "k" * 5000}]},
        {"items": [SOUND | {"bytes": -1}]},
        {"items": [SOUND] * 5},
        {"items": [SOUND], "timings": {"generate": 10**300}},
        {"items": [SOUND], "timings": {"generate": -1}},
        {"items": [SOUND], "device": "x" * 5000},
    ],
)
async def test_what_a_predictor_says_is_bounded_before_a_report_holds_it(said: dict[str, Any]) -> None:
    client = PredictorClient(CONFIG.generation)

    def answer(document: dict[str, Any]) -> httpx2.MockTransport:
        data = [json.dumps(document)]
        return httpx2.MockTransport(
            lambda request: httpx2.Response(200, json={"outputs": [{"name": "result", "data": data}]})
        )

    order = GenerationOrder.model_validate(
        {"request": {"namespace": "hr", "name": "a"}, "items": [{"seed": 1, "prompt": "x"}], "width": 64, "height": 64}
    )
    client._client = httpx2.AsyncClient(transport=answer({"items": [SOUND]}))
    assert (await client.generate("p", order)).items[0].sha256 == "a" * 64
    client._client = httpx2.AsyncClient(transport=answer(said))
    with pytest.raises(PredictorUnavailable):
        await client.generate("p", order)
    await client.close()


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("7") == 7
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after("") > 0
