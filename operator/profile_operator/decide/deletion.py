"""What becomes of a request that is being deleted: nothing of it may write any more, then what it made goes."""

from __future__ import annotations

from datetime import datetime

from profile_contract.artifacts import request_prefix
from profile_contract.names import DeletionPolicy, Reason
from profile_operator.plan import (
    Action,
    DeleteJob,
    EventNote,
    ForgetAdapters,
    Plan,
    Purge,
    RemoveFinalizer,
    StopGeneration,
)
from profile_operator.snapshot import JobView, Snapshot

SOON_SECONDS = 2.0


def decide_deletion(snapshot: Snapshot, now: datetime) -> Plan:
    """First the Jobs and generation end, then artifacts are purged (or left), then the finalizer goes."""
    if not snapshot.head.finalized:
        return Plan()
    jobs = [job for job in snapshot.jobs if job.owner_uid == snapshot.head.uid]
    writing = [job for job in jobs if job.deleting or not job.finished]
    if writing or snapshot.generation.running:
        return Plan(_stop(writing, snapshot), again=SOON_SECONDS)
    key = snapshot.head.key
    prefix = request_prefix(key.namespace, key.name)
    if snapshot.spec.deletion_policy is DeletionPolicy.RETAIN:
        note = EventNote(Reason.ARTIFACTS_RETAINED, "the artifacts stay in the store, as spec.deletionPolicy says")
        return Plan((ForgetAdapters(prefix), RemoveFinalizer()), events=(note,))
    note = EventNote(Reason.ARTIFACTS_PURGED, "everything that the request made was deleted")
    return Plan((Purge(prefix), RemoveFinalizer()), events=(note,))


def _stop(writing: list[JobView], snapshot: Snapshot) -> tuple[Action, ...]:
    stop: tuple[Action, ...] = (StopGeneration(),) if snapshot.generation.running else ()
    return (*(DeleteJob(job.name) for job in writing if not job.deleting), *stop)
