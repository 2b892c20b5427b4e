"""Writes the database anew: from the store, where the reports are the truth, and from the requests in the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from profile_contract.areas import Area, areas_prefix
from profile_contract.request import DeletionPolicy
from profile_contract.resource import Key
from profile_contract.stages.order import StageReport
from profile_runtime.store.port import BoundedStore

from .database import Database, delete, insert, put_request
from .record import RequestRecord
from .reports import reports_below
from .rows import TABLES, rows_of

# Of a request that only the store knows of: what was asked for is known no more.
_UNKNOWN = "INSERT INTO requests (namespace, name, area) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
_WRITTEN = "SELECT namespace, name, deletion_policy, area FROM requests WHERE %s OR namespace = ANY(%s)"

Reports = list[tuple[str, StageReport]]


@dataclass(frozen=True)
class RebuildScope:
    """What is written anew: the rows of these namespaces (empty: of all), from what lies below the installation's
    prefix in the bucket."""

    namespaces: Sequence[str] = ()
    store_prefix: str = ""


def rebuild(
    store: BoundedStore, database: Database, records: Iterable[RequestRecord], scope: RebuildScope = RebuildScope()
) -> int:
    """Replace all rows by what store and cluster tell, in one transaction; returns how many requests there are.

    `records`: the cluster's requests. Of one that is gone and has kept its artifacts, what the cluster alone knew stays
    where it stood; one that was to leave nothing behind leaves nothing. Of several namespaces of one name, the rows are
    about the one that holds the request, else the one they were about. Raises StoreError or psycopg2.Error, and then
    nothing has changed.
    """
    stored = stored_reports(store, scope)
    living = {record.key: record for record in records if not (record.deleting and record.leaves_nothing)}
    rows_in_scope = (not scope.namespaces, list(scope.namespaces))
    with database.transaction() as cursor:
        cursor.execute(_WRITTEN, rows_in_scope)
        standing = {Key(namespace, name): (policy, area) for namespace, name, policy, area in cursor.fetchall()}
        written = {key: policy for key, (policy, _) in standing.items()}
        reports = {}
        for key, areas in stored.items():
            known = living[key].area if key in living else standing[key][1] if key in standing else None
            area = known or max(areas)
            if area in areas:
                reports[key] = (area, areas[area])
        gone = {key for key, policy in written.items() if policy == DeletionPolicy.DELETE and key not in living}
        for table in TABLES[1:]:
            cursor.execute(f"DELETE FROM {table} WHERE %s OR namespace = ANY(%s)", rows_in_scope)  # noqa: S608 - constants
        for key in gone | (written.keys() - reports.keys() - living.keys()):
            delete(cursor, key)
        for record in living.values():
            put_request(cursor, record.row)
        for key in reports.keys() - gone:
            area, below = reports[key]
            cursor.execute(_UNKNOWN, (key.namespace, key.name, area))
            insert(cursor, rows_of(key, below))
    return len((reports.keys() | living.keys()) - gone)


def stored_reports(store: BoundedStore, scope: RebuildScope = RebuildScope()) -> Mapping[Key, Mapping[Area, Reports]]:
    """Every readable report in the scope, by request and by the area that it lies in. Raises StoreError."""
    reports: dict[Key, dict[Area, Reports]] = {}
    prefixes = [areas_prefix(namespace, scope.store_prefix) for namespace in scope.namespaces]
    for prefix in prefixes or [scope.store_prefix]:
        for file, report in reports_below(store, prefix):
            # Below an installation's prefix another's may lie.
            if file.area.startswith(areas_prefix(file.namespace, scope.store_prefix)):
                areas = reports.setdefault(Key(file.namespace, file.request), {})
                areas.setdefault(file.area, []).append((file.digest, report))
    return reports
