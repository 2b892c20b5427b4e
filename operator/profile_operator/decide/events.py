"""Events: told once, when the status says something new. The same reasons as in the conditions."""

from __future__ import annotations

from profile_contract.conditions import ConditionType, Reason
from profile_contract.request import Condition, ProfileRequestStatus
from profile_contract.stages.table import STAGE_CONDITIONS, Stage
from profile_operator.decide.plan import EventNote

_OUTAGES = frozenset(
    {Reason.STORE_UNAVAILABLE, Reason.PREDICTOR_UNAVAILABLE, Reason.PREDICTOR_FAILS, Reason.API_UNAVAILABLE}
)


def events_between(old: ProfileRequestStatus, new: ProfileRequestStatus) -> tuple[EventNote, ...]:
    """What a change of the status is worth telling: stages that begin or end, what stalls, what hinders, the end."""
    before = {condition.type: condition for condition in old.conditions}
    after = {condition.type: condition for condition in new.conditions}
    notes = [note for stage in Stage if (note := _stage_note(stage, before, after))]
    return (*notes, *_summary_notes(before, after))


def _stage_note(stage: Stage, before: dict[str, Condition], after: dict[str, Condition]) -> EventNote | None:
    kind = STAGE_CONDITIONS[stage]
    was, now = before.get(kind), after[kind]
    if was is not None and (was.status, was.reason) == (now.status, now.reason):
        return None
    if now.status == "True":
        return EventNote(Reason.SUCCEEDED, f"{stage.value}: {now.message}")
    if now.reason == Reason.RUNNING:
        return EventNote(Reason.RUNNING, f"{stage.value}: {now.message}")
    return None


def _summary_notes(before: dict[str, Condition], after: dict[str, Condition]) -> list[EventNote]:
    was, now = before.get(ConditionType.READY), after[ConditionType.READY]
    if was is not None and (was.status, was.reason) == (now.status, now.reason):
        return []
    reason = Reason(now.reason)
    if now.status == "True":
        return [EventNote(reason, f"ready: {now.message}")]
    if after[ConditionType.STALLED].status == "True" or reason in _OUTAGES:
        return [EventNote(reason, now.message, warning=True)]
    if reason in (Reason.SUSPENDED, Reason.DELETING):
        return [EventNote(reason, now.message)]
    return []
