"""The database: how rows are written, asked for and deleted. Synchronous; every method raises psycopg2.Error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extras

from profile_contract.request import DeletionPolicy
from profile_contract.resource import Key
from profile_contract.stages.table import Stage

from . import migrations
from .rows import TABLES, Row, Rows

CONNECT_SECONDS = 5

_REQUEST = """
INSERT INTO requests (namespace, name, uid, noun, styles, ready, reason, gpu_seconds, deletion_policy, area)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (namespace, name) DO UPDATE SET uid = excluded.uid, noun = excluded.noun, styles = excluded.styles,
ready = excluded.ready, reason = excluded.reason, gpu_seconds = excluded.gpu_seconds,
deletion_policy = excluded.deletion_policy, area = excluded.area, updated_at = now()
"""
_REQUEST_ROW = """
SELECT namespace, name, uid, noun, styles, ready, reason, gpu_seconds, deletion_policy, area
FROM requests WHERE namespace = %s AND name = %s
"""


@dataclass(frozen=True)
class WrittenRequest:
    """What is written of a request: its row (None: none), its uid (empty: only the store knew it), its stages."""

    row: Row | None = None
    stages: frozenset[tuple[Stage, str]] = frozenset()

    @property
    def uid(self) -> str:
        """Which of several requests of the same name the rows are about."""
        return str(self.row[2]) if self.row else ""

    @property
    def area(self) -> str:
        """Where what it made lies in the bucket; empty where that was never told."""
        return str(self.row[9]) if self.row else ""


class Database:
    """Rows by request."""

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

    def written(self, key: Key) -> WrittenRequest:
        """What is written of a request."""
        with self.transaction() as cursor:
            cursor.execute(_REQUEST_ROW, (key.namespace, key.name))
            row = cursor.fetchone()
            cursor.execute("SELECT stage, digest FROM stages WHERE namespace = %s AND name = %s", _names(key))
            stages = frozenset((Stage(stage), digest) for stage, digest in cursor.fetchall())
        # A list of PostgreSQL is one of Python; rows hold tuples, so that they can be compared.
        return WrittenRequest(tuple(tuple(v) if isinstance(v, list) else v for v in row) if row else None, stages)

    def policies(self, namespace: str = "") -> Mapping[Key, DeletionPolicy]:
        """The deletion policy of every request that is written down, of one namespace or of all."""
        with self.transaction() as cursor:
            cursor.execute(
                "SELECT namespace, name, deletion_policy FROM requests WHERE %s IN ('', namespace)", (namespace,)
            )
            return {Key(place, name): DeletionPolicy(policy) for place, name, policy in cursor.fetchall()}

    def write(self, request: Row, rows: Rows, *, anew: bool = False) -> None:
        """Put one request's rows; those that stand already stay as they are, or all go first (`anew`)."""
        with self.transaction() as cursor:
            if anew:
                delete(cursor, Key(str(request[0]), str(request[1])))
            put_request(cursor, request)
            insert(cursor, rows)

    def forget(self, key: Key) -> None:
        """Delete everything about a request."""
        with self.transaction() as cursor:
            delete(cursor, key)


def put_request(cursor: Any, request: Row) -> None:
    """Insert what the cluster tells of a request, or bring it up to date."""
    cursor.execute(_REQUEST, [list(value) if isinstance(value, tuple) else value for value in request])


def insert(cursor: Any, rows: Rows) -> None:
    """Insert rows that are not there yet; reports never change under their digest."""
    for table, values in rows.tables():
        if values:
            psycopg2.extras.execute_values(cursor, f"INSERT INTO {table} VALUES %s ON CONFLICT DO NOTHING", values)  # noqa: S608 - constants


def delete(cursor: Any, key: Key) -> None:
    """Delete everything about a request."""
    for table in TABLES:
        cursor.execute(f"DELETE FROM {table} WHERE namespace = %s AND name = %s", _names(key))  # noqa: S608 - constants


def _names(key: Key) -> Sequence[str]:
    return (key.namespace, key.name)
