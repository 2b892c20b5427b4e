"""Deletion of a request: nothing of it may write any more, then what it made goes.

Links and credentials that were handed out outlive whoever got them: a predictor's thread, a pod on a lost node, a copy
in strange hands. So what is there is purged at once, everything is revoked where the store can do that, and when the
last of it has ended it is purged once more. Only then is the request let go and called purged.

Nothing of this waits for ever: Jobs that do not go, or that may no longer be seen, cannot write once their credentials
have ended; what is to stay needs no store, unless that still says that it may go; and a person may let a request go
that a store which is gone holds.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from profile_contract.artifacts import request_prefix, uploads_prefix
from profile_contract.conditions import ABANDON_ANNOTATION, Reason
from profile_contract.request import DeletionPolicy
from profile_contract.request_status import StagesStatus
from profile_contract.stages.table import JOB_STAGES
from profile_operator.clock import parsed, stamp
from profile_operator.job_settings import LONGEST_CREDENTIALS_SECONDS

from .facts import DeletionFacts
from .plan import (
    SOON_SECONDS,
    Abandon,
    Action,
    DeleteJob,
    EventNote,
    Keep,
    MarkPurgeable,
    Plan,
    Purge,
    PurgePhotos,
    RemoveFinalizer,
    Revoke,
    StopGeneration,
)
from .tell import outage_status, plan_of

LOOK_SECONDS = 30.0
# The garbage collector's own, on what is deleted without what belongs to it.
ORPHAN = "orphan"
# What the store let begin before the end of a link may take so long to arrive.
ARRIVAL = timedelta(seconds=10)
# Nothing that was handed out before the deletion lives longer, whatever a status tells of times.
LONGEST_WAIT = timedelta(seconds=LONGEST_CREDENTIALS_SECONDS) + ARRIVAL
# A Job that does not go for so long has a pod on a node that does not answer; its credentials decide then.
STUCK = timedelta(minutes=5)


def decide_deletion(facts: DeletionFacts) -> Plan:
    """First the Jobs and generation end, then artifacts are purged (or left), then the finalizer goes."""
    if not facts.head.finalized:
        return Plan()
    prefix = request_prefix(facts.remains.area, facts.head.key.name)
    stop = _stop(facts)
    retained = facts.head.deletion_policy is DeletionPolicy.RETAIN
    if facts.head.abandoned and not retained:
        text = f"let go unpurged, as {ABANDON_ANNOTATION} says: what is left below {prefix} goes with a later sweep"
        note = EventNote(Reason.ARTIFACTS_ABANDONED, text, warning=True)
        photos = next((action.prefix for action in _photos(facts)), "")
        return Plan((*(stop or ()), Abandon(prefix, photos), *_let_go(facts)), events=(note,))
    if stop is not None:
        status = outage_status(facts.head, Reason.DELETING, "what still works for it is being ended", facts.now)
        return plan_of(facts.head, status, stop, SOON_SECONDS)
    if retained:
        text = f"the artifacts stay in the store, as spec.deletionPolicy says{_photos_text(facts)}"
        # A store that says otherwise has to learn it first, or a later sweep would believe the store.
        learn = facts.head.status.purgeable and not facts.head.abandoned
        if facts.head.status.purgeable and facts.head.abandoned:
            text += "; unless the store is away and still says that they may go: then a later sweep takes them"
        note = EventNote(Reason.ARTIFACTS_RETAINED, text)
        marks: tuple[Action, ...] = (MarkPurgeable(prefix, purgeable=False),) if learn else ()
        return Plan((*_photos(facts), *marks, Keep(prefix), *_let_go(facts)), events=(note,))
    end = _end(facts)
    if end is not None and facts.now < _revoked_end(facts, end):
        return _wait(facts, prefix, end)
    note = EventNote(Reason.ARTIFACTS_PURGED, f"everything that the request made was deleted{_photos_text(facts)}")
    return Plan((Purge(prefix), *_photos(facts), *_let_go(facts)), events=(note,))


def _let_go(facts: DeletionFacts) -> tuple[Action, ...]:
    """Takes the finalizer away, and before it the Jobs that have ended and that nobody will delete with the request:
    they name its photos, and `--cascade=orphan` takes the owner reference away by which they would go."""
    orphaned = ORPHAN in facts.head.finalizers
    left = tuple(
        DeleteJob(job.name, job.uid)
        for job in facts.remains.jobs or ()
        if job.owner_uid == facts.head.uid and (orphaned or job.unowned) and job.finished and not job.deleting
    )
    return (*left, RemoveFinalizer())


def _photos(facts: DeletionFacts) -> tuple[PurgePhotos, ...]:
    """What deletes the photos, where they go with the request and are no other's."""
    if not facts.head.photos_to_delete or facts.remains.photos_shared:
        return ()
    try:
        return (PurgePhotos(uploads_prefix(facts.remains.area, facts.head.photos_to_delete)),)
    except ValueError:
        return ()


def _photos_text(facts: DeletionFacts) -> str:
    """What is told of the photos, behind what is told of the rest; nothing where they stay as ever."""
    if _photos(facts):
        return ", and so were its photos" if facts.head.deletion_policy is DeletionPolicy.DELETE else "; its photos go"
    shared = facts.remains.photos_shared
    return f"; its photos stay, the request {shared} names them, too" if shared else ""


def _stop(facts: DeletionFacts) -> tuple[Action, ...] | None:
    """What ends all that works for the request; None where nothing does any more, or cannot be reached."""
    remains = facts.remains
    jobs = [job for job in remains.jobs or () if job.owner_uid == remains.head.uid]
    writing = [job for job in jobs if job.deleting or not job.finished]
    since = remains.head.deleted
    stuck = all(job.deleting for job in writing) and since is not None and facts.now - since > STUCK
    if (not writing or stuck) and not remains.generation.running:
        return None
    stop: tuple[Action, ...] = (StopGeneration(),) if remains.generation.running else ()
    return (*(DeleteJob(job.name, job.uid) for job in writing if not job.deleting), *stop)


def _wait(facts: DeletionFacts, prefix: str, end: datetime) -> Plan:
    """What is there goes at once; what may still be written, when the last that was handed out has ended."""
    purge: tuple[Action, ...] = () if facts.head.status.purge_after else (Purge(prefix), *_photos(facts))
    revoke: tuple[Action, ...] = () if facts.remains.revoked else (Revoke(prefix),)
    text = f"what was handed out may still write until {stamp(end)}; what it writes is deleted then"
    status = outage_status(facts.head, Reason.DELETING, text, facts.now)
    left = (_revoked_end(facts, end) - facts.now).total_seconds()
    again = SOON_SECONDS if revoke else min(max(left, SOON_SECONDS), LOOK_SECONDS)
    return plan_of(facts.head, status.model_copy(update={"purge_after": stamp(end)}), (*purge, *revoke), again)


def _revoked_end(facts: DeletionFacts, end: datetime) -> datetime:
    """The end, or an earlier one since all was revoked."""
    revoked = facts.remains.revoked
    if revoked is None:
        return end
    return min(end, revoked + timedelta(seconds=facts.config.revocation_seconds) + ARRIVAL)


def _end(facts: DeletionFacts) -> datetime | None:
    """When the last link and the last credentials that were handed out cannot write any more; None: none were.

    What was found once stands in the status, and an end never comes nearer.
    """
    known = (_links_end(facts), _credentials_end(facts), _unseen_end(facts))
    ends = [end + ARRIVAL for end in known if end is not None]
    if facts.head.status.purge_after:
        ends.append(parsed(facts.head.status.purge_after))
    latest, deleted = max(ends, default=None), facts.head.deleted
    return min(latest, deleted + LONGEST_WAIT) if latest is not None and deleted is not None else latest


def _links_end(facts: DeletionFacts) -> datetime | None:
    """When the predictor's last link ends. The last one was signed before the last candidate, or the deletion."""
    head, stages = facts.head, facts.head.status.stages or StagesStatus()
    lives = timedelta(seconds=facts.config.generation.grant_seconds)
    if stages.generate is not None and stages.generate.completion_time:
        return parsed(stages.generate.completion_time) + lives
    begun = stages.generate is not None or (stages.train is not None and stages.train.completion_time)
    return head.deleted + lives if begun and head.deleted is not None else None


def _credentials_end(facts: DeletionFacts) -> datetime | None:
    """When the last credentials end. They are renewed while a pod of their stage is still to start: none is once the
    stage is complete, or the request is being deleted."""
    stages, ends = facts.head.status.stages or StagesStatus(), []
    for stage in JOB_STAGES:
        entry = stages.of(stage)
        if entry is None or not entry.start_time:
            continue
        last = parsed(entry.completion_time) if entry.completion_time else facts.head.deleted
        # A stage's own clock may have told the completion.
        issued = max(parsed(entry.start_time), last or facts.now)
        ends.append(issued + timedelta(seconds=facts.config.jobs.seconds_of(stage)))
    return max(ends, default=None)


def _unseen_end(facts: DeletionFacts) -> datetime | None:
    """Where Jobs may not be seen and something may still run: as if the longest of them had begun at the deletion."""
    head, jobs = facts.head, facts.config.jobs
    if facts.remains.jobs is not None or head.ready or head.deleted is None:
        return None
    return head.deleted + timedelta(seconds=max(map(jobs.seconds_of, JOB_STAGES)))
