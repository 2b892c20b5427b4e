"""What is told when a request could not be looked at or acted on: the status alone changes."""

from __future__ import annotations

from datetime import datetime

from profile_contract.conditions import ConditionType, Reason
from profile_contract.request import ProfileRequestStatus
from profile_contract.resource import RequestHead
from profile_contract.stages.table import STAGE_CONDITIONS
from profile_operator.clock import stamp
from profile_operator.decide.plan import Plan

from .advice import advised, plain
from .conditions import Verdict, activity, stamped
from .events import events_between

# These end only when a person changes something; all others the operator tries again by itself.
_STALLS = frozenset({Reason.INVALID_SPEC, Reason.CONFLICT})


def outage(head: RequestHead, reason: Reason, message: str, now: datetime) -> Plan:
    """Ready is False for this reason; what the stages said before still stands. The caller looks again by itself."""
    stalled = reason in _STALLS
    if head.deleting:
        text = f"waits with deleting: {message}"
        summary = Verdict("False", Reason.DELETING, plain(text))
    else:
        summary = Verdict("False", reason, advised(reason, message) if stalled else plain(message))
    old = {condition.type: condition for condition in head.status.conditions}
    verdicts = {ConditionType.READY: summary, **activity(summary, stalled=stalled and not head.deleting)}
    for kind in STAGE_CONDITIONS.values():
        before = old.get(kind)
        verdicts[kind] = (
            Verdict(before.status, Reason(before.reason), before.message)
            if before is not None
            else Verdict("False", Reason.PENDING, "")
        )
    conditions = stamped(verdicts, head.status.conditions, head.generation, stamp(now))
    status = head.status.model_copy(
        update={
            "observed_generation": head.generation,
            "conditions": conditions,
            "stage_text": _text(head.status, head, stalled=stalled),
        }
    )
    if status == head.status:
        return Plan()
    return Plan(status=status, events=events_between(head.status, status))


def _text(status: ProfileRequestStatus, head: RequestHead, *, stalled: bool) -> str:
    if head.deleting:
        return "Deleting"
    return "Stalled" if stalled else status.stage_text or "Waiting"
