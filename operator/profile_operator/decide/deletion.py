"""What becomes of a request that is being deleted: nothing of it may write any more, then what it made goes.

Links and credentials that were handed out outlive whoever got them: a predictor's thread, a pod on a lost node, a copy
in strange hands. So what is there is purged at once, everything is revoked where the store can do that, and when the
last of it has ended it is purged once more. Only then is the request let go and called purged.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from profile_contract.artifacts import request_prefix
from profile_contract.conditions import Reason
from profile_contract.request import DeletionPolicy, StagesStatus
from profile_contract.stages.table import Stage
from profile_operator.clock import parsed, stamp
from profile_operator.config import OperatorConfig
from profile_operator.decide.plan import (
    Action,
    DeleteJob,
    EventNote,
    ForgetAdapters,
    Plan,
    Purge,
    RemoveFinalizer,
    Revoke,
    StopGeneration,
)
from profile_operator.observe.snapshot import JobView, Remains

from .outage import outage

SOON_SECONDS = 2.0
LOOK_SECONDS = 30.0
# What the store let begin before the end of a link may take so long to arrive.
ARRIVAL = timedelta(seconds=10)
# A Job that does not go for so long has a pod on a node that does not answer; its credentials decide then.
STUCK = timedelta(minutes=5)


def decide_deletion(remains: Remains, now: datetime, config: OperatorConfig) -> Plan:
    """First the Jobs and generation end, then artifacts are purged (or left), then the finalizer goes."""
    if not remains.head.finalized:
        return Plan()
    jobs = [job for job in remains.jobs if job.owner_uid == remains.head.uid]
    writing = [job for job in jobs if job.deleting or not job.finished]
    if (writing and not _stuck(writing, remains, now)) or remains.generation.running:
        return Plan(_stop(writing, remains), again=SOON_SECONDS)
    key = remains.head.key
    prefix = request_prefix(key.namespace, key.name)
    if remains.head.deletion_policy is DeletionPolicy.RETAIN:
        note = EventNote(Reason.ARTIFACTS_RETAINED, "the artifacts stay in the store, as spec.deletionPolicy says")
        return Plan((ForgetAdapters(prefix), RemoveFinalizer()), events=(note,))
    end = _end(remains, config)
    if end is not None and now < _revoked_end(end, remains, config):
        return _wait(end, remains, now, config)
    note = EventNote(Reason.ARTIFACTS_PURGED, "everything that the request made was deleted")
    return Plan((Purge(prefix), RemoveFinalizer()), events=(note,))


def _stop(writing: list[JobView], remains: Remains) -> tuple[Action, ...]:
    stop: tuple[Action, ...] = (StopGeneration(),) if remains.generation.running else ()
    return (*(DeleteJob(job.name) for job in writing if not job.deleting), *stop)


def _stuck(writing: list[JobView], remains: Remains, now: datetime) -> bool:
    deleted = remains.head.deleted
    return all(job.deleting for job in writing) and deleted is not None and now - deleted > STUCK


def _wait(end: datetime, remains: Remains, now: datetime, config: OperatorConfig) -> Plan:
    """What is there goes at once; what may still be written, when the last that was handed out has ended."""
    key = remains.head.key
    prefix = request_prefix(key.namespace, key.name)
    first: tuple[Action, ...] = () if remains.head.status.purge_after else (Purge(prefix),)
    revoke: tuple[Action, ...] = () if remains.revoked else (Revoke(prefix),)
    text = f"what was handed out may still write until {stamp(end)}; what it writes is deleted then"
    told = outage(remains.head, Reason.DELETING, text, now)
    status = (told.status or remains.head.status).model_copy(update={"purge_after": stamp(end)})
    changed = status != remains.head.status
    left = (_revoked_end(end, remains, config) - now).total_seconds()
    again = SOON_SECONDS if revoke else min(max(left, SOON_SECONDS), LOOK_SECONDS)
    return Plan((*first, *revoke), status if changed else None, told.events, again)


def _revoked_end(end: datetime, remains: Remains, config: OperatorConfig) -> datetime:
    """The end, or an earlier one since all was revoked."""
    if remains.revoked is None:
        return end
    return min(end, remains.revoked + timedelta(seconds=config.revocation_seconds) + ARRIVAL)


def _end(remains: Remains, config: OperatorConfig) -> datetime | None:
    """When the last link and the last credentials that were handed out cannot write any more; None: none were.

    What was found once stands in the status, and an end never comes nearer.
    """
    head = remains.head
    stages = head.status.stages or StagesStatus()
    ends = [end for end in (_links_end(remains, stages, config), _credentials_end(remains, stages, config)) if end]
    known = [parsed(head.status.purge_after)] if head.status.purge_after else []
    return max([*known, *(end + ARRIVAL for end in ends)], default=None)


def _links_end(remains: Remains, stages: StagesStatus, config: OperatorConfig) -> datetime | None:
    """When the predictor's last link ends. The last one was signed before the last candidate, or the deletion."""
    lives = timedelta(seconds=config.generation.grant_seconds)
    if stages.generate is not None and stages.generate.completion_time:
        return parsed(stages.generate.completion_time) + lives
    begun = stages.generate is not None or (stages.train is not None and stages.train.completion_time)
    return remains.head.deleted + lives if begun and remains.head.deleted is not None else None


def _credentials_end(remains: Remains, stages: StagesStatus, config: OperatorConfig) -> datetime | None:
    """As the Secret says; where it is gone, from when the stages began."""
    standing = remains.credentials
    if standing is not None and standing.uid == remains.head.uid:
        return standing.last_end
    begun = {
        stage: entry.start_time
        for stage in (Stage.PREPROCESS, Stage.TRAIN, Stage.FINISH)
        if (entry := getattr(stages, stage.value)) is not None and entry.start_time
    }
    ends = [parsed(at) + timedelta(seconds=config.jobs.seconds_of(stage)) for stage, at in begun.items()]
    return max(ends, default=None)
