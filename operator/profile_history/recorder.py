"""The recorder: takes note of requests and writes them down as soon as database and store answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import psycopg2

from profile_contract.areas import area_in
from profile_contract.artifacts import request_prefix
from profile_contract.request import DeletionPolicy
from profile_contract.resource import Key
from profile_runtime.store.port import BoundedStore, StoreError

from . import metrics
from .database import Database
from .migrations import NewerSchema
from .record import RequestRecord
from .reports import reports_below, reports_named
from .rows import rows_of

log = logging.getLogger(__name__)

RETRY_SECONDS = 30.0


@dataclass(frozen=True)
class Note:
    """What is to be written of a request: its rows go first (`forget`), then this is written (None: nothing)."""

    forget: bool = False
    record: RequestRecord | None = None


class Recorder:
    """One note a request, the newest; whatever is away, nobody waits but the notes."""

    def __init__(self, database: Database, store: BoundedStore) -> None:
        self._database, self._store = database, store
        self._notes: dict[Key, Note] = {}
        self._known: dict[Key, RequestRecord] = {}
        self._wake = asyncio.Event()

    def note(self, record: RequestRecord) -> None:
        """Note how a request stands. Cheap, and nothing happens if that is known already."""
        if self._known.get(record.key) == record:
            return
        self._known[record.key] = record
        if not record.deleting:
            pending = self._notes.get(record.key)
            self._put(record.key, Note(pending is not None and pending.forget, record))
        elif record.leaves_nothing:
            self._put(record.key, Note(forget=True))

    def gone(self, record: RequestRecord) -> None:
        """Note that a request was let go: its rows stay where its artifacts do."""
        self._known.pop(record.key, None)
        if record.leaves_nothing:
            self._put(record.key, Note(forget=True))

    def forget(self, key: Key) -> None:
        """Delete a request's rows."""
        self._known.pop(key, None)
        self._put(key, Note(forget=True))

    async def written(self, namespace: str) -> Mapping[Key, DeletionPolicy] | None:
        """The requests that the database holds, of one namespace or of all (''); None where it is away."""
        try:
            return await asyncio.to_thread(self._database.policies, namespace)
        except (psycopg2.Error, ValueError) as error:
            log.warning("the database was not asked which requests it holds: %s", _words(error))
            return None

    async def compare(self, written: Mapping[Key, DeletionPolicy], living: Collection[Key]) -> bool:
        """Forget requests that are gone, and write those again that the database has lost.

        `written` was read before `living` was listed: whoever is in the first alone was deleted, with nobody looking.
        Rows whose request said Retain stay for as long as anything of it stands in the store. False where the store
        could not be asked.
        """
        for key in living - written.keys():
            self._known.pop(key, None)
        for key in sorted(written.keys() - living):
            try:
                stays = written[key] is DeletionPolicy.RETAIN and await asyncio.to_thread(self._stands, key)
            except (StoreError, psycopg2.Error) as error:
                log.warning("%s: whether anything of it still stands was not seen: %s", key, _words(error))
                return False
            if not stays:
                log.info("%s is gone, and its history with it", key)
                self.forget(key)
        return True

    async def work(self) -> None:
        """Write notes down until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not await self._round():
                await asyncio.sleep(RETRY_SECONDS)
                self._wake.set()

    async def _round(self) -> bool:
        """Try every note once; False where one is left. One request's rows that cannot be written hold up no other."""
        for key, note in list(self._notes.items()):
            try:
                await asyncio.to_thread(self._write, key, note)
            except (psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.ProgrammingError, StoreError) as error:
                log.warning("history of %s not written: %s", key, _words(error))
                self._last(key)
                return False
            except (psycopg2.Error, ValueError) as error:
                log.warning("history of %s cannot be written: %s", key, _words(error))
                continue
            # A newer note may have come meanwhile.
            if self._notes.get(key) is note:
                del self._notes[key]
            metrics.HISTORY_PENDING.set(len(self._notes))
        return not self._notes

    def _write(self, key: Key, note: Note) -> None:
        """Write one note down. Raises psycopg2.Error, StoreError, or ValueError for what no database takes."""
        if note.forget:
            self._database.forget(key)
        record = note.record
        if record is None:
            return
        written = self._database.written(key)
        if written.uid not in ("", record.uid):
            # Another one of that name, whose end nobody saw: what stands in the store is what is true of this one.
            below = reports_below(self._store, request_prefix(record.area, key.name)) if record.area else ()
            rows = rows_of(key, [(file.digest, report) for file, report in below])
            self._database.write(record.row, rows, anew=True)
            return
        reports = reports_named(self._store, record, written.stages)
        if reports or written.row != record.row:
            self._database.write(record.row, rows_of(key, reports))

    def _last(self, key: Key) -> None:
        """Behind all others: should it be this note alone that fails, they do not wait for it."""
        self._notes[key] = self._notes.pop(key)

    def _stands(self, key: Key) -> bool:
        area = area_in(self._database.written(key).area)
        return area is not None and bool(self._store.list(request_prefix(area, key.name), 1))

    def _put(self, key: Key, note: Note) -> None:
        self._notes[key] = note
        metrics.HISTORY_PENDING.set(len(self._notes))
        self._wake.set()


def _words(error: Exception) -> str:
    """What a log may say of an error: the words of ours, of others the kind alone, for theirs may hold a login."""
    return str(error) if isinstance(error, StoreError | NewerSchema) else type(error).__name__
