"""Counts what a status write tells for the first time: stages that ended, GPU seconds."""

from __future__ import annotations

from datetime import datetime

from profile_contract.names import Reason, Stage
from profile_contract.request import ProfileRequestStatus, StagesStatus, StageStatus

from . import metrics
from .snapshot import RequestHead


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
        if now.start_time:
            seconds = datetime.fromisoformat(now.completion_time) - datetime.fromisoformat(now.start_time)
            metrics.STAGE_SECONDS.labels(stage=stage.value).observe(max(0.0, seconds.total_seconds()))
    spent = status.gpu_seconds - head.status.gpu_seconds
    if spent > 0:
        metrics.GPU_SECONDS.labels(namespace=head.key.namespace).inc(spent)
