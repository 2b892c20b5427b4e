"""sweep: what of the store belongs to nobody any more. Pure, and afraid: what is not known for certain stays.

It is asked about one request's prefix, or one namespace's uploads or class pictures, at a time, with everything that
lies there. Nothing goes that a living request refers to, that is younger than the pause, or of which no age is known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from profile_contract.artifacts import REPORT, kept_mark, orphaned_mark, purgeable_mark, stage_file
from profile_operator.config import SweepConfig
from profile_runtime.store.port import StoredVersion, UnfinishedUpload


class Waste(StrEnum):
    """Why something goes."""

    ORPHANED = "orphaned"  # its request is gone
    SUPERSEDED = "superseded"  # its request is ready with other inputs
    EXPIRED = "expired"  # as its request's spec.retention says
    UPLOAD = "upload"  # photos that no request names
    CLASS_PICTURE = "class-picture"  # drawn so long ago that a training that needs it may draw it anew
    VERSION = "version"  # replaced or deleted, and kept by the bucket
    UNFINISHED = "unfinished"  # parts of an upload that never ended


@dataclass(frozen=True)
class LivingRequest:
    """What a sweep knows of a request that exists. `digests`: all that it refers to or may still use; None: not known.

    `ready_since`: since when it is ready as its spec stands now; None: it is not. `expired`: the stages' folders whose
    files, but for their reports, have had their time.
    """

    kept: bool = False
    digests: frozenset[str] | None = None
    ready_since: datetime | None = None
    expired: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Swept:
    """What goes, by why, and which marks are set and taken away."""

    waste: Mapping[Waste, Sequence[StoredVersion]] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    unmarks: tuple[str, ...] = ()


def sweep(
    prefix: str, listing: Sequence[StoredVersion], request: LivingRequest | None, now: datetime, settings: SweepConfig
) -> Swept:
    """What goes below a request's prefix. `listing`: everything there; `request`: None where it certainly is gone."""
    current = {entry.key: entry for entry in listing if entry.latest and not entry.marker}
    kept, purgeable, orphaned = kept_mark(prefix), purgeable_mark(prefix), orphaned_mark(prefix)
    waste: dict[Waste, Sequence[StoredVersion]] = {Waste.VERSION: old_versions(listing, now, settings)}
    if request is not None:
        marks = (kept,) if request.kept and kept not in current and current else ()
        stale = {orphaned, purgeable if request.kept else kept}
        unmarks = [key for key in (orphaned, kept, purgeable) if key in stale and key in current]
        files = current.values()
        waste |= {Waste.SUPERSEDED: _superseded(files, request, now, settings), Waste.EXPIRED: _expired(files, request)}
        return Swept(_without_nothing(waste), marks, tuple(unmarks))
    if kept in current or purgeable not in current:
        # Without the proof that they may go, artifacts stay: nobody knows what their request said.
        return Swept(_without_nothing(waste), unmarks=(orphaned,) if orphaned in current else ())
    if current and orphaned not in current:
        return Swept(_without_nothing(waste), marks=(orphaned,))
    if all(_old(entry.modified, now, settings.pause) for entry in current.values()):
        # The marks go last: what is interrupted goes on.
        waste[Waste.ORPHANED] = sorted(
            current.values(), key=lambda entry: (entry.key in (orphaned, purgeable), entry.key == purgeable)
        )
    return Swept(_without_nothing(waste))


def sweep_uploads(
    listing: Sequence[StoredVersion],
    used: Collection[str],
    now: datetime,
    settings: SweepConfig,
    expiry: timedelta | None = None,
) -> Swept:
    """What goes of a namespace's uploads. `used`: the prefixes of photos that all its requests name; `expiry`: how long
    photos that none names stay, None: for ever."""
    waste: dict[Waste, Sequence[StoredVersion]] = {Waste.VERSION: old_versions(listing, now, settings)}
    if expiry is not None:
        longest = max(expiry, settings.pause)
        waste[Waste.UPLOAD] = [
            entry
            for entry in listing
            if entry.latest and not entry.marker and _old(entry.modified, now, longest)
            if not any(entry.key.startswith(prefix) for prefix in used)
        ]
    return Swept(_without_nothing(waste))


def sweep_class_pictures(
    listing: Sequence[StoredVersion], now: datetime, settings: SweepConfig, *, gone: bool = False
) -> Swept:
    """What goes of a namespace's class pictures. They show nobody, and no request refers to them: a training that
    misses some draws them anew. `gone`: their namespace is no more."""
    longest = settings.pause if gone else max(settings.superseded, settings.pause)
    old = [entry for entry in listing if entry.latest and not entry.marker and _old(entry.modified, now, longest)]
    versions = old_versions(listing, now, settings)
    return Swept(_without_nothing({Waste.VERSION: versions, Waste.CLASS_PICTURE: old}))


def unfinished_uploads(
    uploads: Iterable[UnfinishedUpload], areas: Collection[str], now: datetime, settings: SweepConfig
) -> list[UnfinishedUpload]:
    """Those that are old and lie in an area (a prefix of keys) that is known to be ours."""
    return [
        upload
        for upload in uploads
        if any(upload.key.startswith(area) for area in areas) and _old(upload.begun, now, settings.pause)
    ]


def old_versions(listing: Sequence[StoredVersion], now: datetime, settings: SweepConfig) -> list[StoredVersion]:
    """Versions that were replaced, or deleted, so long ago; and markers of deletion behind which nothing is left.

    A marker that is the latest is never taken before the versions behind it: they would come back to life. A key of
    which the latest is not listed is left alone.
    """
    old = []
    whole = {entry.key for entry in listing if entry.latest}
    around: list[StoredVersion | None] = [None, *listing, None]
    for newer, entry, older in zip(around, listing, around[2:], strict=False):
        if entry.latest:
            alone = older is None or older.key != entry.key
            gone = entry.marker and alone and _old(entry.modified, now, settings.pause)
        else:
            # It is old since the next one came.
            replaced = newer is not None and newer.key == entry.key and _old(newer.modified, now, settings.pause)
            gone = bool(entry.version) and replaced and entry.key in whole
        if gone:
            old.append(entry)
    return old


def _superseded(
    files: Iterable[StoredVersion], request: LivingRequest, now: datetime, settings: SweepConfig
) -> list[StoredVersion]:
    """Runs of stages that the request, ready for long enough, does not refer to."""
    if request.digests is None or not _old(request.ready_since, now, settings.superseded):
        return []
    runs: dict[str, list[StoredVersion]] = defaultdict(list)
    for entry in files:
        file = stage_file(entry.key)
        if file is not None and file.digest not in request.digests:
            runs[file.digest].append(entry)
    return [
        entry
        for run in runs.values()
        if all(_old(entry.modified, now, settings.superseded) for entry in run)
        for entry in run
    ]


def _expired(files: Iterable[StoredVersion], request: LivingRequest) -> list[StoredVersion]:
    """Files of the stages' runs that have had their time. The reports stay: what is finished stays finished."""
    gone = []
    for entry in files:
        file = stage_file(entry.key)
        if file is not None and file.path != REPORT and any(entry.key.startswith(folder) for folder in request.expired):
            gone.append(entry)
    return gone


def _old(moment: datetime | None, now: datetime, pause: timedelta) -> bool:
    """Whether a moment is known and lies further back than the pause."""
    return moment is not None and now - moment > pause


def _without_nothing(waste: Mapping[Waste, Sequence[StoredVersion]]) -> dict[Waste, Sequence[StoredVersion]]:
    return {why: entries for why, entries in waste.items() if entries}
