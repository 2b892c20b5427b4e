"""look_status: what is told of a look: whether its file was read and can be drawn with, and who draws with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from profile_contract.conditions import ConditionType, Reason
from profile_contract.look import LookReason, LookStatus
from profile_contract.look_learning import LookCondition
from profile_contract.request_status import Condition
from profile_operator.clock import stamp

from .advice import plain
from .look_learning import Learning

Answer = Literal["True", "False", "Unknown"]

_ANSWERS: dict[LookReason, Answer] = {
    LookReason.FITS: "True",
    LookReason.LEARNING: "False",
    LookReason.REFUSED: "False",
    LookReason.NOT_FOUND: "False",
    LookReason.NOT_UNDERSTOOD: "False",
    LookReason.PREDICTOR_UNAVAILABLE: "Unknown",
    LookReason.STORE_UNAVAILABLE: "Unknown",
}
_STATUS: dict[bool | None, Answer] = {True: "True", False: "False", None: "Unknown"}
# What stays so until somebody changes the look.
FINAL = (LookReason.FITS, LookReason.REFUSED)
# What is made of a look beside its file, and is not done yet.
GOING = {Reason.PENDING, Reason.RUNNING, Reason.QUEUED, Reason.STAGE_FAILED}


@dataclass(frozen=True)
class LookSight:
    """What was seen of a look: whether its file can be drawn with, and what of it."""

    reason: LookReason
    message: str
    digest: str = ""
    layers: int = 0
    rank: int = 0
    learning: Learning | None = None


def is_read(before: LookStatus, generation: int) -> bool:
    """Whether a look's file was read as the look stands."""
    ready = before.ready
    return before.observed_generation == generation and ready is not None and ready.reason in set(map(str, FINAL))


def is_seen(before: LookStatus, generation: int) -> bool:
    """Whether a look was read as it stands, nothing is to be read again, and nothing more is made of it."""
    merging = (row for row in before.conditions if row.type == LookCondition.MERGED)
    return is_read(before, generation) and not any(row.reason in GOING for row in merging)


def look_status(
    before: LookStatus, generation: int, sight: LookSight | None, *, styles: int, installation: str, now: datetime
) -> LookStatus:
    """The status; equal to the one before where nothing changed. `sight` None: it was read before, and stands."""
    if sight is None:
        return before.model_copy(update={"styles": styles})
    rows = [(str(ConditionType.READY), _ANSWERS[sight.reason], sight.reason.value, sight.message)]
    if sight.learning is not None:
        rows += [
            (condition.value, _STATUS[row.status], row.reason.value, row.message)
            for condition, row in sight.learning.conditions.items()
        ]
    standing = {condition.type: condition for condition in before.conditions}
    conditions = [
        Condition(
            type=kind,
            status=answer,
            reason=reason,
            message=plain(message),
            last_transition_time=old.last_transition_time
            if (old := standing.get(kind)) is not None and old.status == answer
            else stamp(now),
            observed_generation=max(generation, 0),
        )
        for kind, answer, reason, message in rows
    ]
    return LookStatus(
        observed_generation=generation,
        conditions=conditions,
        digest=sight.digest,
        layers=sight.layers,
        rank=sight.rank,
        styles=styles,
        learnt=sight.learning.learnt if sight.learning is not None else None,
        installation=installation,
    )
