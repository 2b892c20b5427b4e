"""Traces of requests: which spans a status tells, where they stand, and what predictors are told of them."""

from __future__ import annotations

from collections import Counter

import pytest

from operator_world import World, change, fail
from profile_contract.stages.table import Stage
from profile_contract.trace import Span, SpanPlace
from profile_operator.decide.spans import ended, stage_place
from profile_operator.decide.transitions import news, reached
from profile_runtime.tracing import Traces
from real_operator import real_operator
from span_collector import collecting


def told(world: World, most: int = 60) -> list[Span]:
    """Every span that is told of a request on its way."""
    spans: list[Span] = []
    for _ in range(most):
        head = world.head
        plan = world.cycle()
        if plan.status is not None:
            spans += ended(head, plan.status, news(head, plan))
        world.work_on()
    return spans


def test_a_life_is_one_trace_whose_stages_lie_in_the_request() -> None:
    world = World()
    spans = {span.name: span for span in told(world)}
    whole = SpanPlace.of_request(world.head.uid, world.head.generation)
    assert set(spans) == {"request", *(stage.value for stage in Stage)}
    request = spans.pop("request")
    assert (request.place, request.parent, request.error) == (whole, None, "")
    assert request.attributes["portraits"] == len(world.status.portraits)
    for name, span in spans.items():
        assert span.parent == whole, name
        assert request.start <= span.start <= span.end <= request.end, name
    assert world.status.stages is not None
    train = world.status.stages.train
    assert train is not None
    assert spans["train"].place == stage_place(world.head.uid, world.head.generation, Stage.TRAIN, train.digest)
    # What predictors draw for it lies in it.
    assert world.work is not None
    assert spans["generate"].place == world.work.place
    assert spans["train"].attributes == {
        "profilestudio.namespace": "hr",
        "profilestudio.request": "minji",
        "digest": train.digest,
        "attempts": 1,
        "gpuSeconds": train.gpu_seconds,
    }


def test_each_span_is_told_once_and_another_spec_begins_another_trace() -> None:
    world = World()
    first = told(world)
    assert set(Counter(span.place for span in first).values()) == {1}
    change(world, candidates=6)
    second = told(world)
    assert {span.name for span in second} >= {"generate", "finish", "request"}
    assert {span.place.trace for span in first}.isdisjoint({span.place.trace for span in second})


def test_a_stall_is_an_error_in_its_trace() -> None:
    world = World()
    fail(world, Stage.TRAIN, None)
    spans = ended(world.head, world.status, reached(world.status))
    (stalled,) = (span for span in spans if span.name == "stalled")
    assert stalled.error == "StageFailed"
    assert stalled.parent == SpanPlace.of_request(world.head.uid, world.head.generation)


def test_no_span_holds_a_key_of_the_store_or_a_prompt() -> None:
    spans = told(World())
    for span in spans:
        words = " ".join(map(str, span.attributes.values()))
        assert "/" not in words
        assert "://" not in words


async def test_what_is_written_is_told_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        traces = Traces("profile-operator")
        async with real_operator(traces=traces) as operator:
            await operator.ready()
        traces.close()
    names = [span.name for span in collector.spans]
    assert sorted(names) == sorted(["request", *(stage.value for stage in Stage)])
    assert len({span.place.trace for span in collector.spans}) == 1


def test_what_waited_for_a_gpu_is_told_before_its_stage() -> None:
    world = World().run()
    assert world.status.stages is not None
    train = world.status.stages.train
    assert train is not None
    assert train.start_time is not None
    waited = train.model_copy(update={"queue_time": "2020-01-01T00:00:00Z"})
    stages = world.status.stages.model_copy(update={"train": waited})
    status = world.status.model_copy(update={"stages": stages})
    told = [transition for transition in reached(status) if transition.mark.startswith("train.completed")]
    train_span, queued = ended(world.head, status, told)
    assert (queued.name, queued.start, queued.end) == ("queued", 1577836800.0, train_span.start)
    assert (queued.parent, queued.attributes["stage"]) == (train_span.parent, "train")
