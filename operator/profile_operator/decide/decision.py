"""decide: one decision about one request. What holds stands in POLICIES; the first policy that answers decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

from profile_contract.artifacts import request_prefix, resolved_key, uploads_prefix
from profile_contract.candidates import UnknownPose
from profile_contract.conditions import ConditionType, Reason
from profile_contract.resolved import Resolved
from profile_contract.stages.preprocess import captions_apart
from profile_contract.stages.table import Stage
from profile_contract.style_ref import StyleRef
from profile_operator.clock import parsed
from profile_operator.observe.snapshot import JobState

from .advice import plain
from .facts import Facts
from .failure import due, new_failure
from .limits import excess_of
from .orders import create_job, needs_gpu, open_scopes, queue_of, start_generation, why_omitted
from .plan import (
    SOON_SECONDS,
    Action,
    AddFinalizer,
    DeleteJob,
    IssueCredentials,
    MarkPurgeable,
    Plan,
    StopGeneration,
    WithdrawCredentials,
    WriteResolved,
)
from .retention import await_refresh, left_behind
from .standing import (
    ABOUT_TO_START,
    Decision,
    StageState,
    Standing,
    Standings,
    next_standing,
    queue_text,
    renamed,
    with_standing,
)
from .status import purgeable
from .tell import STARTED_SECONDS, keep, tell
from .turns import Claim, Turn

# The user will upload, or take some away; nobody tells us of an upload.
LOOK_AGAIN_SECONDS = 60.0
# A stage's container ends right after its report was written; that its Job has ended is told later where thousands
# do at once (more than a minute, with 2,000 requests on one API server), and each deletion would add to that.
LINGER = timedelta(minutes=5)


def decide(facts: Facts) -> Plan:
    """The plan for what is true now. Asked again when the plan has come true, it gives an empty one."""
    decision = next(decision for policy in POLICIES if (decision := policy(facts)) is not None)
    actions = decision.actions
    if decision.standings:
        actions = (*_mark(facts, decision), *actions, *_overdue(facts, decision))
    actions = actions if facts.head.finalized else (AddFinalizer(), *actions)
    if not decision.standings:
        return keep(facts, actions, decision.again)
    return tell(facts, replace(decision, actions=actions, again=_again(facts, decision)))


def keep_what_is_finished(facts: Facts) -> Decision | None:
    """What was delivered is final until a person asks for something else, whatever the platform or the store does.

    A request that was ready before anything was recorded is recorded as it stands; where that cannot be told any more,
    it is left alone.
    """
    snapshot = facts.snapshot
    lost = facts.head.ready and not facts.head.retrying and snapshot.recorded is None
    if lost and any(standing.state is not StageState.DONE for standing in facts.standings):
        return Decision()
    return _settled(facts) if snapshot.settled else None


def keep_within_limits(facts: Facts) -> Decision | None:
    """What goes beyond the platform's limits is not begun. What runs goes on, and what is done stays done."""
    current, excess = next_standing(facts.standings), _excess(facts)
    if not excess or facts.spec.suspend or current is None or current.state is not StageState.READY:
        return None
    blocked = replace(current, state=StageState.BLOCKED, reason=Reason.INVALID_SPEC, message=plain(excess, 400))
    return Decision(with_standing(facts.standings, blocked))


def await_photos(facts: Facts) -> Decision | None:
    """Neither too few nor too many photos, under a prefix that may be read; before that no digest is known."""
    prefix, limits, photos = facts.spec.photos.prefix, facts.config.preprocess, facts.snapshot.photos
    most = limits.maximum_photos
    try:
        place = uploads_prefix(facts.area, prefix)
    except ValueError as error:
        return _without_photos(Reason.INVALID_SPEC, str(error))
    if photos is None:
        return None
    count = len(captions_apart(photos, limits.captions)[0])
    if 0 < count <= most:
        return None
    if count:
        reason, message = Reason.TOO_MANY_PHOTOS, f"there are {count} photos under the prefix"
        message = f"{message}, at most {most} are taken"
    else:
        reason, message = Reason.NO_PHOTOS, f"there are no photos under {plain(place, 400)}"
    blocked = _without_photos(reason, message, LOOK_AGAIN_SECONDS)
    return replace(blocked, actions=_superseded(facts, Stage) if facts.snapshot.photos_withdrawn else ())


def suspend(facts: Facts) -> Decision | None:
    """While spec.suspend is set nothing is begun, and what runs is stopped. What is done stays done.

    Its Job is deleted, not suspended, which is for queues to do: a stage goes on from what it left in the store.
    """
    if not facts.spec.suspend or all(standing.state is StageState.DONE for standing in facts.standings):
        return None
    held = tuple(
        standing
        if standing.state in (StageState.DONE, StageState.WAITING)
        else replace(standing, state=StageState.HELD, reason=Reason.SUSPENDED)
        for standing in facts.standings
    )
    actions: list[Action] = [
        DeleteJob(job.name, job.uid)
        for job in facts.snapshot.jobs
        if not job.finished and not job.deleting and job.owner_uid == facts.head.uid
    ]
    if facts.snapshot.generation.running:
        actions.append(StopGeneration())
    return Decision(held, tuple(actions))


def await_styles(facts: Facts) -> Decision | None:
    """Every style that is asked for exists and is understood. Until then what runs for the same photos and training
    goes on, and nothing is begun."""
    snapshot = facts.snapshot
    missing = [
        style
        for style in facts.spec.styles
        if style.key not in snapshot.resolved.styles and style.key not in snapshot.unready_looks
    ]
    unclear = [style.key for style in missing if style.key in snapshot.unclear_styles]
    if unclear:
        key, problem = unclear[0], snapshot.unclear_styles[unclear[0]]
        reason = Reason.STYLE_NOT_UNDERSTOOD
        message = f"this version does not understand the {StyleRef.of_key(key)}: {problem}"
    elif missing:
        known = ", ".join(StyleRef.of_key(key).shown for key in snapshot.known_styles[:20]) or "none"
        reason = Reason.STYLE_NOT_FOUND
        message = f"there is no {', no '.join(map(str, missing))}; these exist: {known}"
    else:
        return None
    learning, (generate, *after) = facts.standings[:2], facts.standings[2:]
    generate = replace(generate, state=StageState.BLOCKED, reason=reason, message=plain(message, 400))
    waiting = (replace(standing, state=StageState.WAITING, reason=Reason.WAITING_FOR_STAGE) for standing in after)
    # Whether the Jobs after it are still wanted depends on the styles that are not known.
    return Decision((*learning, generate, *waiting), _superseded(facts, (Stage.PREPROCESS, Stage.TRAIN)))


def await_source(facts: Facts) -> Decision | None:
    """Something can be drawn: the photo that is to be drawn over is there, or some style needs none. Otherwise nothing
    is trained or drawn; where it is one style of several, the others go on (see why_omitted)."""
    styles = facts.snapshot.resolved.styles
    preprocess, generate = facts.standings[0], facts.standings[2]
    if preprocess.state is not StageState.DONE or generate.state is StageState.DONE or not styles:
        return None
    # Of a style that waits for a look nothing is known yet.
    omitted = [why_omitted(facts, styles[key]) if key in styles else None for key in facts.spec.style_keys]
    first = omitted[0]
    if first is None or None in omitted:
        return None
    blocked = replace(generate, state=StageState.BLOCKED, reason=first.reason, message=plain(str(first), 600))
    actions = (*_record(facts), *_superseded(facts, (Stage.TRAIN, Stage.GENERATE)))
    return Decision(with_standing(facts.standings, blocked), actions, resolved=_accepted(facts))


def await_predictor(facts: Facts) -> Decision | None:
    """Every predictor that is still to draw exists. Until it does nothing is drawn, and nobody is called."""
    current, snapshot = next_standing(facts.standings), facts.snapshot
    if current is None or current.stage is not Stage.GENERATE:
        return None
    silent = current.reason in (Reason.PREDICTOR_UNAVAILABLE, Reason.QUEUED)
    unavailable = current.state is StageState.RUNNING and silent
    if current.state is not StageState.READY and not unavailable:
        return None
    drawing = (style for key, style in snapshot.resolved.styles.items() if key not in snapshot.reports.generate)
    missing = next((style for style in drawing if style.content.predictor in snapshot.absent_predictors), None)
    if missing is None:
        return None
    message = (
        f"the InferenceService {missing.content.predictor} of the style {StyleRef.of_key(missing.key).shown} does not "
        f"exist in namespace {facts.config.generation.namespace}{renamed(snapshot)}"
    )
    paused = replace(current, state=StageState.PAUSED, reason=Reason.PREDICTOR_NOT_FOUND, message=plain(message, 600))
    stopped = (StopGeneration(),) if snapshot.generation.running else ()
    actions = (*_record(facts), *_superseded_jobs(facts, Stage), *stopped)
    return Decision(with_standing(facts.standings, paused), actions, LOOK_AGAIN_SECONDS, snapshot.resolved)


def await_looks(facts: Facts) -> Decision | None:
    """A style whose look is not there or not ready is not drawn, and nothing is finished; all else that is asked for
    goes on: learning, and the other styles."""
    snapshot, (generate, *after) = facts.snapshot, facts.standings[2:]
    lacking = {key: text for key, text in snapshot.unready_looks.items() if key not in snapshot.resolved.styles}
    learned = all(standing.state is StageState.DONE for standing in facts.standings[:2])
    if not lacking or not learned or generate.state not in (StageState.READY, StageState.RUNNING, StageState.DONE):
        return None
    standings, begun = facts.standings, tuple[Action, ...]()
    if generate.state is not StageState.DONE:
        standings, begun = _begin(facts, standings)
    if standings[2].state is StageState.STALLED:
        return Decision(standings, _record(facts), resolved=_accepted(facts))
    text = "; ".join(f"{StyleRef.of_key(key).shown}: {text}" for key, text in lacking.items())
    reason = Reason.STYLE_ADAPTER_NOT_READY
    blocked = replace(generate, state=StageState.BLOCKED, reason=reason, message=plain(text, 300))
    waiting = (replace(standing, state=StageState.WAITING, reason=Reason.WAITING_FOR_STAGE) for standing in after)
    actions = (*_record(facts), *_superseded(facts, Stage), *begun)
    return Decision((*facts.standings[:2], blocked, *waiting), actions, LOOK_AGAIN_SECONDS, _accepted(facts))


def await_gpu(facts: Facts) -> Decision | None:
    """A stage that needs a GPU begins when it is the request's turn. Kueue decides that itself, over Jobs."""
    current = next_standing(facts.standings)
    if not facts.config.admission.limits or facts.turn.admitted:
        return None
    if current is None or current.state is not StageState.READY or not needs_gpu(current.stage, facts.config):
        return None
    message, before, again = facts.turn.text, facts.told(current.stage, Reason.QUEUED), None
    if before not in (None, message) and not facts.write_due:
        message, again = before or "", facts.config.progress_interval_seconds
    queued = replace(current, state=StageState.QUEUED, reason=Reason.QUEUED, message=message)
    actions = (*_record(facts), *_superseded(facts, Stage))
    return Decision(with_standing(facts.standings, queued), actions, again, _accepted(facts))


def advance(facts: Facts) -> Decision:
    """Nothing is in the way: the first stage that may begin does, and what runs is kept running."""
    standings, begun = _begin(facts, facts.standings)
    ending = (*_superseded(facts, Stage), *_misqueued(facts))
    actions = (*_record(facts), *ending, *_kept_running(facts, standings), *begun)
    return Decision(standings, actions, resolved=_accepted(facts))


Policy = Callable[[Facts], Decision | None]

# In this order: the first that answers decides, and the last always does.
POLICIES: tuple[Policy, ...] = (
    keep_what_is_finished,
    keep_within_limits,
    await_photos,
    suspend,
    await_styles,
    await_source,
    await_refresh,
    await_predictor,
    await_looks,
    await_gpu,
    advance,
)


def claim_of(facts: Facts) -> Claim | None:
    """What the request asks for where GPUs are counted; None where none of its stages waits for one alone."""
    waiting = replace(facts, turn=Turn())
    if next(policy for policy in POLICIES if policy(waiting) is not None) is not await_gpu:
        return None
    return Claim(facts.head.key, facts.spec.priority, facts.head.created)


# --- what the policies are made of -------------------------------------------------------------------------------


def _without_photos(reason: Reason, message: str, again: float | None = None) -> Decision:
    """Preprocessing is blocked, and of no stage a digest is known."""
    blocked, *waiting = (Standing(stage, StageState.WAITING, reason=Reason.WAITING_FOR_STAGE) for stage in Stage)
    return Decision((replace(blocked, state=StageState.BLOCKED, reason=reason, message=message), *waiting), again=again)


def _settled(facts: Facts) -> Decision:
    """Of a request that is ready no Job is to go on: what does not end by itself, beside a container that another
    added, is deleted."""
    ready = next(c for c in facts.head.status.conditions if c.type == ConditionType.READY)
    running = [job for job in facts.snapshot.jobs if not (job.finished or job.deleting)]
    if timedelta(0) <= facts.now - parsed(ready.last_transition_time) < LINGER:
        return Decision((), _superseded_jobs(facts, Stage), LINGER.total_seconds() if running else None)
    return Decision((), tuple(DeleteJob(job.name, job.uid) for job in running if job.owner_uid == facts.head.uid))


def _excess(facts: Facts) -> str:
    """What is still to be done beyond the platform's limits. What is recorded kept to those that held then, and is not
    judged by others."""
    if facts.snapshot.resolved == facts.snapshot.recorded:
        return ""
    undone = {standing.stage for standing in facts.standings if standing.state is not StageState.DONE}
    return excess_of(facts.spec, facts.config.limits, undone)


def _accepted(facts: Facts) -> Resolved | None:
    """What the request is resolved to. None, so that what was told and recorded stands, where it goes beyond limits:
    a training may run on while a person asks for too much."""
    return None if _excess(facts) else facts.snapshot.resolved


def _record(facts: Facts) -> tuple[Action, ...]:
    """Writes down what the request is resolved to, where that is not what stands there."""
    resolved = _accepted(facts)
    if resolved is None or resolved == facts.snapshot.recorded:
        return ()
    written = WriteResolved(resolved_key(facts.chain.area, facts.head.key.name), resolved)
    return (*left_behind(facts), written)


def _mark(facts: Facts, decision: Decision) -> tuple[Action, ...]:
    """Lets the store say whether what the request makes may go with it: where the status tells otherwise, and whenever
    something is written down, since an earlier request of the name may have left its mark."""
    wanted, records = purgeable(facts, decision), any(isinstance(action, WriteResolved) for action in decision.actions)
    prefix = request_prefix(facts.area, facts.head.key.name)
    return (MarkPurgeable(prefix, wanted),) if records or wanted is not facts.head.status.purgeable else ()


def _begin(facts: Facts, standings: Standings) -> tuple[Standings, tuple[Action, ...]]:
    """What begins the current stage, or clears away what failed of it; and the standings as they are after that."""
    current = next_standing(standings)
    if current is None or current.clearing:
        return standings, current.clearing if current else ()
    try:
        if current.stage is Stage.GENERATE and current.state in (StageState.READY, StageState.RUNNING):
            action: Action = start_generation(facts)
        elif current.state is StageState.READY:
            action = create_job(current.stage, facts, standings)
            if action.queue is not None:
                text = queue_text(action.queue.name)
                queued = replace(current, state=StageState.QUEUED, reason=Reason.QUEUED, message=text)
                return with_standing(standings, queued), (action,)
        else:
            return standings, ()
    except (UnknownPose, ValueError) as error:
        failure = current.failure or new_failure(
            facts.snapshot, current.stage, Reason.INVALID_SPEC, str(error), facts.now
        )
        stalled = replace(
            current, state=StageState.STALLED, reason=Reason.INVALID_SPEC, message=str(error), failure=failure
        )
        return with_standing(standings, stalled), ()
    begun = replace(current, state=StageState.RUNNING)
    if current.stage is not Stage.GENERATE:
        begun = replace(begun, reason=Reason.PENDING, message=ABOUT_TO_START)
    return with_standing(standings, begun), (action,)


def _superseded(facts: Facts, stages: Iterable[Stage]) -> tuple[Action, ...]:
    """Deletes Jobs of these stages that still run for inputs that are no more, and stops drawing with an adapter that
    is to be trained anew."""
    learned = all(standing.state is StageState.DONE for standing in facts.standings[:2])
    drawing = facts.snapshot.generation.running and not learned
    return (*_superseded_jobs(facts, stages), *((StopGeneration(),) if drawing else ()))


def _superseded_jobs(facts: Facts, stages: Iterable[Stage]) -> tuple[Action, ...]:
    """Deletes Jobs of these stages that still run for inputs that are no more."""
    current = {facts.chain.job_name(stage) for stage in Stage}
    return tuple(
        DeleteJob(job.name, job.uid)
        for job in facts.snapshot.jobs
        if job.name not in current and not job.finished and not job.deleting and job.owner_uid == facts.head.uid
        if job.stage in stages
    )


def _misqueued(facts: Facts) -> tuple[Action, ...]:
    """Deletes a Job that a queue of Kueue holds, where another is asked for now, another priority, or none: it is made
    anew there. It has not run, or goes on from its checkpoint."""
    held = [s for s in facts.standings if s.state is StageState.QUEUED and s.job is not None and s.job.queue]
    wanted = queue_of(facts)
    return tuple(
        DeleteJob(standing.job.name, standing.job.uid)
        for standing in held
        if standing.job is not None and not standing.job.deleting
        if wanted is None or (wanted.name, wanted.priority_class) != (standing.job.queue, standing.job.priority_class)
    )


def _overdue(facts: Facts, decision: Decision) -> tuple[Action, ...]:
    """Deletes Jobs that go on though nothing is to come of them: the stage's report stands, and a container beside it
    does not end; or the stage failed in a way that each further pod would."""
    deleted = {action.name for action in decision.actions if isinstance(action, DeleteJob)}
    return tuple(
        DeleteJob(job.name, job.uid)
        for standing in facts.standings
        if (job := standing.job) is not None
        and not (job.finished or job.deleting or job.name in deleted)
        and job.owner_uid == facts.head.uid
        and _lingers(facts, standing)
    )


def _lingers(facts: Facts, standing: Standing) -> bool:
    """Whether a stage has ended for longer than its container takes to; a report without a time is no excuse."""
    if standing.state not in (StageState.DONE, StageState.STALLED):
        return False
    if standing.report is None:
        return standing.state is StageState.STALLED
    try:
        age = facts.now - parsed(standing.report.finished_at)
    except ValueError:
        return True
    return not timedelta(0) <= age < LINGER


def _kept_running(facts: Facts, standings: Standings) -> tuple[Action, ...]:
    """Gives credentials to a pod that is still to start and has none that outlast it: a queue let its Job go, somebody
    deleted the Secret, or it waited for long. Takes them from a Job that a queue holds from now on."""
    held_up = next((s for s in facts.standings if s.state is StageState.QUEUED and s.job is not None), None)
    if held_up is not None and facts.told(held_up.stage, Reason.QUEUED) is None:
        return (WithdrawCredentials(held_up.stage),)
    running = next((standing for standing in standings if standing.state is StageState.RUNNING), None)
    if running is None or running.job is None:
        return ()
    job, end = running.job, facts.snapshot.credentials_end
    least = timedelta(seconds=facts.config.jobs.least_seconds_of(running.stage))
    held = end is not None and end >= facts.now + least
    if job.state is JobState.ACTIVE and not job.running and not held:
        return (IssueCredentials(running.stage, open_scopes(facts, standings)),)
    return ()


def _again(facts: Facts, decision: Decision) -> float | None:
    """When to look again if nothing happens, in seconds. Watches and the resync tell of everything else."""
    states, interval = {standing.state for standing in decision.standings}, facts.config.progress_interval_seconds
    if decision.again is not None:
        return decision.again
    if StageState.ENDING in states:
        return SOON_SECONDS
    paused = [s.failure for s in decision.standings if s.state is StageState.PAUSED and s.failure is not None]
    if paused:
        return max((due(paused[0]) - facts.now).total_seconds(), SOON_SECONDS)
    ended = (StageState.DONE, StageState.STALLED)
    if any(s.state in ended and s.job is not None and not s.job.finished for s in facts.standings):
        return LINGER.total_seconds()
    if StageState.RUNNING not in states:
        return None
    fresh = facts.snapshot.seconds_since_write < STARTED_SECONDS
    return min(STARTED_SECONDS, interval) if fresh else interval
