"""Status: what the resource tells of a decision beside its conditions: photos, stages, progress, results."""

from __future__ import annotations

from profile_contract.conditions import Reason
from profile_contract.delivered import delivered_portraits
from profile_contract.request import DeletionPolicy
from profile_contract.request_status import (
    PhotosStatus,
    PortraitStatus,
    ProfileRequestStatus,
    Progress,
    ResolvedStatus,
    StagesStatus,
    StageStatus,
    Verdict,
)
from profile_contract.resolved import Resolved
from profile_contract.stages.table import JOB_STAGES, Stage
from profile_operator.clock import stamp

from .advice import plain
from .bill import Bill, bill
from .facts import Facts
from .retention import BEGINNING, with_ends
from .standing import Decision, StageState, Standing

NAME_LENGTH = 256
ADVICE_LENGTH = 300
MOST_VERDICTS = 40


def next_status(facts: Facts, decision: Decision) -> ProfileRequestStatus:
    """The status but for its conditions. What nothing new is known of stays as it was told."""
    old = facts.head.status
    standings = {standing.stage: standing for standing in decision.standings}
    bills = {stage: _bill(facts, standings[stage]) for stage in JOB_STAGES}
    entries = {stage.value: bill.added_to(_stage(facts, standings[stage])) for stage, bill in bills.items()}
    stages = StagesStatus(generate=_generation(facts, standings[Stage.GENERATE]), **entries)
    spent = sum(bill.seconds for bill in bills.values()) + _drawn_seconds(old.stages, stages)
    report = facts.snapshot.reports.finish if standings[Stage.FINISH].state is StageState.DONE else None
    delivered = _delivered(facts)
    # Portraits that were delivered before stay beside previews; previews go when there are portraits.
    portraits = delivered if report and not report.preview else list(old.portraits)
    previews = (delivered if report.preview else []) if report else list(old.previews)
    photos, progress = _photos(facts, decision), _progress(facts, decision)
    training = facts.snapshot.reports.train if standings[Stage.TRAIN].state is StageState.DONE else None
    return ProfileRequestStatus(
        observed_generation=facts.head.generation,
        compared=facts.snapshot.compared,
        purgeable=purgeable(facts, decision),
        installation=facts.config.installation or old.installation,
        area=facts.area,
        last_handled_retry=_handled_retry(facts, decision),
        progress=progress,
        photos=photos,
        stages=with_ends(facts, decision.standings, stages),
        results_generation=facts.head.generation if report else old.results_generation,
        portraits=portraits,
        previews=previews,
        adapter=training.adapter.key if training and training.adapter else old.adapter,
        resolved=_resolved(facts, decision),
        toy_model=_toy_model(facts.snapshot.resolved) if report else old.toy_model,
        contact_sheet=(report.contact_sheet or None) if report else old.contact_sheet,
        print_sheet=(report.print_sheet or None) if report else old.print_sheet,
        likeness_report=(report.likeness_report or None) if report else old.likeness_report,
        progress_text=f"{progress.percent}%" if progress else ("100%" if decision.current is None else ""),
        photos_text=_photos_text(photos),
        styles_text=", ".join(style.shown for style in facts.spec.styles),
        best_likeness=max((portrait.likeness for portrait in portraits), default=None),
        gpu_seconds=old.gpu_seconds + spent,
    )


def purgeable(facts: Facts, decision: Decision) -> bool:
    """Whether the store is to say that what the request makes may go with it: its policy, once its work has begun."""
    if facts.snapshot.recorded is None and decision.resolved is None:
        return facts.head.status.purgeable
    return facts.head.deletion_policy is DeletionPolicy.DELETE


def _toy_model(resolved: Resolved) -> str | None:
    return (resolved.finish.parameters.toy_model or None) if resolved.finish is not None else None


def _resolved(facts: Facts, decision: Decision) -> ResolvedStatus | None:
    """What the stages run with; what was told before while something stands in the way of what is asked for now."""
    resolved = decision.resolved
    if resolved is None:
        return facts.head.status.resolved
    return ResolvedStatus(
        digest=resolved.digest,
        recipe=resolved.train.recipe,
        generation=facts.head.generation,
        revision=resolved.photos.revision,
        retry=_handled_retry(facts, decision),
        refresh=resolved.refresh,
        inputs=resolved.fingerprints(),
        photos_gone=resolved.photos.gone,
    )


# --- photos ------------------------------------------------------------------------------------------------------


def _photos(facts: Facts, decision: Decision) -> PhotosStatus:
    """The photos as looked at. Without a digest they are looked at again in the next cycle."""
    old, photos, report = facts.head.status.photos, facts.snapshot.photos, facts.snapshot.reports.preprocess
    # What was listed before this look stands in the record, whether or not a status came to tell it.
    recorded = facts.snapshot.resolved.photos
    count = len(photos) if photos is not None else 0 if recorded.gone else len(recorded.photos)
    base = PhotosStatus(prefix=facts.spec.photos.prefix, revision=facts.spec.photos.revision, found=count)
    if not decision.standings[0].digest:
        return base.model_copy(update={"found": len(photos or ())})
    if report is None:
        kept = old if old is not None and old.digest == facts.chain.photos else PhotosStatus()
        standing = {name: getattr(kept, name) for name in ("accepted", "rejected", "verdicts", "warnings")}
        return base.model_copy(update={"digest": facts.chain.photos, **standing})
    # A stage's words come from a container that opens strangers' files: no line and no link of theirs gets on.
    verdicts = [
        Verdict(
            name=verdict.name[-NAME_LENGTH:],
            accepted=verdict.accepted,
            reason=verdict.reason,
            advice=plain(verdict.advice, ADVICE_LENGTH),
        )
        for verdict in report.verdicts[: min(facts.config.preprocess.maximum_photos, MOST_VERDICTS)]
    ]
    warnings = [
        warning.model_copy(update={"message": plain(warning.message, ADVICE_LENGTH)}) for warning in report.warnings
    ]
    accepted = sum(verdict.accepted for verdict in verdicts)
    return base.model_copy(
        update={
            "digest": facts.chain.photos,
            "accepted": accepted,
            "rejected": len(verdicts) - accepted,
            "verdicts": verdicts,
            "warnings": warnings,
        }
    )


def _handled_retry(facts: Facts, decision: Decision) -> str:
    """The retry annotation's value that was answered last.

    While something stands in the way nothing is tried again, and until all that failed is gone: the wish stays open.
    """
    unanswered = (StageState.HELD, StageState.BLOCKED, StageState.ENDING)
    held = decision.current is not None and decision.current.state in unanswered
    before = facts.head.status.last_handled_retry
    return before if facts.head.status.photos is not None and held else facts.head.retry or before


def _photos_text(photos: PhotosStatus) -> str:
    if not photos.found:
        return ""
    return f"{photos.accepted}/{photos.found}" if photos.verdicts else f"?/{photos.found}"


# --- stages ------------------------------------------------------------------------------------------------------


def _before(facts: Facts, standing: Standing) -> tuple[StageStatus | None, StageStatus | None]:
    """What the status says of the stage, and the same if it is of the same digest and not made anew."""
    stages = facts.head.status.stages
    old = stages.of(standing.stage) if stages else None
    if old is not None and old.expired(facts.now) and standing.state in BEGINNING:
        return old, None
    return old, old if old is not None and old.digest == standing.digest else None


def _stage(facts: Facts, standing: Standing) -> StageStatus | None:
    """One stage that runs as a Job. What was recorded when it ended stands for as long as its digest does."""
    old, same = _before(facts, standing)
    job, running = standing.job, standing.state is StageState.RUNNING
    if standing.state in (StageState.WAITING, StageState.BLOCKED):
        return old
    if standing.state is StageState.DONE:
        return same if same and same.completion_time else _ended(same, standing)
    if standing.state is StageState.QUEUED:
        if same is not None and same.queue_time and facts.told(standing.stage, Reason.QUEUED) is not None:
            return same
        entry = same or StageStatus(digest=standing.digest)
        return entry.model_copy(update={"queue_time": stamp(facts.now), "failure": standing.failure})
    if standing.state is StageState.READY or (job is None and not running):
        return _remembering(same, standing)
    before = same.start_time if same else None
    started = (stamp(job.started) if job and job.started else None) or before or stamp(facts.now)
    return StageStatus(
        digest=standing.digest,
        job=facts.chain.job_name(standing.stage),
        queue_time=same.queue_time if same else None,
        start_time=before or started,
        attempts=max((job.failed_pods if job else 0) + running, 1),
        gpu_seconds=same.gpu_seconds if same else 0,
        failure=standing.failure,
    )


def _remembering(same: StageStatus | None, standing: Standing) -> StageStatus | None:
    """The entry with the failure that is to be remembered."""
    if same is None and standing.failure is None:
        return None
    return (same or StageStatus(digest=standing.digest)).model_copy(update={"failure": standing.failure})


def _ended(same: StageStatus | None, standing: Standing) -> StageStatus:
    """A stage whose report stands. Without a Job an earlier request of the same name made it, at no cost."""
    report, job = standing.report, standing.job
    started = stamp(job.started) if job and job.started else (report.started_at if report else "")
    ended = stamp(job.completed) if job and job.completed else (report.finished_at if report else "")
    return StageStatus(
        digest=standing.digest,
        job=job.name if job else (same.job if same else None),
        queue_time=same.queue_time if same else None,
        start_time=(same.start_time if same and same.start_time else started) or None,
        completion_time=ended or None,
        attempts=job.failed_pods + 1 if job else (same.attempts if same else 0),
        gpu_seconds=same.gpu_seconds if same else 0,
    )


def _bill(facts: Facts, standing: Standing) -> Bill:
    """What the stage's Jobs cost since the status was written, those of earlier inputs as well."""
    entry = (facts.head.status.stages or StagesStatus()).of(standing.stage)
    ours = [job for job in facts.snapshot.jobs if job.stage is standing.stage and job.owner_uid == facts.head.uid]
    complete = entry.digest if entry is not None and entry.completion_time else None
    jobs = tuple(job for job in ours if job.digest != complete)
    return bill(entry, jobs, standing.report if standing.state is StageState.DONE else None, facts.now)


def _generation(facts: Facts, standing: Standing) -> StageStatus | None:
    """Generation, which has no Job: its cost is that of the reports that were made since it began."""
    old, same = _before(facts, standing)
    if standing.state in (StageState.RUNNING, StageState.STALLED):
        begun = same or StageStatus(digest=standing.digest, start_time=stamp(facts.now), attempts=1)
        return _remembering(begun, standing)
    if standing.state is not StageState.DONE:
        return old if standing.state in (StageState.WAITING, StageState.BLOCKED) else _remembering(same, standing)
    if same is not None and same.completion_time:
        return same
    reports = list(facts.snapshot.reports.generate.values())
    ours = [report for report in reports if same and same.start_time and report.finished_at >= same.start_time]
    return StageStatus(
        digest=standing.digest,
        start_time=(same.start_time if same else min((report.started_at for report in reports), default="")) or None,
        completion_time=max((report.finished_at for report in reports), default="") or None,
        attempts=same.attempts if same else 0,
        gpu_seconds=round(sum(report.seconds * report.gpu_count for report in ours)),
    )


def _drawn_seconds(old: StagesStatus | None, new: StagesStatus) -> int:
    """GPU seconds of generation that the new entry tells of for the first time: the total never goes down."""
    before, after = old.generate if old is not None else None, new.generate
    if after is None:
        return 0
    counted = before is not None and (before.digest, before.start_time) == (after.digest, after.start_time)
    return max(0, after.gpu_seconds - (before.gpu_seconds if before is not None and counted else 0))


# --- progress and results ----------------------------------------------------------------------------------------


def _progress(facts: Facts, decision: Decision) -> Progress | None:
    """How far the running stage is; as it stands if a write for its sake alone is not due."""
    running = next((standing for standing in decision.standings if standing.state is StageState.RUNNING), None)
    old, event, view = facts.head.status.progress, facts.snapshot.progress, facts.snapshot.generation
    if running is None:
        return None
    percent, remaining = 0, None
    if running.stage is Stage.GENERATE:
        percent, remaining = (100 * view.done // view.total if view.total else 0), view.remaining_seconds
    elif event is not None and (event.stage, event.digest) == (running.stage, running.digest):
        percent, remaining = event.percent, event.remaining_seconds
    small = old is not None and abs(percent - old.percent) < facts.config.progress_step_percent
    if old is not None and old.stage is running.stage and (small or not facts.write_due):
        return old
    return Progress(stage=running.stage, percent=percent, remaining_seconds=remaining)


def _delivered(facts: Facts) -> list[PortraitStatus]:
    """Portraits or previews of the finisher's report; none before there is one."""
    report = facts.snapshot.reports.finish
    return delivered_portraits(report, facts.spec.style_keys) if report is not None else []
