"""Calls of generation that are under way: how many at once, when their links are signed, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import httpx2
import pytest

from generation_bench import CONFIGURATION, Bench, Predictor, report_of
from operator_world import KEY
from profile_contract.generation import GenerationOrder
from profile_contract.resource import Key
from profile_operator.election import NotLeading


class Slow(httpx2.AsyncBaseTransport):
    """The predictor, as slow as one is: how many calls are under way, and the most that were."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor, self.now, self.most = predictor, 0, 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.01)
            await request.aread()
            return self.predictor(request)
        finally:
            self.now -= 1


async def test_links_are_signed_when_it_is_the_calls_turn(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    signed: list[int] = []
    sign = bench.access.signed

    async def counted(order: Callable[[], GenerationOrder]) -> GenerationOrder:
        signed.append(bench.runner._calls._lines["profile-predictor"].under_way[KEY])
        return await sign(order)

    monkeypatch.setattr(bench.access, "signed", counted)
    async with contextlib.AsyncExitStack() as others:
        for number in range(CONFIGURATION.calls_per_replica):
            await others.enter_async_context(bench.runner._calls.turn("profile-predictor", Key("it", f"r{number}")))
        bench.runner.ensure(bench.work)
        await asyncio.sleep(0.05)
        assert signed == []
    await bench.finish()
    assert set(signed) <= {1, 2}
    assert len(signed) == 3


async def test_two_calls_of_a_request_are_under_way_at_once_and_no_third(bench: Bench) -> None:
    slow = Slow(bench.predictor)
    bench.runner._predictor._client = httpx2.AsyncClient(transport=slow)
    bench.runner._config = CONFIGURATION.model_copy(update={"batch": 1})
    bench.runner.ensure(bench.work)
    await bench.finish()
    assert slow.most == 2
    assert len(bench.predictor.drawn) == len(set(bench.predictor.drawn)) == 5
    assert [len(report_of(bench, number).candidates) for number in (0, 1)] == [3, 2]


async def test_what_is_under_way_ends_when_it_is_stopped_and_is_not_drawn_again(bench: Bench) -> None:
    slow = Slow(bench.predictor)
    bench.runner._predictor._client = httpx2.AsyncClient(transport=slow)
    bench.runner.ensure(bench.work)
    await bench.until(lambda: slow.now == 2)
    bench.runner.stop("u1")
    await bench.finish()
    assert len(bench.predictor.drawn) == 3
    bench.runner.ensure(bench.work)
    await bench.finish()
    assert len(bench.predictor.drawn) == len(set(bench.predictor.drawn)) == 5


async def test_while_a_predictor_is_away_one_call_at_a_time_asks_for_it(bench: Bench) -> None:
    slow = Slow(bench.predictor)
    bench.runner._predictor._client = httpx2.AsyncClient(transport=slow)
    bench.predictor.answers = [lambda: httpx2.Response(503)] * 20
    bench.runner.ensure(bench.work)
    await bench.until(lambda: len(bench.predictor.answers) == 18)
    slow.most = 0
    await bench.until(lambda: len(bench.predictor.answers) == 5)
    assert slow.most == 1
    bench.predictor.answers.clear()
    await bench.finish()
    assert len(bench.predictor.drawn) == len(set(bench.predictor.drawn)) == 5


async def test_a_call_that_waits_for_its_turn_while_all_is_stopped_signs_nothing(bench: Bench) -> None:
    async with contextlib.AsyncExitStack() as others:
        for number in range(CONFIGURATION.calls_per_replica):
            await others.enter_async_context(bench.runner._calls.turn("profile-predictor", Key("it", f"r{number}")))
        bench.runner.ensure(bench.work)
        await asyncio.sleep(0.05)
        bench.runner.stop("u1")
        await bench.finish()
    assert bench.predictor.orders == []


async def test_what_is_drawn_as_the_lead_is_lost_is_no_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def lost(*_: object) -> None:
        raise NotLeading("this operator does not lead any more")

    monkeypatch.setattr(bench.runner._predictor, "generate", lost)
    bench.runner.ensure(bench.work)
    await bench.finish()
    assert bench.runner.view(bench.work.request.uid).reason is None
    assert not [record for record in caplog.records if record.exc_info]
