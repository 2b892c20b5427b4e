"""Spans: the parts of a request's trace that a status tells are over. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from profile_contract.conditions import ConditionType
from profile_contract.request_status import ProfileRequestStatus, StageStatus
from profile_contract.resource import Key, RequestHead
from profile_contract.stages.table import Stage
from profile_contract.trace import Span, SpanPlace
from profile_operator.clock import parsed

from .transitions import Transition


def stage_place(uid: str, generation: int, stage: Stage, digest: str) -> SpanPlace:
    """Where the span of a stage stands; what is drawn for it stands below."""
    return SpanPlace.of_request(uid, generation).part(stage.value, digest)


def ended(head: RequestHead, status: ProfileRequestStatus, transitions: Iterable[Transition]) -> tuple[Span, ...]:
    """The spans of what a status tells for the first time. `head`: the request, with the status before."""
    return tuple(span for transition in transitions for span in _spans(head, status, transition))


def _spans(head: RequestHead, status: ProfileRequestStatus, transition: Transition) -> Iterator[Span]:
    whole, at = SpanPlace.of_request(head.uid, head.generation), _seconds(transition.time)
    if transition.what == "stage.completed":
        stage = Stage(transition.data["stage"])
        yield from _of_stage(head, stage, (status.stages and status.stages.of(stage)) or StageStatus())
    elif transition.what == "ready":
        results: dict[str, str | int] = {
            name: value for name, value in transition.data.items() if isinstance(value, int)
        }
        since = _seconds(_unready_since(head.status) or transition.time)
        yield Span("request", whole, None, since, at, _about(head.key) | results)
    elif transition.what == "stalled":
        reason = str(transition.data["reason"])
        about = _about(head.key) | {"reason": reason}
        yield Span("stalled", whole.part(transition.mark), whole, at, at, about, error=reason)


def _of_stage(head: RequestHead, stage: Stage, entry: StageStatus) -> Iterator[Span]:
    """A stage, and what it waited for a GPU before it."""
    if not entry.start_time or not entry.completion_time:
        return
    whole = SpanPlace.of_request(head.uid, head.generation)
    place = stage_place(head.uid, head.generation, stage, entry.digest)
    run: dict[str, str | int] = {"digest": entry.digest, "attempts": entry.attempts, "gpuSeconds": entry.gpu_seconds}
    start, about = _seconds(entry.start_time), _about(head.key)
    yield Span(stage.value, place, whole, start, _seconds(entry.completion_time), about | run)
    queued = _seconds(entry.queue_time) if entry.queue_time else start
    if queued < start:
        yield Span("queued", place.part("queued"), whole, queued, start, about | {"stage": stage.value})


def _about(key: Key) -> dict[str, str | int]:
    return {"profilestudio.namespace": key.namespace, "profilestudio.request": key.name}


def _unready_since(before: ProfileRequestStatus) -> str | None:
    """Since when a request has not been ready."""
    ready = (condition for condition in before.conditions if condition.type == ConditionType.READY)
    return next((condition.last_transition_time for condition in ready if condition.status != "True"), None)


def _seconds(time: str) -> float:
    return parsed(time).timestamp()
