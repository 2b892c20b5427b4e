"""Writes the database anew: from the store, where the reports are the truth, and from the requests in the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from profile_contract.request import DeletionPolicy
from profile_contract.resource import Key
from profile_contract.stages.order import StageReport
from profile_runtime.store.port import BoundedStore

from .database import Database, delete, insert, put_request
from .record import RequestRecord
from .reports import reports_below
from .rows import TABLES, rows_of

# Of a request that only the store knows of: what was asked for is known no more.
_UNKNOWN = "INSERT INTO requests (namespace, name) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_WRITTEN = "SELECT namespace, name, deletion_policy FROM requests WHERE %s OR namespace = ANY(%s)"

Reports = Mapping[Key, list[tuple[str, StageReport]]]


def rebuild(
    store: BoundedStore, database: Database, records: Iterable[RequestRecord], namespaces: Sequence[str] = ()
) -> int:
    """Replace all rows by what store and cluster tell, in one transaction; returns how many requests there are.

    `records`: the cluster's requests. Of one that is gone and has kept its artifacts, what the cluster alone knew stays
    where it stood; one that was to leave nothing behind leaves nothing. `namespaces`: rows of others are not touched;
    empty: all are. Raises StoreError or psycopg2.Error, and then nothing has changed.
    """
    reports = stored_reports(store, namespaces)
    living = {record.key: record for record in records if not (record.deleting and record.leaves_nothing)}
    scope = (not namespaces, list(namespaces))
    with database.transaction() as cursor:
        cursor.execute(_WRITTEN, scope)
        written = {Key(namespace, name): policy for namespace, name, policy in cursor.fetchall()}
        gone = {key for key, policy in written.items() if policy == DeletionPolicy.DELETE and key not in living}
        for table in TABLES[1:]:
            cursor.execute(f"DELETE FROM {table} WHERE %s OR namespace = ANY(%s)", scope)  # noqa: S608 - constants
        for key in gone | (written.keys() - reports.keys() - living.keys()):
            delete(cursor, key)
        for record in living.values():
            put_request(cursor, record.row)
        for key in reports.keys() - gone:
            cursor.execute(_UNKNOWN, (key.namespace, key.name))
            insert(cursor, rows_of(key, reports[key]))
    return len((reports.keys() | living.keys()) - gone)


def stored_reports(store: BoundedStore, namespaces: Sequence[str] = ()) -> Reports:
    """Every readable report in the store, or in these namespaces, by request. Raises StoreError."""
    reports: dict[Key, list[tuple[str, StageReport]]] = {}
    for prefix in [f"{namespace}/requests/" for namespace in namespaces] or [""]:
        for key, digest, report in reports_below(store, prefix):
            reports.setdefault(key, []).append((digest, report))
    return reports
