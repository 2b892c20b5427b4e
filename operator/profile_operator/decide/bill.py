"""Bill: the GPU seconds of a stage's Jobs, counted from when its containers ran.

What a Job waits, for its turn, a node or a quota, costs nothing. How far was counted stands in the status, so nothing
is counted twice, and what was counted stays when pods are cleaned up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from profile_contract.request_status import StageStatus
from profile_contract.stages.order import StageReport
from profile_operator.clock import parsed, stamp
from profile_operator.observe.snapshot import JobView


@dataclass(frozen=True)
class Bill:
    """GPU seconds that are new, and the moment up to which all is counted now; None where nothing ever was."""

    seconds: int = 0
    until: str | None = None

    def added_to(self, entry: StageStatus | None) -> StageStatus | None:
        """The stage's entry with them."""
        if entry is None and not self.seconds:
            return None
        entry = entry or StageStatus()
        return entry.model_copy(update={"gpu_seconds": entry.gpu_seconds + self.seconds, "gpu_until": self.until})


def bill(entry: StageStatus | None, jobs: tuple[JobView, ...], report: StageReport | None, now: datetime) -> Bill:
    """What the Jobs of one stage cost since it was told last. `report`: what the stage left, if it is done."""
    until = parsed(entry.gpu_until) if entry is not None and entry.gpu_until else None
    spent, latest = timedelta(0), until
    for job in jobs:
        if not job.gpus:
            continue
        for started, ended in job.runs or _by_report(job, report, now):
            spent += job.gpus * max(ended - (max(started, until) if until else started), timedelta(0))
            latest = max(latest or ended, ended)
        if job.completed is not None and (job.runs or job.finished):
            latest = max(latest or job.completed, job.completed)
    return Bill(round(spent.total_seconds()), stamp(latest) if latest is not None else None)


def _by_report(job: JobView, report: StageReport | None, now: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """The last run of a Job as its stage measured it, never longer than the Job was there.

    Its pods are gone, or its container is still ending: the stage is told to be complete, and not counted again.
    """
    if report is None or job.started is None:
        return ()
    ended = job.completed or now
    return ((max(job.started, ended - timedelta(seconds=min(report.seconds, 10**7))), ended),)
