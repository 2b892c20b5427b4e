"""One decision about one request."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from profile_contract.conditions import ConditionType, Reason
from profile_contract.stages.table import Stage
from profile_operator.config import OperatorConfig
from profile_operator.decide.generation_work import GenerationWork, UnknownPose, generation_work
from profile_operator.decide.plan import (
    Action,
    AddFinalizer,
    DeleteJob,
    IssueCredentials,
    Plan,
    StartGeneration,
    StopGeneration,
    SuspendJob,
)
from profile_operator.observe.chain import Chain, chain_of
from profile_operator.observe.snapshot import JobState, Snapshot

from .events import events_between
from .obstacles import Obstacle, obstacle_of, retrying
from .orders import create_job, open_scopes, request_ref
from .outcome import Outcome
from .stages import Phase, Step, steps_of
from .status import next_status

# A Job that is going away, or a stage that was just cleared: nothing tells us the moment it is gone.
SOON_SECONDS = 2.0


def decide(snapshot: Snapshot, now: datetime, config: OperatorConfig) -> Plan:
    """The plan for what is true now. Calling it again with what the plan made true gives an empty plan."""
    if _finished_unclear(snapshot):
        return Plan()
    outcome, actions = _outcome(snapshot, config)
    if not snapshot.head.finalized:
        actions = (AddFinalizer(), *actions)
    status = next_status(snapshot, outcome, now, config)
    changed = status != snapshot.head.status
    events = events_between(snapshot.head.status, status)
    return Plan(actions, status if changed else None, events if changed else (), _again(outcome, config))


def _finished_unclear(snapshot: Snapshot) -> bool:
    """Whether a finished request uses a style that a newer version wrote: what is finished stays as it is."""
    status = snapshot.head.status
    if not snapshot.unclear_styles or status.observed_generation != snapshot.head.generation:
        return False
    return any(condition.type == ConditionType.READY and condition.status == "True" for condition in status.conditions)


def _outcome(snapshot: Snapshot, config: OperatorConfig) -> tuple[Outcome, tuple[Action, ...]]:
    """Where the request stands, and what to do about it."""
    chain = chain_of(snapshot.head.key, snapshot.spec, snapshot.photos_digest, snapshot.styles, config)
    obstacle = obstacle_of(snapshot, config)
    if obstacle is not None and obstacle.stage is Stage.PREPROCESS:
        return Outcome(chain=None, steps=_held(obstacle), obstacle=obstacle), ()
    steps = steps_of(snapshot, chain, retrying=retrying(snapshot))
    if snapshot.spec.suspend and any(step.phase is not Phase.DONE for step in steps):
        return Outcome(chain, _suspended(steps), suspended=True), _suspend(snapshot)
    if obstacle is not None:
        return Outcome(chain, _without_style(steps, obstacle), obstacle), ()
    steps, actions = _advance(steps, snapshot, chain, config)
    held = (*_resume(steps, snapshot, chain), *_credentials(steps, snapshot, chain))
    return Outcome(chain, steps), (*_superseded(snapshot, chain), *held, *actions)


def _advance(
    steps: tuple[Step, ...], snapshot: Snapshot, chain: Chain, config: OperatorConfig
) -> tuple[tuple[Step, ...], tuple[Action, ...]]:
    """Begin what may begin. The steps come back as they are once that is done."""
    current = next((step for step in steps if step.phase is not Phase.DONE), None)
    if current is None:
        return steps, ()
    if current.clearing:
        return steps, current.clearing
    try:
        if current.stage is Stage.GENERATE and current.phase in (Phase.READY, Phase.RUNNING):
            action: Action = StartGeneration(_work(snapshot, chain, config))
        elif current.phase is Phase.READY:
            action = create_job(current, steps, snapshot, chain, config)
        else:
            return steps, ()
    except (UnknownPose, ValueError) as error:
        stalled = replace(current, phase=Phase.STALLED, reason=Reason.INVALID_SPEC, message=str(error))
        return _with(steps, stalled), ()
    return _with(steps, replace(current, phase=Phase.RUNNING)), (action,)


def _work(snapshot: Snapshot, chain: Chain, config: OperatorConfig) -> GenerationWork:
    dataset, adapter = snapshot.reports.preprocess, snapshot.reports.train
    if dataset is None or adapter is None:
        raise ValueError("generation needs the reports of preprocessing and training")
    ref = request_ref(snapshot)
    return generation_work(
        ref,
        snapshot.spec,
        chain,
        styles=dict(snapshot.styles),
        dataset=dataset,
        adapter=adapter,
        config=config,
    )


def _with(steps: tuple[Step, ...], changed: Step) -> tuple[Step, ...]:
    return tuple(changed if step.stage is changed.stage else step for step in steps)


def _held(obstacle: Obstacle) -> tuple[Step, ...]:
    """The steps while the photos themselves are in the way: no digest is known."""
    return tuple(
        Step(stage, Phase.STALLED, reason=obstacle.reason, message=obstacle.message)
        if stage is obstacle.stage
        else Step(stage, Phase.WAITING, reason=Reason.WAITING_FOR_STAGE)
        for stage in Stage
    )


def _without_style(steps: tuple[Step, ...], obstacle: Obstacle) -> tuple[Step, ...]:
    """The steps while a style is missing: what runs goes on, the candidates cannot be known."""
    return tuple(
        replace(step, phase=Phase.STALLED, reason=obstacle.reason, message=obstacle.message)
        if step.stage is Stage.GENERATE
        else replace(step, phase=Phase.WAITING, reason=Reason.WAITING_FOR_STAGE)
        if step.stage is Stage.FINISH
        else step
        for step in steps
    )


def _suspended(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    text = "spec.suspend is set: nothing new is begun"
    return tuple(
        step
        if step.phase in (Phase.DONE, Phase.WAITING)
        else replace(step, phase=Phase.HELD, reason=Reason.SUSPENDED, message=text)
        for step in steps
    )


def _suspend(snapshot: Snapshot) -> tuple[Action, ...]:
    jobs = [job for job in snapshot.jobs if job.state is JobState.ACTIVE and _ours(snapshot, job.owner_uid)]
    stop: tuple[Action, ...] = (StopGeneration(),) if snapshot.generation.running else ()
    return (*(SuspendJob(job.name, suspended=True) for job in jobs if not job.deleting), *stop)


def _resume(steps: tuple[Step, ...], snapshot: Snapshot, chain: Chain) -> tuple[Action, ...]:
    """Let the current stage's suspended Job go on, with fresh credentials."""
    return tuple(
        SuspendJob(step.job.name, suspended=False, scopes=open_scopes(steps, snapshot, chain))
        for step in steps
        if step.phase is Phase.RUNNING and step.job is not None and step.job.state is JobState.SUSPENDED
    )


def _credentials(steps: tuple[Step, ...], snapshot: Snapshot, chain: Chain) -> tuple[Action, ...]:
    """Credentials for a stage whose pod is still to start and finds none: somebody deleted the Secret."""
    standing = snapshot.credentials
    return tuple(
        IssueCredentials(step.stage, open_scopes(steps, snapshot, chain))
        for step in steps
        if step.phase is Phase.RUNNING
        and step.job is not None
        and step.job.state is JobState.ACTIVE
        and not step.job.running
        and (standing is None or (standing.uid, standing.stage) != (snapshot.head.uid, step.stage))
    )


def _superseded(snapshot: Snapshot, chain: Chain) -> tuple[Action, ...]:
    """Jobs that still run for inputs that are no more."""
    current = {chain.job_name(stage) for stage in Stage}
    return tuple(
        DeleteJob(job.name)
        for job in snapshot.jobs
        if job.name not in current and not job.finished and not job.deleting and _ours(snapshot, job.owner_uid)
    )


def _ours(snapshot: Snapshot, owner_uid: str) -> bool:
    return owner_uid == snapshot.head.uid


def _again(outcome: Outcome, config: OperatorConfig) -> float | None:
    """When to look again if nothing happens. Watches and the resync tell of everything else."""
    if outcome.obstacle is not None and outcome.obstacle.again is not None:
        return outcome.obstacle.again
    phases = {step.phase for step in outcome.steps}
    if Phase.ENDING in phases:
        return SOON_SECONDS
    if Phase.RUNNING in phases:
        return config.progress_interval_seconds
    return None
