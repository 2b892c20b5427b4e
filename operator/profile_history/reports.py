"""The reports of requests as they lie in the store: those that a status names, and all below a prefix."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator

from profile_contract.artifacts import REPORT, StageFile, request_prefix_of, stage_file, stage_folder, stage_prefix
from profile_contract.keys import ForeignKey
from profile_contract.reports import LONGEST_REPORT, UnsoundReport, read_report
from profile_contract.stages.order import StageReport
from profile_contract.stages.table import JOB_STAGES, STAGES, Stage
from profile_runtime.store.port import BoundedStore, NotFound, TooLarge

from .record import RequestRecord

log = logging.getLogger(__name__)

# Of one request's candidates: more did not come from drawing.
MOST_CANDIDATES = 10_000

Written = Collection[tuple[Stage, str]]


def reports_named(store: BoundedStore, record: RequestRecord, written: Written) -> list[tuple[str, StageReport]]:
    """The reports that a request's status names and that are not written down yet, each with its digest.

    A status names one digest for the candidates of all styles, so theirs are looked for in the request's area; where
    the finished portraits are written down, so are the candidates that they were chosen from. Raises StoreError.
    """
    if record.area is None:
        return []
    names = record.area, record.key.name
    keys = []
    for stage in JOB_STAGES:
        digest = record.digest(stage)
        if digest and (stage, digest) not in written:
            try:
                keys.append(stage_prefix(*names, stage, digest) + REPORT)
            except ForeignKey as error:
                log.warning("%s: the status names no digest: %s", record.key, error)
    if record.digest(Stage.GENERATE) and (Stage.FINISH, record.digest(Stage.FINISH)) not in written:
        candidates = store.list(stage_folder(*names, Stage.GENERATE), MOST_CANDIDATES)
        keys += [entry.key for entry in candidates if _is_report(entry.key)]
    return [(file.digest, report) for file, report in _read(store, keys)]


def reports_below(store: BoundedStore, prefix: str) -> Iterator[tuple[StageFile, StageReport]]:
    """Every readable report below a prefix, with where it lies. Raises StoreError."""
    return _read(store, (entry.key for entry in store.list(prefix)))


def _read(store: BoundedStore, keys: Iterator[str] | list[str]) -> Iterator[tuple[StageFile, StageReport]]:
    """The reports among these keys. One that nobody could believe is left out, and the log says so."""
    for key in keys:
        file = stage_file(key)
        if file is None or not file.is_report:
            continue
        try:
            report = read_report(STAGES[file.stage].report, store.read(key, LONGEST_REPORT), request_prefix_of(key))
        except NotFound:
            # The stage has not ended.
            continue
        except (TooLarge, UnsoundReport) as error:
            log.warning("the report at %s cannot be read and is left out: %s", key, error)
            continue
        yield file, report


def _is_report(key: str) -> bool:
    file = stage_file(key)
    return file is not None and file.is_report
