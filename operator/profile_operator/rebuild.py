"""Writes the database anew: from the store, where the reports are the truth, and from the requests in the cluster."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from profile_contract.artifacts import REPORT, request_prefix_of
from profile_contract.reports import LONGEST_REPORT, UnsoundReport, read_report
from profile_contract.resource import Key, SpecError, parse_head, parse_spec
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.order import StageReport
from profile_contract.stages.preprocess import PreprocessReport
from profile_contract.stages.train import TrainReport
from profile_runtime.kubernetes.resources import Document
from profile_runtime.store.port import BoundedStore, TooLarge

from .history import Database, insert, put_request, request_row
from .history_rows import TABLES, Row, rows_of

log = logging.getLogger(__name__)

_KINDS: dict[str, type[StageReport]] = {
    "dataset": PreprocessReport,
    "adapter": TrainReport,
    "candidates": GenerateReport,
    "portraits": FinishReport,
}


def stored_reports(store: BoundedStore) -> dict[Key, list[tuple[str, StageReport]]]:
    """Every readable report in the store, by request. Raises StoreError."""
    found: dict[Key, list[tuple[str, StageReport]]] = {}
    for entry in store.list(""):
        place = report_place(entry.key)
        if place is None:
            continue
        key, folder, digest = place
        try:
            data = store.read(entry.key, LONGEST_REPORT)
            report = read_report(_KINDS[folder], data, request_prefix_of(entry.key))
        except (TooLarge, UnsoundReport) as error:
            log.warning("the report at %s cannot be read and is left out: %s", entry.key, error)
            continue
        found.setdefault(key, []).append((digest, report))
    return found


def report_place(key: str) -> tuple[Key, str, str] | None:
    """Request, folder and digest of a report's key `<namespace>/requests/<name>/<folder>/<digest>/report.json`."""
    parts = key.split("/")
    if len(parts) != 6 or parts[1] != "requests" or parts[3] not in _KINDS or parts[5] != REPORT:
        return None
    return Key(parts[0], parts[2]), parts[3], parts[4]


_REQUEST = "INSERT INTO requests (namespace, name) VALUES (%s, %s) ON CONFLICT DO NOTHING"


def request_rows(documents: Iterable[Document]) -> dict[Key, Row]:
    """What the cluster's requests tell of themselves. Pure."""
    rows: dict[Key, Row] = {}
    for document in documents:
        head = parse_head(document)
        try:
            rows[head.key] = request_row(head, parse_spec(document.get("spec", {})))
        except SpecError:
            rows[head.key] = request_row(head, None)
    return rows


def _keys(found: Iterable[Key]) -> tuple[tuple[str, str], ...]:
    """For SQL's IN, which wants at least one."""
    return tuple((key.namespace, key.name) for key in found) or (("", ""),)


def rebuild(store: BoundedStore, database: Database, documents: Iterable[Document] = ()) -> int:
    """Replace all rows by what store and cluster tell, in one transaction; returns how many requests there are.

    `documents`: the ProfileRequests of the cluster. Of a request that was deleted and left its artifacts, what the
    cluster alone knew stays where it stood.
    """
    found, living = stored_reports(store), request_rows(documents)
    known = found.keys() | living.keys()
    with database.transaction() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(set(TABLES) - {'requests'})}")
        cursor.execute("DELETE FROM requests WHERE (namespace, name) NOT IN %s", (_keys(known),))
        for row in living.values():
            put_request(cursor, row)
        for key, reports in found.items():
            cursor.execute(_REQUEST, (key.namespace, key.name))
            insert(cursor, rows_of(key, reports))
    return len(known)
