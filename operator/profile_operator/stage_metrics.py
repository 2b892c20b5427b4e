"""Counts what a status write tells for the first time: stages that ended well or not, GPU seconds."""

from __future__ import annotations

from datetime import datetime

from profile_contract.conditions import ConditionType, Reason
from profile_contract.request_status import Condition, ProfileRequestStatus, StagesStatus, StageStatus
from profile_contract.resource import RequestHead
from profile_contract.stages.stage_text import StageText
from profile_contract.stages.table import STAGES, Stage

from . import metrics


def count_ended(head: RequestHead, status: ProfileRequestStatus) -> None:
    """Compare the status that stood with the one that was written."""
    before, after = head.status.stages or StagesStatus(), status.stages or StagesStatus()
    for stage in Stage:
        was: StageStatus | None = getattr(before, stage.value)
        now: StageStatus | None = getattr(after, stage.value)
        if now is None or not now.completion_time or not now.attempts:
            continue
        if was is not None and was.digest == now.digest and was.completion_time:
            continue
        metrics.STAGES.labels(stage=stage.value, reason=Reason.SUCCEEDED.value).inc()
        _count_made(stage, status)
        if now.start_time:
            seconds = datetime.fromisoformat(now.completion_time) - datetime.fromisoformat(now.start_time)
            metrics.STAGE_SECONDS.labels(stage=stage.value).observe(max(0.0, seconds.total_seconds()))
    stalled = newly_stalled(head.status, status)
    if stalled is not None:
        stage, reason = stalled
        metrics.STAGES.labels(stage=stage.value, reason=reason).inc()
    spent = status.gpu_seconds - head.status.gpu_seconds
    if spent > 0:
        metrics.GPU_SECONDS.labels(namespace=head.key.namespace).inc(spent)


def count_queued(head: RequestHead, status: ProfileRequestStatus, now: datetime) -> None:
    """Count a request that begins to wait for a GPU, or waits no more, and how long it did if its stage runs."""
    was, queued = (text is StageText.QUEUED for text in (head.status.stage_text, status.stage_text))
    if was is queued:
        return
    metrics.QUEUED.labels(namespace=head.key.namespace).inc(1 if queued else -1)
    running = status.progress.stage if status.progress is not None else None
    entry: StageStatus | None = getattr(status.stages, running.value) if running and status.stages else None
    if was and entry is not None and entry.queue_time:
        waited = (now - datetime.fromisoformat(entry.queue_time)).total_seconds()
        metrics.QUEUE_SECONDS.observe(max(0.0, waited))


def _count_made(stage: Stage, status: ProfileRequestStatus) -> None:
    """What a stage that just ended found or made."""
    if stage is Stage.PREPROCESS and status.photos is not None:
        for verdict in status.photos.verdicts:
            metrics.PHOTOS.labels(reason=verdict.reason.value).inc()
    if stage is Stage.FINISH:
        for portrait in status.portraits:
            style = metrics.style_label(portrait.style_ref.key)
            metrics.PORTRAITS.labels(style=style).inc()
            metrics.LIKENESS.labels(style=style).observe(portrait.likeness)


def newly_stalled(before: ProfileRequestStatus, after: ProfileRequestStatus) -> tuple[Stage, str] | None:
    """The stage that stalls for the first time in `after`, and why; None where none does, or none is to blame."""
    stalled = _conditions(after).get(ConditionType.STALLED)
    if stalled is None or stalled.status != "True":
        return None
    was = _conditions(before).get(ConditionType.STALLED)
    if was is not None and (was.status, was.reason) == ("True", stalled.reason):
        return None
    blamed = (
        stage
        for stage, row in STAGES.items()
        if (condition := _conditions(after).get(row.condition)) is not None
        and (condition.status, condition.reason) == ("False", stalled.reason)
    )
    stage = next(blamed, None)
    return None if stage is None else (stage, stalled.reason)


def _conditions(status: ProfileRequestStatus) -> dict[str, Condition]:
    return {condition.type: condition for condition in status.conditions}
