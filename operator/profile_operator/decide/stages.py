"""Where each stage stands: a step for each of the four, from its report and its Job."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from profile_contract.artifacts import REPORT
from profile_contract.conditions import Reason
from profile_contract.stages.order import StageReport
from profile_contract.stages.table import Stage
from profile_operator.decide.plan import Action, DeleteJob, DropReport
from profile_operator.observe.chain import Chain
from profile_operator.observe.snapshot import JobState, JobView, Snapshot

# Generation ended with these; the others it works on by itself.
_FINAL = frozenset({Reason.PREDICTOR_REFUSED, Reason.STAGE_FAILED})


class Phase(StrEnum):
    """Where a stage stands."""

    DONE = "Done"
    RUNNING = "Running"
    READY = "Ready"  # nothing stands and nothing runs: it may begin
    ENDING = "Ending"  # an old Job of the same name is going; look again
    STALLED = "Stalled"
    WAITING = "Waiting"  # for the stage before
    HELD = "Held"  # by spec.suspend, or by an obstacle before any stage


@dataclass(frozen=True)
class Step:
    """A stage and where it stands. `clearing` takes away what failed, when a person asked to try again."""

    stage: Stage
    phase: Phase
    digest: str = ""
    reason: Reason = Reason.RUNNING
    message: str = ""
    job: JobView | None = None
    report: StageReport | None = None
    clearing: tuple[Action, ...] = ()


def job_step(stage: Stage, snapshot: Snapshot, chain: Chain, *, retrying: bool) -> Step:
    """The step of a stage that runs as a Job. The report is the truth; the Job only tells how it is going."""
    digest, report = chain.of(stage), snapshot.reports.of(stage)
    job = snapshot.job(chain.job_name(stage))
    if report is not None and report.outcome == "Done":
        return Step(stage, Phase.DONE, digest, Reason.SUCCEEDED, job=job, report=report)
    if job is not None and job.owner_uid != snapshot.head.uid:
        text = f"a Job named {job.name} exists and belongs to something else"
        return Step(stage, Phase.STALLED, digest, Reason.CONFLICT, text)
    if job is not None and job.deleting:
        return Step(stage, Phase.ENDING, digest, job=job)
    failure = _failure(report, job)
    if failure is None:
        return Step(stage, Phase.RUNNING if job else Phase.READY, digest, job=job, message=job.waiting if job else "")
    if retrying:
        return Step(stage, Phase.ENDING, digest, job=job, clearing=_clearing(stage, chain, report, job))
    return Step(stage, Phase.STALLED, digest, *failure, job=job, report=report)


def _failure(report: StageReport | None, job: JobView | None) -> tuple[Reason, str] | None:
    """Why the stage will not go on by itself, or None."""
    if report is not None:
        return report.reason, report.message
    if job is None or not job.finished:
        return None
    if job.state is JobState.SUCCEEDED:
        return Reason.STAGE_FAILED, f"the Job {job.name} ended well, but its report is not in the store"
    if job.termination is not None:
        return job.termination.reason, job.termination.message
    return Reason.STAGE_FAILED, f"the Job {job.name} failed"


def _clearing(stage: Stage, chain: Chain, report: StageReport | None, job: JobView | None) -> tuple[Action, ...]:
    actions: list[Action] = []
    if job is not None:
        actions.append(DeleteJob(job.name))
    if report is not None:
        actions.append(DropReport(chain.prefix(stage) + REPORT))
    return tuple(actions)


def generate_step(snapshot: Snapshot, chain: Chain, *, retrying: bool) -> Step:
    """The step of generation, which runs beside the loop."""
    stage, digest, view = Stage.GENERATE, chain.generate, snapshot.generation
    standing = {name: snapshot.reports.generate.get(name) for name in chain.styles}
    bad = {name: report for name, report in standing.items() if report is not None and report.outcome != "Done"}
    if bad and retrying:
        keys = [chain.prefix(stage, chain.styles[name]) + REPORT for name in bad]
        return Step(stage, Phase.ENDING, digest, clearing=tuple(DropReport(key) for key in keys))
    for report in bad.values():
        return Step(stage, Phase.STALLED, digest, report.reason, report.message)
    if all(report is not None for report in standing.values()):
        return Step(stage, Phase.DONE, digest, Reason.SUCCEEDED)
    if view.digest != digest or retrying:
        return Step(stage, Phase.READY, digest)
    if view.reason in _FINAL and not view.running:
        return Step(stage, Phase.STALLED, digest, view.reason, view.message)
    phase = Phase.RUNNING if view.running else Phase.READY
    return Step(stage, phase, digest, view.reason or Reason.RUNNING, view.message)


def steps_of(snapshot: Snapshot, chain: Chain, *, retrying: bool) -> tuple[Step, ...]:
    """The four steps: those done, then the one that matters now, then the waiting ones."""
    steps: list[Step] = []
    open_before = False
    for stage in Stage:
        if open_before:
            steps.append(Step(stage, Phase.WAITING, chain.of(stage), Reason.WAITING_FOR_STAGE))
            continue
        if stage is Stage.GENERATE:
            step = generate_step(snapshot, chain, retrying=retrying)
        else:
            step = job_step(stage, snapshot, chain, retrying=retrying)
        open_before = step.phase is not Phase.DONE
        steps.append(step)
    return tuple(steps)
