"""Conditions, as the Kubernetes API conventions and kstatus have them: all seven, always."""

from __future__ import annotations

from typing import Literal, NamedTuple

from profile_contract.conditions import ConditionType, Reason
from profile_contract.request import Condition, PortraitStatus
from profile_contract.stages.table import STAGE_CONDITIONS, Stage
from profile_contract.stages.train import TrainReport
from profile_operator.observe.snapshot import Snapshot

from .advice import advised, plain
from .outcome import Outcome, nothing_delivered
from .stages import Phase, Step

Status = Literal["True", "False", "Unknown"]

RUNNING_TEXTS = {
    Stage.PREPROCESS: "looking at the photos",
    Stage.TRAIN: "training the adapter",
    Stage.GENERATE: "drawing the candidates",
    Stage.FINISH: "choosing and cutting the portraits",
}
ORDER = (ConditionType.READY, *STAGE_CONDITIONS.values(), ConditionType.RECONCILING, ConditionType.STALLED)


class Verdict(NamedTuple):
    """A condition but for its times."""

    status: Status
    reason: Reason
    message: str


def next_conditions(snapshot: Snapshot, outcome: Outcome, portraits: list[PortraitStatus], now: str) -> list[Condition]:
    """All conditions in a fixed order. The transition time changes with the status only."""
    verdicts = {STAGE_CONDITIONS[step.stage]: _stage(step, snapshot, outcome) for step in outcome.steps}
    summary = _summary(snapshot, outcome, portraits)
    verdicts[ConditionType.READY] = summary
    verdicts |= activity(summary, stalled=_is_stalled(outcome, summary))
    return stamped(verdicts, snapshot.head.status.conditions, snapshot.head.generation, now)


def activity(summary: Verdict, *, stalled: bool) -> dict[ConditionType, Verdict]:
    """Reconciling and Stalled, which follow from Ready."""
    resting = Verdict("False", summary.reason, "")
    working = Verdict("True", summary.reason, summary.message)
    idle = summary.status == "True" or summary.reason is Reason.SUSPENDED
    if idle:
        return {ConditionType.RECONCILING: resting, ConditionType.STALLED: resting}
    if stalled:
        return {ConditionType.RECONCILING: resting, ConditionType.STALLED: working}
    return {ConditionType.RECONCILING: working, ConditionType.STALLED: resting}


def stamped(verdicts: dict[ConditionType, Verdict], old: list[Condition], generation: int, now: str) -> list[Condition]:
    """The conditions with their times, in the fixed order."""
    before = {condition.type: condition for condition in old}
    stamped_conditions = []
    for kind in ORDER:
        verdict, previous = verdicts[kind], before.get(kind)
        same = previous is not None and previous.status == verdict.status
        stamped_conditions.append(
            Condition(
                type=kind,
                status=verdict.status,
                reason=verdict.reason,
                message=plain(verdict.message, 1000),
                last_transition_time=previous.last_transition_time if previous is not None and same else now,
                observed_generation=max(generation, 0),
            )
        )
    return stamped_conditions


def _is_stalled(outcome: Outcome, summary: Verdict) -> bool:
    current = outcome.current
    if outcome.suspended or summary.status == "True":
        return False
    return outcome.obstacle is not None or current is None or current.phase is Phase.STALLED


def _stage(step: Step, snapshot: Snapshot, outcome: Outcome) -> Verdict:
    if step.phase is Phase.DONE:
        return Verdict("True", Reason.SUCCEEDED, _done_text(step, snapshot))
    obstacle = outcome.obstacle
    if obstacle is not None and obstacle.stage is step.stage:
        return Verdict("False", obstacle.reason, obstacle.message)
    if step.phase is Phase.WAITING or (obstacle is not None and step.phase is Phase.READY):
        return Verdict("False", Reason.WAITING_FOR_STAGE, "")
    return Verdict("False", *_open(step))


def _open(step: Step) -> tuple[Reason, str]:
    """Reason and message of a stage that is neither done nor waiting for another."""
    if step.phase is Phase.HELD:
        return Reason.SUSPENDED, ""
    if step.phase is Phase.ENDING:
        return Reason.PENDING, "waiting for an earlier Job of the same name to end"
    if step.phase is Phase.STALLED or step.reason is not Reason.RUNNING:
        return step.reason, plain(step.message)
    if step.message:
        return Reason.PENDING, plain(step.message)
    return Reason.RUNNING, RUNNING_TEXTS[step.stage]


def _summary(snapshot: Snapshot, outcome: Outcome, portraits: list[PortraitStatus]) -> Verdict:
    """Ready."""
    current = outcome.current
    if outcome.suspended:
        return Verdict("False", Reason.SUSPENDED, "spec.suspend is set")
    if outcome.obstacle is not None:
        return Verdict("False", outcome.obstacle.reason, advised(outcome.obstacle.reason, outcome.obstacle.message))
    if current is None:
        empty = nothing_delivered(snapshot.reports.finish)
        if empty is not None:
            return Verdict("False", empty[0], advised(*empty))
        return Verdict("True", Reason.SUCCEEDED, _delivered_text(portraits))
    stage = _stage(current, snapshot, outcome)
    if current.phase is Phase.STALLED:
        return Verdict("False", stage.reason, advised(stage.reason, f"{current.stage.value}: {current.message}"))
    return Verdict("False", stage.reason, f"{current.stage.value}: {stage.message}")


def _delivered_text(portraits: list[PortraitStatus]) -> str:
    styles = len({portrait.style for portrait in portraits})
    best = max((portrait.likeness for portrait in portraits), default=0)
    return f"{_count(len(portraits), 'portrait')} in {_count(styles, 'style')}, best likeness {best}%"


def _done_text(step: Step, snapshot: Snapshot) -> str:
    reports = snapshot.reports
    if step.stage is Stage.PREPROCESS and reports.preprocess is not None:
        verdicts = reports.preprocess.verdicts
        return f"{sum(v.accepted for v in verdicts)} of {_count(len(verdicts), 'photo')} can be used"
    if step.stage is Stage.TRAIN and reports.train is not None:
        return _train_text(reports.train)
    if step.stage is Stage.GENERATE:
        pictures = sum(len(report.candidates) for report in reports.generate.values())
        return f"{_count(pictures, 'picture')} drawn in {_count(len(reports.generate), 'style')}"
    if reports.finish is not None:
        return f"{_count(len(reports.finish.portraits), 'portrait')} delivered"
    return ""


def _train_text(report: TrainReport) -> str:
    changes = f"; after running out of memory: {', '.join(report.changes)}" if report.changes else ""
    return f"the adapter of step {report.chosen_step or report.steps} was chosen{changes}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
