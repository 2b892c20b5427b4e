"""Spans on their way to a collector, and without one."""

from __future__ import annotations

import logging
import time

import pytest

from profile_contract.trace import Span, SpanPlace
from profile_runtime import tracing
from profile_runtime.tracing import Traces
from span_collector import collecting

WHOLE = SpanPlace.of_request("u-1", 3)
TRAIN = Span("train", WHOLE.part("train"), WHOLE, 1000.0, 1090.5, {"attempts": 2, "digest": "ab"})


def test_spans_come_as_they_were_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20secret")
        traces = Traces("profile-operator")
        assert traces.wanted
        traces.tell(Span("request", WHOLE, None, 990.0, 1100.0), TRAIN)
        traces.tell(Span("stalled", WHOLE.part("stalled"), WHOLE, 1100.0, 1100.0, error="PhotosRejected"))
        traces.close()
    request, train, stalled = collector.spans
    assert {span.service for span in collector.spans} == {"profile-operator"}
    assert (request.name, request.place, request.parent, request.error) == ("request", WHOLE, None, "")
    assert (train.name, train.place, train.parent) == ("train", TRAIN.place, WHOLE)
    assert (train.start, train.seconds, train.attributes) == (1000.0, 90.5, {"attempts": 2, "digest": "ab"})
    assert (stalled.seconds, stalled.error) == (0.0, "PhotosRejected")
    assert collector.headers[0]["authorization"] == "Bearer secret"


def test_a_span_that_a_wrong_clock_ends_before_it_began_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        traces = Traces("profile-operator")
        traces.tell(Span("train", WHOLE.part("train"), WHOLE, 1000.0, 990.0))
        traces.close()
    assert [span.seconds for span in collector.spans] == [0.0]


def test_without_a_collector_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    traces = Traces("profile-operator")
    assert not traces.wanted
    traces.tell(TRAIN)
    traces.close()


def test_nobody_waits_for_a_collector_that_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with collecting() as collector:
        pass
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setattr(tracing, "LAST_SECONDS", 0.5)
    traces = Traces("profile-operator")
    before = time.monotonic()
    with caplog.at_level(logging.DEBUG):
        traces.tell(*[TRAIN] * 5000)
        assert time.monotonic() - before < 2
        traces.close()
    assert time.monotonic() - before < 10
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "00-" + 32 * "0" + "-" + 16 * "a" + "-01",
        "00-" + 32 * "a" + "-" + 16 * "0" + "-01",
        "ff-" + 32 * "a" + "-" + 16 * "a" + "-01",
        "00-" + 32 * "A" + "-" + 16 * "a" + "-01",
        "00-" + 32 * "a" + "-" + 16 * "a" + "-01\n",
    ],
)
def test_what_names_no_place_is_none(parent: str) -> None:
    assert SpanPlace.parse(parent) is None


def test_a_place_is_read_as_it_is_written() -> None:
    assert SpanPlace.parse(TRAIN.place.traceparent) == TRAIN.place
    assert TRAIN.place.traceparent.startswith(f"00-{WHOLE.trace:032x}-")


def test_places_are_derived_and_none_is_another() -> None:
    assert SpanPlace.of_request("u-1", 3) == WHOLE
    traces = {SpanPlace.of_request(uid, generation).trace for uid in ("u-1", "u-2") for generation in (3, 4)}
    assert len(traces) == 4
    parts = {WHOLE.part(*words).span for words in (("train", "a"), ("train", "b"), ("finish", "a"), ("traina",))}
    assert len(parts | {WHOLE.span}) == 5
    assert {WHOLE.part("train").trace} == {WHOLE.trace}
