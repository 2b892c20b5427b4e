"""Standing: where one stage stands, and the Decision that is made of all four."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from profile_contract.artifacts import REPORT
from profile_contract.conditions import REASONS, Reason, ReasonKind
from profile_contract.request_status import StageFailure
from profile_contract.resolved import Resolved
from profile_contract.resource import RequestHead
from profile_contract.stages.order import StageReport
from profile_contract.stages.table import Stage
from profile_operator.clock import parsed, stamp
from profile_operator.observe.snapshot import JobState, JobView, Snapshot

from .failure import due, heals, is_due, new_failure, reason_of, remembered
from .plan import Action, DeleteJob, DropReport

ABOUT_TO_START = "the pod is about to start"


class StageState(StrEnum):
    """Where a stage stands."""

    DONE = "Done"
    RUNNING = "Running"
    QUEUED = "Queued"  # until a GPU is free for it
    READY = "Ready"  # nothing stands and nothing runs: it may begin
    ENDING = "Ending"  # what stood there is going; look again
    PAUSED = "Paused"  # the platform failed it; it is tried again by itself, after a while
    STALLED = "Stalled"  # it failed, and will not go on by itself
    BLOCKED = "Blocked"  # what the request asks for is not there: nothing new of it is begun
    HELD = "Held"  # by spec.suspend
    WAITING = "Waiting"  # for the stage before


@dataclass(frozen=True)
class Standing:
    """A stage and where it stands. `clearing` takes away what failed, when it is to be tried again.

    `digest` is empty where it is not known, since the photos are not. `failure` is what the status is to remember, also
    while another attempt runs.
    """

    stage: Stage
    state: StageState
    digest: str = ""
    reason: Reason = Reason.RUNNING
    message: str = ""
    job: JobView | None = None
    report: StageReport | None = None
    failure: StageFailure | None = None
    clearing: tuple[Action, ...] = ()


Standings = tuple[Standing, ...]


@dataclass(frozen=True)
class Decision:
    """What a policy answers: where the four stages stand then, and what is to be done.

    No standings: what was told before stands. `again`: look again after so many seconds; None: as the standings ask for
    it. `resolved`: what the stages are run with from now on; None: as before.
    """

    standings: Standings = ()
    actions: tuple[Action, ...] = ()
    again: float | None = None
    resolved: Resolved | None = None

    @property
    def current(self) -> Standing | None:
        """The standing that tells how the request goes: what blocks it, else the first stage that is not done."""
        unfinished = [standing for standing in self.standings if standing.state is not StageState.DONE]
        blocking = [standing for standing in unfinished if standing.state is StageState.BLOCKED]
        return next(iter((*blocking, *unfinished)), None)


def standings_of(snapshot: Snapshot, now: datetime) -> Standings:
    """The stages that are done, then the one that matters now, then those that wait for it.

    Where the portraits stand, all that they were made of has done its part, though its report may be gone.
    """
    finished = snapshot.reports.finish
    if finished is not None and finished.outcome == "Done":
        return tuple(_done(stage, snapshot) for stage in Stage)
    standings: list[Standing] = []
    for stage in Stage:
        if standings and standings[-1].state is not StageState.DONE:
            standings.append(Standing(stage, StageState.WAITING, snapshot.chain.of(stage), Reason.WAITING_FOR_STAGE))
        elif stage is Stage.GENERATE:
            standings.append(_generation(snapshot, now))
        elif stage is Stage.TRAIN and not snapshot.resolved.train.training.trains:
            standings.append(_done(stage, snapshot))
        else:
            standings.append(_job_stage(stage, snapshot, now))
    return tuple(standings)


def queue_text(queue: str, hindrance: str = "") -> str:
    """What is told of a Job that a queue of Kueue holds. `hindrance`: why it lets nobody go, if so."""
    return f"waits in the queue {queue}; {hindrance}" if hindrance else f"waits in the queue {queue}"


def next_standing(standings: Standings) -> Standing | None:
    """The first stage that is not done."""
    return next((standing for standing in standings if standing.state is not StageState.DONE), None)


def renamed(snapshot: Snapshot) -> str:
    """What to do where a style names another predictor by now than the one that is drawn with; empty: it does not.

    The predictor is a part of what is drawn, and of its digest: it is taken over when a person asks for it.
    """
    for key, style in snapshot.resolved.styles.items():
        today = snapshot.styles.get(key)
        if key not in snapshot.reports.generate and today is not None and today.predictor != style.content.predictor:
            return f"; the style names {today.predictor} now: raise spec.refresh to draw with that"
    return ""


def _done(stage: Stage, snapshot: Snapshot) -> Standing:
    """The standing of a stage that did its part."""
    digest = snapshot.chain.of(stage)
    if stage is Stage.GENERATE:
        return Standing(stage, StageState.DONE, digest, Reason.SUCCEEDED)
    if stage is Stage.TRAIN and not snapshot.resolved.train.training.trains:
        return Standing(stage, StageState.DONE, digest, Reason.NOT_ASKED)
    job = snapshot.job(snapshot.chain.job_name(stage))
    return Standing(stage, StageState.DONE, digest, Reason.SUCCEEDED, job=job, report=snapshot.reports.of(stage))


def with_standing(standings: Standings, changed: Standing) -> Standings:
    """The standings with this one in the place of its stage's."""
    return tuple(changed if standing.stage is changed.stage else standing for standing in standings)


def _job_stage(stage: Stage, snapshot: Snapshot, now: datetime) -> Standing:
    """The standing of a stage that runs as a Job. The report is the truth; the Job only tells how it is going."""
    digest, report = snapshot.chain.of(stage), snapshot.reports.of(stage)
    job = snapshot.job(snapshot.chain.job_name(stage))
    if report is not None and report.outcome == "Done":
        return _done(stage, snapshot)
    if job is not None and job.orphaned and job.owner_uid != snapshot.head.uid and job.digest == digest:
        # Ours, and nobody's any more: another takes its place, and training goes on from its checkpoint.
        replaced = () if job.deleting else (DeleteJob(job.name, job.uid),)
        return Standing(stage, StageState.ENDING, digest, job=job, clearing=replaced)
    if job is not None and job.owner_uid != snapshot.head.uid:
        text = f"a Job named {job.name} exists and belongs to something else"
        failure = remembered(snapshot, stage)
        return Standing(stage, StageState.STALLED, digest, Reason.CONFLICT, text, failure=failure)
    clearing: list[Action] = []
    if report is not None:
        clearing.append(DropReport(snapshot.chain.prefix(stage) + REPORT))
    if job is not None and not job.deleting:
        clearing.append(DeleteJob(job.name, job.uid))
    failure = _failure(snapshot, stage, now)
    standing = Standing(stage, StageState.READY, digest, job=job, report=report, failure=failure)
    if job is not None and job.deleting and (report is None or not snapshot.head.retrying):
        return replace(standing, state=StageState.ENDING)
    running = job is not None and not job.finished and not _is_lost(job) and report is None
    if running or failure is None:
        return _under_way(standing)
    return failed(standing, snapshot.head, now, tuple(clearing))


def _under_way(standing: Standing) -> Standing:
    """The standing of a stage that neither ended nor failed: it may begin, runs, or its Job is held by a queue."""
    job = standing.job
    if job is None:
        return standing
    if job.state is JobState.SUSPENDED:
        text = "the Job is suspended; it goes on when whoever did that lets it"
        text = queue_text(job.queue, job.hindrance) if job.queue else text
        return replace(standing, state=StageState.QUEUED, reason=Reason.QUEUED, message=text)
    if job.cause is not None:
        return replace(standing, state=StageState.RUNNING, reason=job.cause.reason, message=job.cause.message)
    # It runs only where a pod of it does.
    if job.running:
        return replace(standing, state=StageState.RUNNING)
    return replace(standing, state=StageState.RUNNING, reason=Reason.PENDING, message=ABOUT_TO_START)


def failed(standing: Standing, head: RequestHead, now: datetime, clearing: tuple[Action, ...] = ()) -> Standing:
    """Where a stage stands that failed and of which nothing runs. `clearing`: what has to go before it runs again."""
    failure = standing.failure
    # A spec that cannot be carried out is tried at every look: that costs nothing.
    if failure is None or failure.reason == Reason.INVALID_SPEC:
        return standing
    again = replace(standing, state=StageState.ENDING if clearing else StageState.READY, clearing=clearing)
    if head.retrying:
        return replace(again, failure=None)
    if not heals(failure):
        return replace(standing, state=StageState.STALLED, reason=reason_of(failure), message=failure.message)
    if is_due(failure, now):
        return again
    text = f"{failure.message}; attempt {failure.attempt} failed, it is tried again at {stamp(due(failure))}"
    return replace(standing, state=StageState.PAUSED, reason=reason_of(failure), message=text)


def _failure(snapshot: Snapshot, stage: Stage, now: datetime) -> StageFailure | None:
    """Why a stage without a good report does not go on: as its report or its Job tells, else as it was remembered."""
    report, job = snapshot.reports.of(stage), snapshot.job(snapshot.chain.job_name(stage))
    before = remembered(snapshot, stage)
    ended = job.completed if job is not None and job.finished else None
    lost = job is not None and _is_lost(job)
    if job is not None and lost and not _is_told(before, job):
        ended = now
    if ended is None and report is not None and report.finished_at:
        ended = parsed(report.finished_at)
    if before is not None and (ended is None or stamp(ended) <= before.time):
        return before
    if report is not None:
        reason, message = report.reason, report.message
    elif job is None or not (job.finished or lost):
        return None
    elif job.state is JobState.SUCCEEDED:
        reason, message = Reason.STAGE_FAILED, f"the Job {job.name} ended well, but its report is not in the store"
    elif job.cause is not None:
        reason, message = job.cause.reason, job.cause.message
    else:
        reason, message = Reason.STAGE_FAILED, f"the Job {job.name} failed"
    return new_failure(snapshot, stage, reason, message, ended or now)


def _is_lost(job: JobView) -> bool:
    """Whether nothing is to come of a Job that has not ended: each further pod of it would end as the last did."""
    return not job.finished and job.cause is not None and job.cause.final


def _is_told(failure: StageFailure | None, job: JobView) -> bool:
    """Whether the failure is that of this Job."""
    return failure is not None and (job.started is None or failure.time >= stamp(job.started))


def _generation(snapshot: Snapshot, now: datetime) -> Standing:
    """The standing of generation, which runs beside the loop: a report a style is the truth here."""
    stage, digest, view = Stage.GENERATE, snapshot.chain.generate, snapshot.generation
    reports = {name: snapshot.reports.generate.get(name) for name in snapshot.chain.styles}
    bad = {name: report for name, report in reports.items() if report is not None and report.outcome != "Done"}
    if not bad and all(report is not None for report in reports.values()):
        return _done(stage, snapshot)
    known, failure = view.digest == digest, remembered(snapshot, stage)
    clearing = tuple(DropReport(snapshot.chain.prefix(stage, snapshot.chain.styles[name]) + REPORT) for name in bad)
    if known and view.running and not bad:
        hint = renamed(snapshot) if view.reason is Reason.PREDICTOR_UNAVAILABLE else ""
        return Standing(stage, StageState.RUNNING, digest, view.reason or Reason.RUNNING, f"{view.message}{hint}")
    ended: tuple[Reason, str] | None = next(((report.reason, report.message) for report in bad.values()), None)
    # It works on by itself where the platform heals.
    if ended is None and known and view.reason and REASONS[view.reason].kind is ReasonKind.PERSON:
        ended = view.reason, view.message
    if failure is None and ended is not None:
        failure = new_failure(snapshot, stage, *ended, now)
    return failed(Standing(stage, StageState.READY, digest, failure=failure), snapshot.head, now, clearing)
