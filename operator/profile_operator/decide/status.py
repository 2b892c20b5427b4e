"""The next status: what the user is told, derived from the snapshot and the steps."""

from __future__ import annotations

from datetime import datetime

from profile_contract.photos import PhotosWarning
from profile_contract.request import (
    PhotosStatus,
    PortraitStatus,
    ProfileRequestStatus,
    Progress,
    StagesStatus,
    StageStatus,
    Verdict,
)
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.preprocess import PreprocessReport
from profile_contract.stages.table import Stage
from profile_operator.clock import stamp
from profile_operator.config import OperatorConfig
from profile_operator.observe.chain import Chain, platform_of
from profile_operator.observe.snapshot import Snapshot

from .advice import plain
from .conditions import next_conditions
from .outcome import Outcome
from .stages import Phase, Step

STAGE_TEXTS = {
    Stage.PREPROCESS: "Preprocessing",
    Stage.TRAIN: "Training",
    Stage.GENERATE: "Generating",
    Stage.FINISH: "Finishing",
}
NAME_LENGTH = 256
ADVICE_LENGTH = 300


def next_status(snapshot: Snapshot, outcome: Outcome, now: datetime, config: OperatorConfig) -> ProfileRequestStatus:
    """The whole status. Equal to the one that stands if nothing changed that is worth a write."""
    old = snapshot.head.status
    stages = _stages(old.stages or StagesStatus(), snapshot, outcome, now)
    finish = snapshot.reports.finish if outcome.step(Stage.FINISH).phase is Phase.DONE else None
    portraits = _portraits(finish, snapshot.spec.styles) if finish else list(old.portraits)
    photos = _photos(snapshot, outcome, config)
    progress = _progress(snapshot, outcome, config)
    conditions = next_conditions(snapshot, outcome, portraits, stamp(now))
    return ProfileRequestStatus(
        observed_generation=snapshot.head.generation,
        conditions=conditions,
        progress=progress,
        photos=photos,
        stages=stages,
        portraits=portraits,
        adapter=_adapter(snapshot, outcome) or old.adapter,
        toy_model=(platform_of(config).toy_model or None) if finish else old.toy_model,
        contact_sheet=(finish.contact_sheet or None) if finish else old.contact_sheet,
        print_sheet=(finish.print_sheet or None) if finish else old.print_sheet,
        likeness_report=(finish.likeness_report or None) if finish else old.likeness_report,
        stage_text=_stage_text(outcome, ready=conditions[0].status == "True"),
        progress_text=f"{progress.percent}%" if progress else ("100%" if outcome.current is None else ""),
        photos_text=_photos_text(photos),
        styles_text=", ".join(snapshot.spec.styles),
        best_likeness=max((portrait.likeness for portrait in portraits), default=None),
        gpu_seconds=old.gpu_seconds + _gpu_spent(old.stages or StagesStatus(), stages),
    )


# --- photos ------------------------------------------------------------------------------------------------------


def _photos(snapshot: Snapshot, outcome: Outcome, config: OperatorConfig) -> PhotosStatus | None:
    """The photos as looked at. Without a digest they are looked at again in the next cycle."""
    old = snapshot.head.status.photos or PhotosStatus()
    report = snapshot.reports.preprocess
    # While something stands in the way nothing is tried again: the wish stays open.
    held = outcome.suspended or outcome.obstacle is not None
    retry = old.retry if held and snapshot.head.status.photos is not None else snapshot.head.retry or old.retry
    wanted = snapshot.spec.photos
    base = PhotosStatus(prefix=wanted.prefix, revision=wanted.revision, retry=retry)
    if outcome.chain is None:
        return base.model_copy(update={"found": len(snapshot.photos or ())})
    digest = snapshot.photos_digest
    found = len(snapshot.photos) if snapshot.photos is not None else old.found
    base = base.model_copy(update={"digest": digest, "found": found})
    if report is None:
        return base
    verdicts = _verdicts(report, config.preprocess.maximum_photos)
    accepted = sum(verdict.accepted for verdict in verdicts)
    told = {"verdicts": verdicts, "warnings": _warnings(report)}
    return base.model_copy(update={"accepted": accepted, "rejected": len(verdicts) - accepted, **told})


def _verdicts(report: PreprocessReport, most: int) -> list[Verdict]:
    return [
        Verdict(
            name=verdict.name[-NAME_LENGTH:],
            accepted=verdict.accepted,
            reason=verdict.reason,
            advice=plain(verdict.advice, ADVICE_LENGTH),
        )
        for verdict in report.verdicts[: min(most, 40)]
    ]


def _warnings(report: PreprocessReport) -> list[PhotosWarning]:
    """A stage's words come from a container that opens strangers' files: no line and no link of theirs gets on."""
    return [
        warning.model_copy(update={"message": plain(warning.message, ADVICE_LENGTH)}) for warning in report.warnings
    ]


def _photos_text(photos: PhotosStatus | None) -> str:
    if photos is None or not photos.found:
        return ""
    return f"{photos.accepted}/{photos.found}" if photos.verdicts else f"?/{photos.found}"


# --- stages ------------------------------------------------------------------------------------------------------


def _stages(old: StagesStatus, snapshot: Snapshot, outcome: Outcome, now: datetime) -> StagesStatus:
    return StagesStatus(
        preprocess=_stage(old.preprocess, outcome.step(Stage.PREPROCESS), snapshot, outcome.chain, now),
        train=_stage(old.train, outcome.step(Stage.TRAIN), snapshot, outcome.chain, now),
        generate=_generate(old.generate, outcome.step(Stage.GENERATE), snapshot, now),
        finish=_stage(old.finish, outcome.step(Stage.FINISH), snapshot, outcome.chain, now),
    )


def _stage(
    old: StageStatus | None, step: Step, snapshot: Snapshot, chain: Chain | None, now: datetime
) -> StageStatus | None:
    """One stage that runs as a Job. What was recorded when it ended stands for as long as its digest does."""
    same = old if old is not None and old.digest == step.digest else None
    if step.phase is Phase.WAITING or chain is None:
        return old
    if step.phase is Phase.DONE:
        if same is not None and same.completion_time:
            return same
        return _ended(same, step)
    if step.phase is Phase.READY or (step.job is None and step.phase is not Phase.RUNNING):
        return same
    started = stamp(step.job.started) if step.job and step.job.started else (same and same.start_time) or stamp(now)
    attempts = (step.job.failed_pods if step.job else 0) + (step.phase is Phase.RUNNING)
    return StageStatus(
        digest=step.digest,
        job=chain.job_name(step.stage),
        start_time=same.start_time if same and same.start_time and step.phase is Phase.RUNNING else started,
        attempts=max(attempts, 1),
        gpu_seconds=_job_gpu_seconds(step) if step.phase is Phase.STALLED else 0,
    )


def _ended(same: StageStatus | None, step: Step) -> StageStatus:
    """A stage whose report stands. Without a Job an earlier request of the same name made it, at no cost."""
    report, job = step.report, step.job
    started = stamp(job.started) if job and job.started else (report.started_at if report else "")
    ended = stamp(job.completed) if job and job.completed else (report.finished_at if report else "")
    return StageStatus(
        digest=step.digest,
        job=job.name if job else (same.job if same else None),
        start_time=(same.start_time if same and same.start_time else started) or None,
        completion_time=ended or None,
        attempts=job.failed_pods + 1 if job else (same.attempts if same else 0),
        gpu_seconds=_job_gpu_seconds(step),
    )


def _job_gpu_seconds(step: Step) -> int:
    """GPUs the Job held times how long it ran; where its end is not known yet, how long its stage took."""
    job, report = step.job, step.report
    if job is None or not job.gpus:
        return 0
    if job.started and job.completed:
        return round((job.completed - job.started).total_seconds()) * job.gpus
    return round(report.seconds * job.gpus) if report else 0


def _generate(old: StageStatus | None, step: Step, snapshot: Snapshot, now: datetime) -> StageStatus | None:
    same = old if old is not None and old.digest == step.digest else None
    if step.phase is Phase.DONE:
        if same is not None and same.completion_time:
            return same
        reports = list(snapshot.reports.generate.values())
        ours = [report for report in reports if same and same.start_time and report.finished_at >= same.start_time]
        return StageStatus(
            digest=step.digest,
            start_time=(same.start_time if same else min((r.started_at for r in reports), default="")) or None,
            completion_time=max((report.finished_at for report in reports), default="") or None,
            attempts=same.attempts if same else 0,
            gpu_seconds=round(sum(report.seconds * report.gpu_count for report in ours)),
        )
    if step.phase in (Phase.RUNNING, Phase.STALLED) and step.digest:
        return same or StageStatus(digest=step.digest, start_time=stamp(now), attempts=1)
    return old if step.phase is Phase.WAITING else same


def _gpu_spent(old: StagesStatus, new: StagesStatus) -> int:
    """GPU seconds that the new entries tell of for the first time: the request's total never goes down."""
    spent = 0
    for stage in Stage:
        before, after = getattr(old, stage.value), getattr(new, stage.value)
        if after is None:
            continue
        counted = before is not None and (before.digest, before.start_time) == (after.digest, after.start_time)
        spent += max(0, after.gpu_seconds - (before.gpu_seconds if counted else 0))
    return spent


# --- progress and texts ------------------------------------------------------------------------------------------


def _progress(snapshot: Snapshot, outcome: Outcome, config: OperatorConfig) -> Progress | None:
    """How far the running stage is; as it stands if a write for its sake alone is not due."""
    current, old = outcome.current, snapshot.head.status.progress
    if current is None or current.phase is not Phase.RUNNING:
        return None
    percent, remaining = _percent(snapshot, current)
    if old is None or old.stage is not current.stage:
        return Progress(stage=current.stage, percent=percent, remaining_seconds=remaining)
    due = snapshot.seconds_since_write >= config.progress_interval_seconds
    if not due or abs(percent - old.percent) < config.progress_step_percent:
        return old
    return Progress(stage=current.stage, percent=percent, remaining_seconds=remaining)


def _percent(snapshot: Snapshot, step: Step) -> tuple[int, int | None]:
    if step.stage is Stage.GENERATE:
        view = snapshot.generation
        return (100 * view.done // view.total if view.total else 0), view.remaining_seconds
    event = snapshot.progress
    if event is None or event.stage is not step.stage or event.digest != step.digest:
        return 0, None
    return event.percent, event.remaining_seconds


def _stage_text(outcome: Outcome, *, ready: bool) -> str:
    current = outcome.current
    if current is None:
        return "Done" if ready else "Stalled"
    if outcome.suspended:
        return "Suspended"
    if outcome.obstacle is not None or current.phase is Phase.STALLED:
        return "Stalled"
    return STAGE_TEXTS[current.stage]


# --- results -----------------------------------------------------------------------------------------------------


def _portraits(report: FinishReport, styles: list[str]) -> list[PortraitStatus]:
    """The portraits in the order in which their styles are asked for, the best of each style first."""
    places = {style: place for place, style in enumerate(styles)}
    ordered = sorted(report.portraits, key=lambda portrait: places.get(portrait.style, len(places)))
    return [
        PortraitStatus(
            style=portrait.style,
            key=portrait.key,
            seed=portrait.seed,
            rank=portrait.rank,
            likeness=max(-100, min(100, portrait.likeness)),
            layouts={layout.layout: layout.key for layout in portrait.layouts},
        )
        for portrait in ordered[:128]
    ]


def _adapter(snapshot: Snapshot, outcome: Outcome) -> str | None:
    report = snapshot.reports.train
    done = outcome.step(Stage.TRAIN).phase is Phase.DONE
    return report.adapter.key if done and report is not None and report.adapter is not None else None
