"""What a predictor tells of an order: its parts in a trace, by what was measured."""

from __future__ import annotations

import pytest

from predictor_world import Client, order, world
from profile_contract.generation import GenerationOrder, GenerationResult, Timings
from profile_contract.trace import SpanPlace
from profile_predictor.server.spans import spans_of
from span_collector import Collector, collecting

STAGE = SpanPlace.of_request("u-1", 1).part("generate", "ab")
RESULT = GenerationResult(
    items=[], timings=Timings(queue=2000, adapter=500, generate=8000, upload=250), device="cuda:0"
)


def test_an_orders_parts_lie_in_it_one_after_another() -> None:
    asked = GenerationOrder.model_validate(order(seeds=(1, 2), traceparent=STAGE.traceparent))
    whole, fetch, wait, draw, upload = spans_of(asked, RESULT, 1000.0, 1011.0)
    assert (whole.name, whole.parent, whole.start, whole.end) == ("order", STAGE, 1000.0, 1011.0)
    assert whole.attributes == {
        "profilestudio.namespace": "team",
        "profilestudio.request": "minji",
        "candidates": 2,
        "steps": 1,
        "device": "cuda:0",
    }
    parts = [(span.name, span.start, span.end) for span in (fetch, wait, draw, upload)]
    assert parts == [
        ("fetch", 1000.0, 1000.5),
        ("wait", 1000.5, 1002.5),
        ("draw", 1002.5, 1010.5),
        ("upload", 1010.5, 1010.75),
    ]
    assert {span.parent for span in (fetch, wait, draw, upload)} == {whole.place}


def test_the_same_order_asked_again_is_another_span() -> None:
    asked = GenerationOrder.model_validate(order(traceparent=STAGE.traceparent))
    first, second = (next(spans_of(asked, RESULT, at, at + 1)) for at in (1000.0, 1001.0))
    assert first.place != second.place


def test_an_order_that_names_no_trace_is_in_none() -> None:
    assert list(spans_of(GenerationOrder.model_validate(order()), RESULT, 0.0, 1.0)) == []


async def drawn(monkeypatch: pytest.MonkeyPatch, traceparent: str | None = None) -> Collector:
    """What a collector has of an order that a predictor carried out."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with world() as found:
            client: Client = found.client
            assert (await client.order(order(traceparent=traceparent))).status == 200
        return collector


async def test_a_drawn_order_comes_to_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = await drawn(monkeypatch, traceparent=STAGE.traceparent)
    assert [span.name for span in collector.spans] == ["order", "fetch", "wait", "draw", "upload"]
    assert {span.service for span in collector.spans} == {"profile-predictor"}
    assert collector.spans[0].parent == STAGE
    assert {span.place.trace for span in collector.spans} == {STAGE.trace}


async def test_and_nothing_of_one_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await drawn(monkeypatch)).spans == []


@pytest.mark.parametrize(
    ("parent", "status"),
    [
        ("00-a-b-01", 400),
        ("x" * 55, 400),
        (5, 400),
        # Of the right form, and of no trace: drawn, and told of nowhere.
        ("00-" + 32 * "0" + "-" + 16 * "a" + "-01", 200),
    ],
)
async def test_a_place_that_is_none_is_refused_or_ignored(parent: object, status: int) -> None:
    with world() as found:
        reply = await found.client.order(order(traceparent=parent))
    assert reply.status == status
