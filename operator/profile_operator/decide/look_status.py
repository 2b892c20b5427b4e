"""look_status: what is told of a look: whether its file was read and can be drawn with, and who draws with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from profile_contract.conditions import ConditionType
from profile_contract.look import LookReason, LookStatus
from profile_contract.request import Condition
from profile_operator.clock import stamp

from .advice import plain

Answer = Literal["True", "False", "Unknown"]

_ANSWERS: dict[LookReason, Answer] = {
    LookReason.FITS: "True",
    LookReason.REFUSED: "False",
    LookReason.NOT_FOUND: "False",
    LookReason.NOT_UNDERSTOOD: "False",
    LookReason.PREDICTOR_UNAVAILABLE: "Unknown",
    LookReason.STORE_UNAVAILABLE: "Unknown",
}
# What stays so until somebody changes the look.
FINAL = (LookReason.FITS, LookReason.REFUSED)


@dataclass(frozen=True)
class LookSight:
    """What was seen of a look: whether its file can be drawn with, and what of it."""

    reason: LookReason
    message: str
    digest: str = ""
    layers: int = 0
    rank: int = 0


def is_seen(before: LookStatus, generation: int) -> bool:
    """Whether a look was read as it stands, and nothing is to be read again."""
    ready = before.ready
    return before.observed_generation == generation and ready is not None and ready.reason in set(map(str, FINAL))


def look_status(
    before: LookStatus, generation: int, sight: LookSight | None, *, styles: int, installation: str, now: datetime
) -> LookStatus:
    """The status; equal to the one before where nothing changed. `sight` None: it was read before, and stands."""
    if sight is None:
        return before.model_copy(update={"styles": styles})
    standing, answer = before.ready, _ANSWERS[sight.reason]
    same = standing is not None and standing.status == answer
    condition = Condition(
        type=ConditionType.READY,
        status=answer,
        reason=sight.reason.value,
        message=plain(sight.message),
        last_transition_time=standing.last_transition_time if standing is not None and same else stamp(now),
        observed_generation=max(generation, 0),
    )
    return LookStatus(
        observed_generation=generation,
        conditions=[condition],
        digest=sight.digest,
        layers=sight.layers,
        rank=sight.rank,
        styles=styles,
        installation=installation,
    )
