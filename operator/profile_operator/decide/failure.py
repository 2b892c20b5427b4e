"""Failures: what a status remembers of a stage that failed, and when it is tried again."""

from __future__ import annotations

from datetime import datetime, timedelta

from profile_contract.conditions import REASONS, Reason, ReasonKind
from profile_contract.request_status import MOST_ATTEMPTS, StageFailure, StagesStatus
from profile_contract.stages.table import Stage
from profile_operator.clock import parsed, stamp
from profile_operator.observe.snapshot import Snapshot

from .advice import plain

# After a failure of the platform: doubled with each that follows.
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=10)


def remembered(snapshot: Snapshot, stage: Stage) -> StageFailure | None:
    """The failure that the status tells of a stage as it is asked for now; None for one of other inputs."""
    entry = (snapshot.head.status.stages or StagesStatus()).of(stage)
    failure = entry.failure if entry is not None else None
    return failure if failure is not None and failure.digest == snapshot.chain.of(stage) else None


def new_failure(snapshot: Snapshot, stage: Stage, reason: Reason, message: str, at: datetime) -> StageFailure:
    """One more failure of a stage with the inputs that it has now."""
    before = remembered(snapshot, stage)
    return StageFailure(
        digest=snapshot.chain.of(stage),
        reason=reason,
        message=plain(message),
        time=stamp(at),
        attempt=min(before.attempt + 1, MOST_ATTEMPTS) if before is not None else 1,
    )


def heals(failure: StageFailure) -> bool:
    """Whether the stage is tried again by itself. A reason that this version does not know is left to a person."""
    kind = REASONS[Reason(failure.reason)].kind if failure.reason in set(Reason) else ReasonKind.PERSON
    return kind is not ReasonKind.PERSON


def due(failure: StageFailure) -> datetime:
    """When a stage that heals is tried again: 10, 20, 40 ... seconds after it failed, at most ten minutes."""
    pause = FIRST_PAUSE * 2 ** min(failure.attempt - 1, 10)
    return parsed(failure.time) + min(pause, LONGEST_PAUSE)


def is_due(failure: StageFailure, now: datetime) -> bool:
    """Whether a stage that heals is to be tried again. A time that lies ahead, as a clock that is wrong writes it, is
    not waited for."""
    return not timedelta(0) < due(failure) - now <= 2 * LONGEST_PAUSE


def reason_of(failure: StageFailure) -> Reason:
    """The reason for conditions and events."""
    return Reason(failure.reason) if failure.reason in set(Reason) else Reason.STAGE_FAILED
