"""The recorder: what is written when, and what goes."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import psycopg2
import pytest

from history_world import AREA, AWAY, KEY, MemoryDatabase, document, store_of
from profile_contract.request import DeletionPolicy
from profile_contract.resource import Key
from profile_contract.stages.table import Stage
from profile_history import metrics
from profile_history import recorder as module
from profile_history.migrations import NewerSchema
from profile_history.record import record_of
from profile_history.recorder import Recorder
from profile_history.rows import Row, Rows
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import StoredObject, StoreError

JUNHO = Key("hr", "junho")


class World:
    """A recorder with its database and its store."""

    def __init__(self, folder: Path) -> None:
        self.database, self.store = MemoryDatabase(), store_of(folder)
        self.recorder = Recorder(self.database, self.store)

    async def work(self, seconds: float = 20.0) -> None:
        """Let it write until nothing is left to write, or so long."""
        self.recorder._wake.set()
        working, end = asyncio.create_task(self.recorder.work()), time.monotonic() + seconds
        while self.recorder._notes and time.monotonic() < end:
            await asyncio.sleep(0.01)
        assert not working.done(), "it ended by itself"
        working.cancel()
        # A thread that is under way ends before the test goes on.
        await asyncio.sleep(0.05)

    @property
    def pending(self) -> float:
        """What Prometheus is told."""
        return float(metrics.HISTORY_PENDING._value.get())


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.02)
    return World(tmp_path)


async def test_a_request_is_written_with_its_reports(world: World) -> None:
    world.recorder.note(record_of(document()))
    assert world.pending == 1
    await world.work()
    assert world.pending == 0
    assert world.database.requests[KEY][3] == "woman"
    assert world.database.stages[KEY] == {
        (Stage.PREPROCESS, "d1"), (Stage.TRAIN, "d2"), (Stage.GENERATE, "d3"), (Stage.FINISH, "d4"),
    }  # fmt: skip


async def test_nothing_new_is_not_written_again_nor_after_a_new_start(world: World) -> None:
    for _ in range(2):
        world.recorder.note(record_of(document()))
        await world.work()
    again = Recorder(world.database, world.store)
    again.note(record_of(document()))
    world.recorder = again
    await world.work()
    assert world.database.changes() == [("write", KEY)]


@pytest.mark.parametrize("away", [AWAY, NewerSchema("a newer version")])
async def test_what_could_not_be_written_is_written_later(world: World, away: Exception) -> None:
    world.database.away = away
    world.recorder.note(record_of(document()))
    await world.work(0.1)
    assert world.pending == 1
    world.database.away = None
    await world.work()
    assert world.pending == 0
    assert world.database.changes() == [("write", KEY)]


async def test_a_store_that_is_away_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: FolderStore, key: str, most: int | None = None) -> bytes:
        raise StoreError("away")

    with monkeypatch.context() as patched:
        patched.setattr(FolderStore, "read", fail)
        world.recorder.note(record_of(document()))
        await world.work(0.1)
    assert (world.database.changes(), world.pending) == ([], 1)
    await world.work()
    assert len(world.database.stages[KEY]) == 4


@pytest.mark.parametrize("error", [psycopg2.DataError("\x00"), ValueError("NUL"), AWAY])
async def test_one_that_no_database_takes_holds_up_no_other(world: World, error: Exception) -> None:
    world.database.refuses[KEY] = error
    world.recorder.note(record_of(document()))
    world.recorder.note(record_of(document("junho", stages={})))
    await world.work(1.0)
    assert world.database.changes() == [("write", JUNHO)]
    assert world.pending == 1


async def test_a_request_that_goes_takes_its_rows_with_it_at_once(world: World) -> None:
    world.recorder.note(record_of(document()))
    await world.work()
    leaving = document()
    leaving["metadata"]["deletionTimestamp"] = "2026-03-02T00:00:00Z"
    world.recorder.note(record_of(leaving))
    await world.work()
    assert KEY not in world.database.requests
    world.recorder.gone(record_of(leaving))
    await world.work()
    assert KEY not in world.database.requests


async def test_rows_stay_where_artifacts_do(world: World) -> None:
    kept = document(policy="Retain")
    world.recorder.note(record_of(kept))
    kept["metadata"]["deletionTimestamp"] = "2026-03-02T00:00:00Z"
    world.recorder.note(record_of(kept))
    world.recorder.gone(record_of(kept))
    await world.work()
    assert world.database.changes() == [("write", KEY)]


async def test_a_request_made_anew_while_the_database_is_away_has_none_of_the_old_ones_rows(world: World) -> None:
    world.recorder.note(record_of(document()))
    await world.work()
    world.database.away = AWAY
    world.recorder.gone(record_of(document()))
    world.recorder.note(record_of(document(uid="u-2", stages={})))
    await world.work(0.1)
    world.database.away = None
    await world.work()
    assert world.database.changes()[1:] == [("forget", KEY), ("write", KEY)]
    assert world.database.requests[KEY][2] == "u-2"
    assert not world.database.stages[KEY]


async def test_a_request_made_anew_while_nobody_looked_has_what_stands_in_the_store(world: World) -> None:
    world.recorder.note(record_of(document()))
    await world.work()
    world.store.delete(f"{AREA}dataset/")
    world.recorder.note(record_of(document(uid="u-2", stages={})))
    await world.work()
    assert world.database.changes()[1:] == [("write anew", KEY)]
    assert {digest for _, digest in world.database.stages[KEY]} == {"d2", "d3", "d4"}


async def test_who_was_deleted_while_nobody_looked_is_forgotten(world: World) -> None:
    world.recorder.note(record_of(document()))
    world.recorder.note(record_of(document("junho", stages={})))
    await world.work()
    written = await world.recorder.written("")
    assert written == {KEY: DeletionPolicy.DELETE, JUNHO: DeletionPolicy.DELETE}
    assert await world.recorder.compare(written, {JUNHO})
    await world.work()
    assert world.database.changes()[2:] == [("forget", KEY)]


async def test_of_one_that_was_to_stay_rows_stay_for_as_long_as_anything_stands(world: World) -> None:
    """It may have been told to leave nothing after all, and been deleted, with nobody looking."""
    world.recorder.note(record_of(document(policy="Retain")))
    await world.work()
    written = {KEY: DeletionPolicy.RETAIN}
    assert await world.recorder.compare(written, set())
    await world.work()
    assert KEY in world.database.requests
    world.store.delete(AREA)
    assert await world.recorder.compare(written, set())
    await world.work()
    assert KEY not in world.database.requests


async def test_a_store_that_is_away_is_no_empty_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: FolderStore, prefix: str, most: int | None = None) -> list[StoredObject]:
        raise StoreError("away")

    world.recorder.note(record_of(document(policy="Retain")))
    await world.work()
    monkeypatch.setattr(FolderStore, "list", fail)
    assert not await world.recorder.compare({KEY: DeletionPolicy.RETAIN}, set())
    assert world.pending == 0


async def test_a_database_that_is_away_says_nothing_of_what_it_holds(world: World) -> None:
    world.database.away = AWAY
    assert await world.recorder.written("") is None


async def test_what_the_database_lost_is_written_again(world: World) -> None:
    world.recorder.note(record_of(document()))
    await world.work()
    world.database.forget(KEY)
    written = await world.recorder.written("")
    assert written == {}
    assert await world.recorder.compare(written, {KEY})
    world.recorder.note(record_of(document()))
    await world.work()
    assert KEY in world.database.requests


class SlowDatabase(MemoryDatabase):
    """A database that takes as long to write as the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.go_on = threading.Event(), threading.Event()

    def write(self, request: Row, rows: Rows, *, anew: bool = False) -> None:
        self.began.set()
        assert self.go_on.wait(5)
        super().write(request, rows, anew=anew)


async def test_what_is_noted_while_an_older_note_is_written_is_written_too(world: World) -> None:
    database = SlowDatabase()
    world.recorder = Recorder(database, world.store)
    world.recorder.note(record_of(document()))
    writing = asyncio.create_task(world.work(0.5))
    await asyncio.to_thread(database.began.wait, 5)
    world.recorder.note(record_of(document(gpuSeconds=1300)))
    database.go_on.set()
    await writing
    assert database.changes() == [("write", KEY), ("write", KEY)]
    assert database.requests[KEY][7] == 1300
