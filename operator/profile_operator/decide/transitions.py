"""Transitions: what a status tells that began, ended or is waited for, each with an identity that lasts. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from profile_contract.areas import without_places
from profile_contract.conditions import ConditionType, Reason
from profile_contract.request_status import Condition, ProfileRequestStatus, StagesStatus
from profile_contract.resource import RequestHead
from profile_contract.stages.stage_text import StageText
from profile_contract.stages.table import Stage

from .advice import plain
from .plan import Plan, RemoveFinalizer


@dataclass(frozen=True)
class Transition:
    """Something that a request went through. `what`: such as `stage.completed`; `time`: when, as the status has it.

    `mark` tells it apart from every other transition of the request: the same status always gives the same one.
    """

    what: str
    mark: str
    time: str
    data: dict[str, Any] = field(default_factory=dict, compare=False, hash=False)


def reached(status: ProfileRequestStatus) -> tuple[Transition, ...]:
    """All that a status tells, in the order in which it came about."""
    return tuple(sorted((*_stages(status), *_summary(status)), key=lambda transition: transition.time))


def news(head: RequestHead, plan: Plan) -> tuple[Transition, ...]:
    """What a plan that was carried out tells for the first time."""
    fresh: tuple[Transition, ...] = ()
    if plan.status is not None:
        known = {transition.mark for transition in reached(head.status)}
        fresh = tuple(transition for transition in reached(plan.status) if transition.mark not in known)
    if not any(isinstance(action, RemoveFinalizer) for action in plan.actions):
        return fresh
    reason = plan.events[-1].reason if plan.events else Reason.ARTIFACTS_PURGED
    return (*fresh, Transition("deleted", "deleted", "", {"reason": reason.value}))


def _stages(status: ProfileRequestStatus) -> Iterator[Transition]:
    """What stages began and ended; one whose artifacts stood before the request did neither."""
    stages = status.stages or StagesStatus()
    for stage in Stage:
        entry = stages.of(stage)
        if entry is None or not entry.attempts:
            continue
        run = {"stage": stage.value, "digest": entry.digest, "attempts": entry.attempts}
        if entry.start_time:
            mark = f"{stage.value}.started/{entry.digest}/{entry.start_time}"
            yield Transition("stage.started", mark, entry.start_time, run)
        if entry.completion_time:
            mark = f"{stage.value}.completed/{entry.digest}/{entry.completion_time}"
            cost = {**run, "gpuSeconds": entry.gpu_seconds}
            yield Transition("stage.completed", mark, entry.completion_time, cost)


def _summary(status: ProfileRequestStatus) -> Iterator[Transition]:
    """Ready, Stalled, and that it is being deleted."""
    conditions = {condition.type: condition for condition in status.conditions}
    ready, stalled = conditions.get(ConditionType.READY), conditions.get(ConditionType.STALLED)
    if ready is not None and ready.status == "True":
        results = {
            "portraits": len(status.portraits),
            "bestLikeness": status.best_likeness,
            "gpuSeconds": status.gpu_seconds,
        }
        yield _told("ready", ready, results)
    if stalled is not None and stalled.status == "True":
        yield _told("stalled", stalled, {})
    if ready is not None and status.stage_text is StageText.DELETING:
        yield _told("deleting", ready, {})


def _told(what: str, condition: Condition, more: dict[str, Any]) -> Transition:
    """What a condition tells. Its words hold no link, which might be signed, and no key of the store."""
    data = {"reason": condition.reason, "message": without_places(plain(condition.message)), **more}
    mark = f"{what}/{condition.reason}/{condition.last_transition_time}"
    return Transition(what, mark, condition.last_transition_time, data)
