"""tell: what a person reads of a decision, or of an outage: status, all seven conditions, and Events where they change.

Conditions are as the Kubernetes API conventions and kstatus have them. An Event is posted once, when a condition says
something new, with the same reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from profile_contract.conditions import REASONS, ConditionType, Reason, ReasonKind
from profile_contract.request_status import Condition, ProfileRequestStatus
from profile_contract.resource import RequestHead
from profile_contract.stages.stage_text import StageText
from profile_contract.stages.table import STAGES, Stage
from profile_operator.clock import parsed, stamp

from .advice import advised, plain
from .facts import Facts
from .outdated import outdated
from .plan import Action, EventNote, Plan
from .standing import ABOUT_TO_START, Decision, StageState, Standing
from .status import next_status

_STAGE_CONDITIONS = {stage: row.condition for stage, row in STAGES.items()}
ORDER = (
    ConditionType.READY,
    *_STAGE_CONDITIONS.values(),
    ConditionType.OUTDATED,
    ConditionType.OMITTED,
    ConditionType.RECONCILING,
    ConditionType.STALLED,
)

# A pod that starts is told of so much later.
STARTED_SECONDS = 10.0
# Finishing that goes well is not told of before it takes longer than this.
FINISHING_SECONDS = 30.0


class Untimed(NamedTuple):
    """A condition but for its times. The reason is a text where another version may have written it.

    `generation`: which one it was found at; None: the one that is decided on.
    """

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    generation: int | None = None


def tell(facts: Facts, decision: Decision) -> Plan:
    """The decision's plan: its actions, and the whole status with its Events where it says anything new."""
    if held_back := _untold_seconds(facts, decision):
        return Plan(decision.actions, again=held_back)
    status, current = next_status(facts, decision), decision.current
    stages: dict[str, Untimed] = {_STAGE_CONDITIONS[s.stage]: _stage(facts, s) for s in decision.standings}
    ready = _ready(facts, decision, status)
    if ready.status == "True":
        text = StageText.DONE
    elif current is None or current.state in (StageState.BLOCKED, StageState.STALLED):
        text = StageText.STALLED
    else:
        special = {StageState.HELD: StageText.SUSPENDED, StageState.QUEUED: StageText.QUEUED}
        # Of generation, which has no Job: a predictor is about to start.
        waits = current.reason is Reason.QUEUED
        text = StageText.QUEUED if waits else special.get(current.state, STAGES[current.stage].title)
    known = {**stages, **_outdated(facts, status), **_omitted(facts)}
    untimed = {**known, **_summary(ready, stalled=text is StageText.STALLED)}
    conditions = _timed(facts.head, facts.now, untimed)
    whole = status.model_copy(update={"conditions": conditions, "stage_text": text})
    return plan_of(facts.head, whole, decision.actions, decision.again)


def _untold_seconds(facts: Facts, decision: Decision) -> float:
    """For how many seconds more nothing is told of finishing that has begun; 0: all is told now.

    It ends in seconds, mostly, and its end tells of what was drawn as well: one write less for every request.
    """
    before, current = facts.head.status, decision.current
    drawing = before.stage_text == STAGES[Stage.GENERATE].title and before.observed_generation == facts.head.generation
    drawn = max((report.finished_at for report in facts.snapshot.reports.generate.values()), default="")
    if current is None or (current.stage, current.state) != (Stage.FINISH, StageState.RUNNING) or not drawing:
        return 0.0
    if current.reason is not Reason.RUNNING and current.message != ABOUT_TO_START:
        return 0.0
    passed = (facts.now - parsed(drawn)).total_seconds() if drawn else FINISHING_SECONDS
    return FINISHING_SECONDS - passed if 0 <= passed < FINISHING_SECONDS else 0.0


def keep(facts: Facts, actions: tuple[Action, ...], again: float | None = None) -> Plan:
    """What was told stands; only what the platform changed meanwhile is told anew."""
    head = facts.head
    before = {kind: _as_told(condition) for condition in head.status.conditions if (kind := condition.type) in ORDER}
    conditions = _timed(head, facts.now, {**before, **_outdated(facts, head.status)})
    status = head.status.model_copy(update={"conditions": conditions, "compared": facts.snapshot.compared})
    return plan_of(head, status, actions, again)


def plan_of(
    head: RequestHead, status: ProfileRequestStatus, actions: tuple[Action, ...] = (), again: float | None = None
) -> Plan:
    """The plan that carries out the actions, and writes the status and its Events if it says anything new."""
    if status == head.status:
        return Plan(actions, again=again)
    return Plan(actions, status, _events(head.status, status), again)


def _as_told(condition: Condition) -> Untimed:
    """A condition as it was told, of the generation that it meant."""
    return Untimed(condition.status, condition.reason, condition.message, condition.observed_generation)


def _outdated(facts: Facts, status: ProfileRequestStatus) -> dict[str, Untimed]:
    """Whether the platform changed what the request was resolved to: as it was told before while that is not known."""
    changed = outdated(facts, status)
    if changed is None:
        before = [c for c in facts.head.status.conditions if c.type == ConditionType.OUTDATED]
        return {condition.type: _as_told(condition) for condition in before}
    reason, message = changed
    return {ConditionType.OUTDATED: Untimed("True" if reason is Reason.PLATFORM_CHANGED else "False", reason, message)}


def _omitted(facts: Facts) -> dict[str, Untimed]:
    """Which styles nothing was drawn in, and why, while others were; no condition where all were drawn."""
    reports = facts.snapshot.reports.generate
    omitted = {key: reports[key] for key in facts.spec.style_keys if key in reports and not reports[key].candidates}
    reasons = [report.reason for report in omitted.values() if report.reason is not Reason.SUCCEEDED]
    if not reasons:
        return {}
    text = plain("; ".join(report.message for report in omitted.values()), 600)
    return {ConditionType.OMITTED: Untimed("True", reasons[0], advised(reasons[0], text))}


# --- the conditions of a decision --------------------------------------------------------------------------------


def _stage(facts: Facts, standing: Standing) -> Untimed:
    """The condition of one stage."""
    reason, message = standing.reason, standing.message
    match standing.state:
        case StageState.DONE if reason is Reason.NOT_ASKED:
            return Untimed("False", Reason.NOT_ASKED, "nothing is trained: spec.training.mode is None")
        case StageState.DONE:
            return Untimed("True", Reason.SUCCEEDED, _done_text(facts, standing.stage))
        case StageState.WAITING | StageState.READY:
            reason, message = Reason.WAITING_FOR_STAGE, ""
        case StageState.HELD:
            reason, message = Reason.SUSPENDED, ""
        case StageState.ENDING:
            reason, message = Reason.PENDING, "waiting for an earlier Job of the same name to end"
        case StageState.RUNNING if reason is Reason.RUNNING and _starts(facts, standing.stage):
            reason, message = Reason.PENDING, ABOUT_TO_START
        case StageState.RUNNING if reason is Reason.RUNNING:
            message = STAGES[standing.stage].doing
    return Untimed("False", reason, message if standing.state is StageState.BLOCKED else plain(message))


def _starts(facts: Facts, stage: Stage) -> bool:
    """Whether it was told a moment ago that the pod is about to start: short stages then cost no write more."""
    kind, conditions = _STAGE_CONDITIONS[stage], facts.head.status.conditions
    before = next((condition.message for condition in conditions if condition.type == kind), "")
    return before == ABOUT_TO_START and facts.snapshot.seconds_since_write < STARTED_SECONDS


def _ready(facts: Facts, decision: Decision, status: ProfileRequestStatus) -> Untimed:
    """Ready: the stage that tells how the request goes, or what was delivered."""
    standing, report = decision.current, facts.snapshot.reports.finish
    if standing is None:
        if report is not None and not report.portraits:
            reason = report.reason if report.reason is not Reason.SUCCEEDED else Reason.NO_LIKENESS_REACHED
            message = report.message or "no candidate reached spec.minimumLikeness"
            return Untimed("False", reason, advised(reason, message))
        previews = report is not None and report.preview
        delivered, what = (status.previews, "preview") if previews else (status.portraits, "portrait")
        styles = len({portrait.style_ref.key for portrait in delivered})
        best = max((portrait.likeness for portrait in delivered), default=0)
        text = f"{_count(len(delivered), what)} in {_count(styles, 'style')}, best likeness {best}%"
        return Untimed("True", Reason.SUCCEEDED, text)
    if standing.state is StageState.HELD:
        return Untimed("False", Reason.SUSPENDED, "spec.suspend is set")
    if standing.state is StageState.BLOCKED:
        return Untimed("False", standing.reason, advised(standing.reason, standing.message))
    if standing.state is StageState.STALLED:
        message = f"{standing.stage.value}: {standing.message}"
        return Untimed("False", standing.reason, advised(standing.reason, message))
    stage = _stage(facts, standing)
    return stage._replace(message=f"{standing.stage.value}: {stage.message}")


def _done_text(facts: Facts, stage: Stage) -> str:
    """What a stage that is done made."""
    reports = facts.snapshot.reports
    if stage is Stage.PREPROCESS and reports.preprocess is not None:
        verdicts = reports.preprocess.verdicts
        return f"{sum(v.accepted for v in verdicts)} of {_count(len(verdicts), 'photo')} can be used"
    if stage is Stage.TRAIN and reports.train is not None:
        report, changes = reports.train, ", ".join(reports.train.changes)
        smaller = f"; after running out of memory: {changes}" if changes else ""
        return f"the adapter of step {report.chosen_step or report.steps} was chosen{smaller}"
    if stage is Stage.GENERATE and reports.generate:
        pictures = sum(len(report.candidates) for report in reports.generate.values())
        return f"{_count(pictures, 'picture')} drawn in {_count(len(reports.generate), 'style')}"
    delivered = stage is Stage.FINISH and reports.finish is not None
    if not delivered or reports.finish is None:
        return ""
    return f"{_count(len(reports.finish.portraits), 'preview' if reports.finish.preview else 'portrait')} delivered"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _summary(ready: Untimed, *, stalled: bool) -> dict[str, Untimed]:
    """Ready, and what follows from it: Reconciling while the operator works on it, Stalled while a person must act."""
    resting = Untimed("False", ready.reason)
    idle = ready.status == "True" or ready.reason is Reason.SUSPENDED
    return {
        ConditionType.READY: ready,
        ConditionType.RECONCILING: resting if idle or stalled else ready._replace(status="True"),
        ConditionType.STALLED: ready._replace(status="True") if stalled and not idle else resting,
    }


def _timed(head: RequestHead, now: datetime, untimed: Mapping[str, Untimed]) -> list[Condition]:
    """The conditions with their times, in the fixed order, then what others wrote. The transition time changes with the
    status only."""
    before = {condition.type: condition for condition in head.status.conditions}
    conditions = []
    for kind in (kind for kind in ORDER if kind in untimed):
        condition, previous = untimed[kind], before.get(kind)
        same = previous is not None and previous.status == condition.status
        generation = max(head.generation, 0) if condition.generation is None else condition.generation
        conditions.append(
            Condition(
                type=kind,
                status=condition.status,
                reason=condition.reason,
                message=plain(condition.message, 1000),
                last_transition_time=previous.last_transition_time if previous is not None and same else stamp(now),
                observed_generation=generation,
            )
        )
    return [*conditions, *(condition for condition in head.status.conditions if condition.type not in ORDER)]


# --- an outage ---------------------------------------------------------------------------------------------------


def outage(head: RequestHead, reason: Reason, message: str, now: datetime) -> Plan:
    """What is told when a request could not be looked at or acted on. The caller looks again by itself.

    Of a request that is ready nothing: its portraits were delivered, and that they cannot be seen now changes nothing.
    """
    if head.ready and not head.deleting and REASONS[reason].kind is ReasonKind.PLATFORM:
        return Plan()
    return plan_of(head, outage_status(head, reason, message, now))


def outage_status(head: RequestHead, reason: Reason, message: str, now: datetime) -> ProfileRequestStatus:
    """Ready is False for this reason; what the stages said before still stands, of the generation that they meant."""
    # A person's reasons end only when somebody changes something; all else the operator tries again by itself.
    stalled = REASONS[reason].kind is ReasonKind.PERSON and not head.deleting
    if head.deleting:
        ready, text = Untimed("False", Reason.DELETING, plain(f"waits with deleting: {message}")), StageText.DELETING
    elif stalled:
        ready, text = Untimed("False", reason, advised(reason, message)), StageText.STALLED
    else:
        ready, text = Untimed("False", reason, plain(message)), head.status.stage_text
    before = {condition.type: condition for condition in head.status.conditions}
    stages: dict[str, Untimed] = {kind: Untimed("False", Reason.PENDING) for kind in _STAGE_CONDITIONS.values()}
    stages |= {kind: _as_told(before[kind]) for kind in (*stages, ConditionType.OUTDATED) if kind in before}
    conditions = _timed(head, now, {**stages, **_summary(ready, stalled=stalled)})
    changes = {"observed_generation": head.generation, "conditions": conditions, "stage_text": text}
    return head.status.model_copy(update=changes)


# --- Events ------------------------------------------------------------------------------------------------------


_WORTH_AN_EVENT = (("True", Reason.SUCCEEDED), ("False", Reason.RUNNING))


def _events(old: ProfileRequestStatus, new: ProfileRequestStatus) -> tuple[EventNote, ...]:
    """What a change of the status is worth telling: stages that begin or end, what stalls, what hinders, the end."""
    before = {condition.type: (condition.status, condition.reason) for condition in old.conditions}
    after = {condition.type: condition for condition in new.conditions}
    changed = {kind for kind, condition in after.items() if before.get(kind) != (condition.status, condition.reason)}
    notes = [
        EventNote(Reason(after[kind].reason), f"{stage.value}: {after[kind].message}")
        for stage, kind in _STAGE_CONDITIONS.items()
        if kind in changed and (after[kind].status, after[kind].reason) in _WORTH_AN_EVENT
    ]
    if ConditionType.READY not in changed:
        # As it was told, by another version perhaps: with a reason that this one does not know.
        return tuple(notes)
    ready, stalled = after[ConditionType.READY], after[ConditionType.STALLED].status == "True"
    reason = Reason(ready.reason)
    if ready.status == "True":
        notes.append(EventNote(reason, f"ready: {ready.message}"))
    elif stalled or REASONS[reason].kind is ReasonKind.PLATFORM:
        notes.append(EventNote(reason, ready.message, warning=True))
    elif reason in (Reason.SUSPENDED, Reason.DELETING):
        notes.append(EventNote(reason, ready.message))
    return tuple(notes)
