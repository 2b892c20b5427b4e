"""Which digests a request refers to or may still use, so that nobody takes them away; and what has had its time."""

from __future__ import annotations

from datetime import datetime

from profile_contract.areas import Area
from profile_contract.artifacts import stage_file
from profile_contract.request_status import ProfileRequestStatus, StagesStatus
from profile_contract.resolved import Resolved
from profile_contract.resource import RequestHead
from profile_contract.stages.table import JOB_STAGES, Stage

from .chain import chain_of


def referenced_digests(head: RequestHead, recorded: Resolved | None, area: Area) -> frozenset[str] | None:
    """All digests of the stages' runs that count for it now, or that its status tells of. None: not all are known.

    `recorded`: what it was resolved to.
    """
    if recorded is None or recorded.finish is None or head.unread_status is not None:
        return None
    chain = chain_of(head.key, area, recorded)
    current = {*map(chain.of, JOB_STAGES), *chain.styles.values()}
    return frozenset(current | _told(head.status))


def expired_folders(head: RequestHead, recorded: Resolved | None, area: Area, now: datetime) -> frozenset[str]:
    """Where the files of a ready request lie that have had their time, as its status tells; none while a person asks
    to try again."""
    stages = head.status.stages
    if recorded is None or head.unread_status is not None or stages is None or not head.ready or head.retrying:
        return frozenset()
    chain, folders = chain_of(head.key, area, recorded), set()
    if stages.train is not None and stages.train.digest == chain.train and stages.train.expired(now):
        folders.add(chain.prefix(Stage.TRAIN))
    if stages.generate is not None and stages.generate.digest == chain.generate and stages.generate.expired(now):
        folders |= {chain.prefix(Stage.GENERATE, digest) for digest in chain.styles.values()}
    return frozenset(folders)


def _told(status: ProfileRequestStatus) -> set[str]:
    """The digests that stand in a status, by themselves or in keys."""
    stages = status.stages or StagesStatus()
    entries = map(stages.of, Stage)
    keys = [status.adapter, status.contact_sheet, status.print_sheet, status.likeness_report]
    delivered = (*status.portraits, *status.previews)
    keys += [key for portrait in delivered for key in (portrait.key, *portrait.layouts.values())]
    files = (stage_file(key) for key in keys if key)
    named = {entry.digest for entry in entries if entry is not None}
    return named | {file.digest for file in files if file is not None}
