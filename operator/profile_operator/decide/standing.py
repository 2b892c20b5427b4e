"""Standing: where one stage stands, and the Decision that is made of all four."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from profile_contract.artifacts import REPORT
from profile_contract.conditions import REASONS, Reason, ReasonKind
from profile_contract.stages.order import StageReport
from profile_contract.stages.table import Stage
from profile_operator.observe.snapshot import JobState, JobView, Snapshot

from .plan import Action, DeleteJob, DropReport


class StageState(StrEnum):
    """Where a stage stands."""

    DONE = "Done"
    RUNNING = "Running"
    QUEUED = "Queued"  # until a GPU is free for it
    READY = "Ready"  # nothing stands and nothing runs: it may begin
    ENDING = "Ending"  # what stood there is going; look again
    STALLED = "Stalled"  # it failed, and will not go on by itself
    BLOCKED = "Blocked"  # what the request asks for is not there: nothing new of it is begun
    HELD = "Held"  # by spec.suspend
    WAITING = "Waiting"  # for the stage before


@dataclass(frozen=True)
class Standing:
    """A stage and where it stands. `clearing` takes away what failed, when a person asked to try again.

    `digest` is empty where it is not known, since the photos are not.
    """

    stage: Stage
    state: StageState
    digest: str = ""
    reason: Reason = Reason.RUNNING
    message: str = ""
    job: JobView | None = None
    report: StageReport | None = None
    clearing: tuple[Action, ...] = ()


Standings = tuple[Standing, ...]


@dataclass(frozen=True)
class Decision:
    """What a policy answers: where the four stages stand then, and what is to be done.

    No standings: nothing is told, what was told before stands. `again`: look again after so many seconds; None: as
    the standings ask for it.
    """

    standings: Standings = ()
    actions: tuple[Action, ...] = ()
    again: float | None = None

    @property
    def current(self) -> Standing | None:
        """The standing that tells how the request goes: what blocks it, else the first stage that is not done."""
        unfinished = [standing for standing in self.standings if standing.state is not StageState.DONE]
        blocking = [standing for standing in unfinished if standing.state is StageState.BLOCKED]
        return next(iter((*blocking, *unfinished)), None)


def standings_of(snapshot: Snapshot) -> Standings:
    """The stages that are done, then the one that matters now, then those that wait for it."""
    standings: list[Standing] = []
    for stage in Stage:
        if standings and standings[-1].state is not StageState.DONE:
            standings.append(Standing(stage, StageState.WAITING, snapshot.chain.of(stage), Reason.WAITING_FOR_STAGE))
        elif stage is Stage.GENERATE:
            standings.append(_generation(snapshot))
        else:
            standings.append(_job_stage(stage, snapshot))
    return tuple(standings)


def queue_text(queue: str) -> str:
    """What is told of a Job that a queue of Kueue holds."""
    return f"waits in the queue {queue}"


def next_standing(standings: Standings) -> Standing | None:
    """The first stage that is not done."""
    return next((standing for standing in standings if standing.state is not StageState.DONE), None)


def with_standing(standings: Standings, changed: Standing) -> Standings:
    """The standings with this one in the place of its stage's."""
    return tuple(changed if standing.stage is changed.stage else standing for standing in standings)


def _job_stage(stage: Stage, snapshot: Snapshot) -> Standing:
    """The standing of a stage that runs as a Job. The report is the truth; the Job only tells how it is going."""
    digest, report = snapshot.chain.of(stage), snapshot.reports.of(stage)
    job = snapshot.job(snapshot.chain.job_name(stage))
    if report is not None and report.outcome == "Done":
        return Standing(stage, StageState.DONE, digest, Reason.SUCCEEDED, job=job, report=report)
    if job is not None and job.owner_uid != snapshot.head.uid:
        text = f"a Job named {job.name} exists and belongs to something else"
        return Standing(stage, StageState.STALLED, digest, Reason.CONFLICT, text)
    if job is not None and job.deleting:
        return Standing(stage, StageState.ENDING, digest, job=job)
    failure = _failure(report, job)
    if failure is None:
        return _under_way(stage, digest, job)
    if not snapshot.head.retrying:
        return Standing(stage, StageState.STALLED, digest, *failure, job=job, report=report)
    clearing: list[Action] = [DeleteJob(job.name)] if job is not None else []
    if report is not None:
        clearing.append(DropReport(snapshot.chain.prefix(stage) + REPORT))
    return Standing(stage, StageState.ENDING, digest, job=job, clearing=tuple(clearing))


def _under_way(stage: Stage, digest: str, job: JobView | None) -> Standing:
    """The standing of a stage that neither ended nor failed: it may begin, runs, or its Job is held by a queue."""
    if job is None:
        return Standing(stage, StageState.READY, digest)
    if job.state is JobState.SUSPENDED:
        text = queue_text(job.queue) if job.queue else "the Job is suspended; it goes on when whoever did that lets it"
        return Standing(stage, StageState.QUEUED, digest, Reason.QUEUED, text, job=job)
    return Standing(stage, StageState.RUNNING, digest, job=job, message=job.waiting)


def _failure(report: StageReport | None, job: JobView | None) -> tuple[Reason, str] | None:
    """Why a stage without a good report will not go on by itself: reason and message; None where it may."""
    if report is not None:
        return report.reason, report.message
    if job is None or not job.finished:
        return None
    if job.state is JobState.SUCCEEDED:
        return Reason.STAGE_FAILED, f"the Job {job.name} ended well, but its report is not in the store"
    if job.termination is not None:
        return job.termination.reason, job.termination.message
    return Reason.STAGE_FAILED, f"the Job {job.name} failed"


def _generation(snapshot: Snapshot) -> Standing:
    """The standing of generation, which runs beside the loop: a report a style is the truth here."""
    stage, digest, view = Stage.GENERATE, snapshot.chain.generate, snapshot.generation
    reports = {name: snapshot.reports.generate.get(name) for name in snapshot.chain.styles}
    bad = {name: report for name, report in reports.items() if report is not None and report.outcome != "Done"}
    if bad and snapshot.head.retrying:
        prefixes = [snapshot.chain.prefix(stage, snapshot.chain.styles[name]) for name in bad]
        clearing = tuple(DropReport(prefix + REPORT) for prefix in prefixes)
        return Standing(stage, StageState.ENDING, digest, clearing=clearing)
    for report in bad.values():
        return Standing(stage, StageState.STALLED, digest, report.reason, report.message)
    if all(report is not None for report in reports.values()):
        return Standing(stage, StageState.DONE, digest, Reason.SUCCEEDED)
    if view.digest != digest or snapshot.head.retrying:
        return Standing(stage, StageState.READY, digest)
    # It works on by itself where the platform heals.
    if view.reason and REASONS[view.reason].kind is ReasonKind.PERSON and not view.running:
        return Standing(stage, StageState.STALLED, digest, view.reason, view.message)
    state = StageState.RUNNING if view.running else StageState.READY
    return Standing(stage, state, digest, view.reason or Reason.RUNNING, view.message)
