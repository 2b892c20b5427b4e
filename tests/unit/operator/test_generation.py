"""Generation beside the loop: resumable, patient, bounded. The store is a folder, the predictor a small HTTP double."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx2
import pytest

from generation_bench import CONFIGURATION, Bench, report_of
from operator_world import KEY
from profile_contract.artifacts import REPORT
from profile_contract.conditions import Reason
from profile_operator import metrics
from profile_operator.generate import run as state


async def test_all_candidates_are_drawn_in_small_batches_and_the_report_comes_last(bench: Bench) -> None:
    bench.runner.ensure(bench.work)
    await bench.finish()
    assert bench.predictor.drawn == [c.key for style in bench.work.styles for c in style.candidates]
    assert max(len(order.items) for order in bench.predictor.orders) == 2
    report = report_of(bench, 0)
    assert [(c.seed, c.twin) for c in report.candidates] == [(7, False), (7, True), (8, False)]
    assert {c.sha256 for c in report.candidates} == {"c" * 64}
    assert (report.seconds, report.gpu, report.gpu_count) == (1.0, "cuda:0", 1)
    assert bench.runner.view("u1").done == 5
    # The call that wakes comes right after the end, not with it.
    await bench.until(lambda: KEY in bench.woken)
    assert bench.events[-1].percent == 100


@pytest.mark.parametrize("traced", [False, True])
async def test_a_predictor_is_told_below_which_span_it_draws_where_traces_are_wanted(
    bench: Bench, traced: bool
) -> None:
    bench.runner._traced = traced
    bench.runner.ensure(bench.work)
    await bench.finish()
    told = {order.traceparent for order in bench.predictor.orders}
    assert told == ({bench.work.place.traceparent} if traced else {None})


async def test_grants_name_the_adapter_its_digest_and_each_candidate(bench: Bench) -> None:
    bench.runner.ensure(bench.work)
    await bench.finish()
    order = bench.predictor.orders[0]
    assert order.adapter is not None
    assert bench.work.adapter is not None
    assert (order.adapter.key, order.adapter.sha256) == (bench.work.adapter.key, "a" * 64)
    assert "sign=get" in order.adapter.url
    item = order.items[0]
    assert item.put_url == f"http://store/{item.key}?sign=put&seconds=660"
    # Where the order's framing puts the head of its first pose.
    assert item.pose is None
    assert item.joints is not None
    assert item.joints[0] is not None
    assert 0.45 < item.joints[0][0] < 0.55
    assert item.joints[1:] == (None,) * 17
    # As it was resolved, whatever this operator is configured for.
    assert (order.width, CONFIGURATION.width, order.steps) == (896, 64, 30)


async def test_what_is_in_the_store_is_not_drawn_again(bench: Bench) -> None:
    there = bench.work.styles[0].candidates[0].key
    bench.access.store.write(there, b"png")
    bench.runner.ensure(bench.work)
    await bench.finish()
    assert there not in bench.predictor.drawn
    assert len(bench.predictor.drawn) == 4
    assert report_of(bench, 0).candidates[0].key == there


async def test_a_style_with_its_report_is_left_alone(bench: Bench) -> None:
    bench.runner.ensure(bench.work)
    await bench.finish()
    bench.predictor.orders.clear()
    key = bench.work.styles[0].prefix + REPORT
    bench.access.store.write(key, report_of(bench, 0).model_copy(update={"seconds": 77.0}).to_json().encode())
    bench.runner.ensure(bench.work)
    await bench.finish()
    assert bench.predictor.orders == []
    assert report_of(bench, 0).seconds == 77.0


async def test_a_lost_answer_loses_no_work(bench: Bench) -> None:
    bench.predictor.lose_answer = True
    bench.runner.ensure(bench.work)
    await bench.finish()
    assert len(bench.predictor.drawn) == len(set(bench.predictor.drawn)) == 5


async def two_replicas(predictor: str) -> list[str]:
    return ["http://10.0.0.1:8080", "http://10.0.0.2:8080"]


async def test_what_was_drawn_when_the_answer_was_lost_is_told_by_receipts(bench: Bench) -> None:
    bench.runner._replicas = two_replicas
    bench.predictor.lose_answer = True
    bench.runner.ensure(bench.work)
    await bench.finish()
    report = report_of(bench, 0)
    assert (report.seconds, report.gpu, report.gpu_count) == (0.75, "cuda:0", 1)
    assert {candidate.sha256 for candidate in report.candidates} == {"d" * 64}
    assert all(candidate.held_back for candidate in report.candidates)
    assert {host for host, _ in bench.predictor.asked} == {"10.0.0.1", "10.0.0.2"}
    assert {order.namespace for _, order in bench.predictor.asked} == {"hr"}


async def test_of_what_was_answered_nobody_asks_for_receipts(bench: Bench) -> None:
    bench.runner.ensure(bench.work)
    await bench.finish()
    assert bench.predictor.asked == []


async def test_a_predictor_of_an_earlier_version_keeps_no_receipts_and_holds_nothing_up(bench: Bench) -> None:
    bench.predictor.lose_answer, bench.predictor.keeps_receipts = True, False
    bench.runner.ensure(bench.work)
    await bench.finish()
    report = report_of(bench, 0)
    assert (report.seconds, report.gpu) == (0.0, "")
    assert {candidate.sha256 for candidate in report.candidates} == {""}


async def test_a_full_queue_is_waited_for_without_a_word(bench: Bench) -> None:
    bench.predictor.answers = [lambda: httpx2.Response(429, headers={"Retry-After": "0"})] * 3
    bench.runner.ensure(bench.work)
    await bench.finish()
    assert bench.runner.view("u1").reason is None
    assert len(bench.predictor.drawn) == 5


async def test_a_predictor_that_is_away_is_told_once_and_waited_for(bench: Bench) -> None:
    away = True

    def answer() -> httpx2.Response:
        if away:
            bench.predictor.answers.append(answer)
            return httpx2.Response(503)
        return httpx2.Response(503)

    bench.predictor.answers = [answer]
    bench.runner.ensure(bench.work)
    await bench.until(lambda: bench.runner.view("u1").reason is Reason.PREDICTOR_UNAVAILABLE)
    await asyncio.sleep(0.05)
    assert bench.woken == [KEY]
    assert bench.runner.view("u1").running
    away = False
    await bench.finish()
    assert bench.runner.view("u1").reason is None
    assert len(bench.predictor.drawn) == 5


async def test_a_predictor_at_zero_replicas_is_waited_for_in_the_queue(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An autoscaler is told that it is wanted; one that never comes is unavailable in the end."""
    monkeypatch.setattr(bench.runner, "_config", CONFIGURATION.model_copy(update={"start_seconds": 60}))
    errors = metrics.ERRORS.labels(reason=Reason.QUEUED.value)._value.get()
    replicas: list[str] = []

    def answer() -> httpx2.Response:
        if replicas:
            return httpx2.Response(503)
        bench.predictor.answers.append(answer)
        raise httpx2.ConnectError("All connection attempts failed")

    def wanted() -> float:
        (metric,) = metrics.GENERATION_REQUESTS.collect()
        return sum((sample.value for sample in metric.samples), 0.0)

    bench.predictor.answers = [answer]
    assert wanted() == 0
    bench.runner.ensure(bench.work)
    await bench.until(lambda: bench.runner.view("u1").reason is Reason.QUEUED)
    assert bench.runner.view("u1").message.startswith("waiting for a predictor to start: the predictor")
    assert wanted() == 1
    await asyncio.sleep(0.05)
    assert bench.woken == [KEY]
    assert metrics.ERRORS.labels(reason=Reason.QUEUED.value)._value.get() == errors
    # It takes longer than loading a model may.
    bench.runner._runs["u1"].absent_since -= 61  # type: ignore[operator]
    await bench.until(lambda: bench.runner.view("u1").reason is Reason.PREDICTOR_UNAVAILABLE)
    replicas.append("pod")
    await bench.finish()
    assert bench.runner.view("u1").reason is None
    assert vars(bench.runner._runs["u1"])["absent_since"] is None
    assert len(bench.predictor.drawn) == 5
    assert wanted() == 0


async def test_the_same_error_again_and_again_gets_a_reason_of_its_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "FAILURE_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(state, "LONGEST_FAILURE_PAUSE_SECONDS", 0.02)
    counted = metrics.ERRORS.labels(reason=Reason.PREDICTOR_FAILS.value)
    before = counted._value.get()
    broken = lambda: httpx2.Response(500, json={"error": "the pictures are not finite"})  # noqa: E731
    bench.predictor.answers = [broken] * 4
    bench.runner.ensure(bench.work)
    await bench.finish()
    assert counted._value.get() == before
    bench.access.store.delete("hr.")
    bench.predictor.answers = [broken] * 7
    bench.runner.ensure(bench.work)
    await bench.until(lambda: bench.runner.view("u1").reason is Reason.PREDICTOR_FAILS)
    assert counted._value.get() == before + 1
    view = bench.runner.view("u1")
    assert view.running
    assert "the pictures are not finite; so it did 5 times" in view.message
    await bench.finish()
    assert bench.runner.view("u1").reason is None


def test_what_fails_alike_is_asked_about_ever_more_seldom() -> None:
    failures = state.EqualFailures()
    pauses = [failures.pause for _ in range(13) if failures.count("the same") >= state.EQUAL_FAILURES]
    assert pauses[:6] == [60, 120, 240, 480, 960, 1800]
    assert set(pauses[6:]) == {1800}
    assert failures.count("another") == 1


async def test_a_predictor_without_the_model_is_told_clearly(bench: Bench) -> None:
    bench.predictor.answers = [lambda: httpx2.Response(404)]
    bench.runner.ensure(bench.work)
    await bench.until(lambda: bench.runner.view("u1").reason is Reason.PREDICTOR_UNAVAILABLE)
    message = bench.runner.view("u1").message
    assert "has no model named profile-predictor (404)" in message
    assert "the style names the wrong predictor" in message
    await bench.finish()


async def test_a_report_that_names_a_foreign_key_ends_generation(bench: Bench) -> None:
    assert bench.work.adapter is not None
    foreign = bench.work.adapter.model_copy(update={"key": "finance.1a2b3c4d-5e6f/requests/ceo/a.safetensors"})
    bench.runner.ensure(replace(bench.work, adapter=foreign))
    await bench.finish()
    view = bench.runner.view("u1")
    assert view.reason is Reason.STAGE_FAILED
    assert "does not lie below 'hr.1a2b3c4d-5e6f/requests/minji/'" in view.message
    assert bench.predictor.orders == []


async def test_a_store_that_is_away_is_waited_for(bench: Bench) -> None:
    bench.access.down = True
    bench.runner.ensure(bench.work)
    await bench.until(lambda: bench.runner.view("u1").reason is Reason.STORE_UNAVAILABLE)
    bench.access.down = False
    await bench.finish()
    assert len(bench.predictor.drawn) == 5


async def test_a_refused_order_ends_it_and_links_are_cut(bench: Bench) -> None:
    text = "adapter rank 256 is too high, see http://store/a?X-Amz-Signature=s"
    bench.predictor.answers = [lambda: httpx2.Response(400, json={"error": text})] * 2
    bench.runner.ensure(bench.work)
    await bench.finish()
    view = bench.runner.view("u1")
    assert view.reason is Reason.PREDICTOR_REFUSED
    assert "rank 256" in view.message
    assert "Signature" not in view.message
    assert not bench.access.store.list(bench.work.styles[0].prefix)


async def test_a_predictor_that_leaves_nothing_is_not_asked_for_ever(bench: Bench) -> None:
    bench.predictor.leave_nothing = True
    bench.runner.ensure(bench.work)
    await bench.finish()
    assert bench.runner.view("u1").reason is Reason.PREDICTOR_REFUSED
    assert len(bench.predictor.orders) <= 6


async def test_stopping_begins_no_further_batch_and_starting_goes_on(bench: Bench) -> None:
    bench.predictor.answers = [lambda: httpx2.Response(503)] * 1000
    bench.runner.ensure(bench.work)
    await bench.until(lambda: bench.runner.view("u1").reason is not None)
    bench.runner.stop("u1")
    await bench.finish()
    assert bench.predictor.orders == []
    bench.predictor.answers = []
    bench.runner.ensure(bench.work)
    await bench.finish()
    assert len(bench.predictor.drawn) == 5


async def test_the_same_work_is_not_begun_twice(bench: Bench) -> None:
    bench.runner.ensure(bench.work)
    bench.runner.ensure(bench.work)
    await bench.finish()
    assert len(bench.predictor.drawn) == 5


async def test_a_style_whose_report_stands_is_not_drawn_again_where_pictures_are_gone(bench: Bench) -> None:
    bench.runner.ensure(bench.work)
    await bench.finish()
    for style in bench.work.styles:
        bench.access.store.remove([candidate.key for candidate in style.candidates])
    drawn = len(bench.predictor.drawn)
    bench.runner.ensure(replace(bench.work, digest="another"))
    await bench.finish()
    assert len(bench.predictor.drawn) == drawn
