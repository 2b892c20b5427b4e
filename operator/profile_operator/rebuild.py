"""Writes the database anew from the store, where the reports are the truth."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from pydantic import ValidationError

from profile_contract.artifacts import REPORT
from profile_contract.orders import FinishReport, GenerateReport, PreprocessReport, StageReport, TrainReport
from profile_contract.store import Store

from .history import Database, insert
from .history_rows import TABLES, rows_of
from .snapshot import Key

log = logging.getLogger(__name__)

_KINDS: dict[str, type[StageReport]] = {
    "dataset": PreprocessReport,
    "adapter": TrainReport,
    "candidates": GenerateReport,
    "portraits": FinishReport,
}


def stored_reports(store: Store) -> dict[Key, list[tuple[str, StageReport]]]:
    """Every readable report in the store, by request. Raises StoreError."""
    found: dict[Key, list[tuple[str, StageReport]]] = {}
    for entry in store.list(""):
        place = report_place(entry.key)
        if place is None:
            continue
        key, folder, digest = place
        try:
            report = _KINDS[folder].model_validate_json(store.read(entry.key))
        except ValidationError:
            log.warning("the report at %s cannot be read and is left out", entry.key)
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


def _keys(found: Iterable[Key]) -> tuple[tuple[str, str], ...]:
    """For SQL's IN, which wants at least one."""
    return tuple((key.namespace, key.name) for key in found) or (("", ""),)


def rebuild(store: Store, database: Database) -> int:
    """Replace all rows by what the store tells, in one transaction; returns how many requests there are.

    What the cluster alone knows of a request (its uid, whether it is ready) stays where it stood, and comes back when
    the operator starts where it did not.
    """
    found = stored_reports(store)
    with database.transaction() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(set(TABLES) - {'requests'})}")
        cursor.execute("DELETE FROM requests WHERE (namespace, name) NOT IN %s", (_keys(found),))
        for key, reports in found.items():
            cursor.execute(_REQUEST, (key.namespace, key.name))
            insert(cursor, rows_of(key, reports))
    return len(found)
