"""History in PostgreSQL: an index for people and dashboards. A request never waits for it nor fails with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extras

from profile_contract.conditions import ConditionType
from profile_contract.request import ProfileRequestSpec
from profile_contract.resource import Key, RequestHead
from profile_contract.stages.order import StageReport
from profile_contract.stages.table import Stage

from . import metrics, migrations
from .config import OperatorConfig
from .history_rows import TABLES, Row, Rows, rows_of
from .observe.snapshot import Snapshot

log = logging.getLogger(__name__)

RETRY_SECONDS = 30.0
CONNECT_SECONDS = 5

_REQUEST = """
INSERT INTO requests (namespace, name, uid, noun, styles, ready, reason, gpu_seconds, deletion_policy)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (namespace, name) DO UPDATE SET uid = excluded.uid, noun = excluded.noun, styles = excluded.styles,
ready = excluded.ready, reason = excluded.reason, gpu_seconds = excluded.gpu_seconds,
deletion_policy = excluded.deletion_policy, updated_at = now()
"""
# Younger rows may be of a request that was not there yet when the cluster was asked.
_OLD = (
    "SELECT namespace, name FROM requests WHERE deletion_policy = 'Delete' AND updated_at < now() - interval '1 hour'"
)


class Database:
    """Synchronous access; every method raises psycopg2.Error when the database fails."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._up_to_date = False

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor in one transaction on a connection of its own; the first one brings the database up to date."""
        if not self._up_to_date:
            migrations.upgrade(self._dsn, CONNECT_SECONDS)
            self._up_to_date = True
        connection = psycopg2.connect(self._dsn, connect_timeout=CONNECT_SECONDS)
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        except psycopg2.errors.UndefinedTable:
            # Somebody dropped everything: the next transaction makes it anew.
            self._up_to_date = False
            raise
        finally:
            connection.close()

    def write(self, request: Row, rows: Rows) -> None:
        """Put one request's rows; those that stand already stay as they are."""
        with self.transaction() as cursor:
            put_request(cursor, request)
            insert(cursor, rows)

    def old_keys(self) -> set[Key]:
        """Requests that are to leave nothing behind and were last written a while ago."""
        with self.transaction() as cursor:
            cursor.execute(_OLD)
            return {Key(namespace, name) for namespace, name in cursor.fetchall()}

    def forget(self, key: Key) -> None:
        """Delete everything about a request."""
        with self.transaction() as cursor:
            for table in TABLES:
                cursor.execute(f"DELETE FROM {table} WHERE namespace = %s AND name = %s", (key.namespace, key.name))  # noqa: S608 - constants


def put_request(cursor: Any, request: Row) -> None:
    """Insert what the cluster tells of a request, or bring it up to date."""
    cursor.execute(_REQUEST, request)


def insert(cursor: Any, rows: Rows) -> None:
    """Insert rows that are not there yet; reports never change under their digest."""
    for table, values in rows.tables():
        if values:
            psycopg2.extras.execute_values(cursor, f"INSERT INTO {table} VALUES %s ON CONFLICT DO NOTHING", values)  # noqa: S608 - constants


class History:
    """Takes note of requests and writes it down beside the loop, as soon as the database answers."""

    def __init__(self, dsn: str, config: OperatorConfig) -> None:
        self._database = Database(dsn) if dsn else None
        self._config = config
        self._pending: dict[Key, tuple[Row, Rows] | None] = {}
        self._known: dict[Key, object] = {}
        self._wake = asyncio.Event()

    def record(self, snapshot: Snapshot) -> None:
        """Note what is true of a request now. Cheap, and nothing happens if that is known already."""
        if self._database is None:
            return
        request, reports = request_row(snapshot.head, snapshot.spec), _reports(snapshot)
        mark = (request, tuple((digest, report.finished_at) for digest, report in reports))
        key = snapshot.head.key
        if self._known.get(key) == mark:
            return
        self._known[key] = mark
        self._put(key, (request, rows_of(key, reports)))

    def forget(self, key: Key) -> None:
        """Delete a request's rows."""
        self._known.pop(key, None)
        if self._database is not None:
            self._put(key, None)

    async def prune(self, living: set[Key]) -> None:
        """Forget deleted requests whose deletion did not reach the database: it was away, or the operator ended."""
        if self._database is None:
            return
        try:
            old = await asyncio.to_thread(self._database.old_keys)
        except psycopg2.Error as error:
            log.warning("history not pruned: %s", type(error).__name__)
            return
        for key in old - living:
            log.info("%s: its history is forgotten", key)
            self.forget(key)

    def _put(self, key: Key, note: tuple[Row, Rows] | None) -> None:
        self._pending[key] = note
        metrics.HISTORY_PENDING.set(len(self._pending))
        self._wake.set()

    async def work(self) -> None:
        """Write notes down until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for key in list(self._pending):
                if not await self._try(key):
                    await asyncio.sleep(RETRY_SECONDS)
                    self._wake.set()
                    break

    async def _try(self, key: Key) -> bool:
        """Write one note; False if the database is away, and the note is kept."""
        if self._database is None or key not in self._pending:
            return True
        note = self._pending[key]
        try:
            if note is None:
                await asyncio.to_thread(self._database.forget, key)
            else:
                await asyncio.to_thread(self._database.write, *note)
        except psycopg2.Error as error:
            log.warning("history of %s not written: %s", key, type(error).__name__)
            return False
        # A newer note may have come meanwhile.
        if self._pending.get(key) is note:
            del self._pending[key]
        metrics.HISTORY_PENDING.set(len(self._pending))
        return True


def request_row(head: RequestHead, spec: ProfileRequestSpec | None) -> Row:
    """What the cluster tells of a request, also where its spec cannot be read. Pure."""
    ready = next((c for c in head.status.conditions if c.type == ConditionType.READY), None)
    return (
        head.key.namespace,
        head.key.name,
        head.uid,
        spec.subject.noun if spec else "",
        list(spec.styles) if spec else [],
        ready.status if ready else "Unknown",
        ready.reason if ready else "",
        head.status.gpu_seconds,
        head.deletion_policy.value,
    )


def _reports(snapshot: Snapshot) -> list[tuple[str, StageReport]]:
    """The reports that stand, each with its digest."""
    chain, stages = snapshot.chain, (Stage.PREPROCESS, Stage.TRAIN, Stage.FINISH)
    jobs = [(chain.of(stage), report) for stage in stages if (report := snapshot.reports.of(stage)) is not None]
    styles = [(chain.styles[name], report) for name, report in snapshot.reports.generate.items()]
    return [*jobs, *styles]
