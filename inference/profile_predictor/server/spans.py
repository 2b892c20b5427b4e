"""Spans: an order and its parts, by what was measured of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from profile_contract.generation import GenerationOrder, GenerationResult
from profile_contract.trace import Span, SpanPlace


def spans_of(order: GenerationOrder, result: GenerationResult, arrived: float, answered: float) -> Iterator[Span]:
    """What became of an order between these times, in seconds since 1970; nothing of one that names no trace."""
    parent = SpanPlace.parse(order.traceparent or "")
    if parent is None:
        return
    whole = parent.part("order", order.items[0].key, str(arrived))
    about: dict[str, str | int] = {
        "profilestudio.namespace": order.request.namespace,
        "profilestudio.request": order.request.name,
        "candidates": len(order.items),
        "steps": order.steps,
        "device": result.device,
    }
    yield Span("order", whole, parent, arrived, answered, about)
    timings, start = result.timings, arrived
    # One after another: each begins where the one before it ended.
    for name, milliseconds in (
        ("fetch", timings.adapter),
        ("wait", timings.queue),
        ("draw", timings.generate),
        ("upload", timings.upload),
    ):
        yield Span(name, whole.part(name), whole, start, start + milliseconds / 1000)
        start += milliseconds / 1000
