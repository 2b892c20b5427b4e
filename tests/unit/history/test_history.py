"""History: the rows that reports become, and how they are found again in a store."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from operator_world import CONFIG, KEY, World
from profile_contract.request import Subject
from profile_contract.resource import Key
from profile_contract.stages.finish import FinishReport, Score
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.preprocess import PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainReport
from profile_operator import history as module
from profile_operator.history import Database, History
from profile_operator.history_rows import Row, Rows, rows_of
from profile_operator.rebuild import stored_reports
from profile_runtime.store.folder import FolderStore


def finished() -> World:
    world = World().run()
    prefix = world.chain.prefix(Stage.FINISH)
    report = world.store[prefix]
    assert isinstance(report, FinishReport)
    score = Score(style="warm", seed=7, key=f"{prefix}k.png", faces=1, cosine=0.6, likeness=50, delivered=True)
    world.store[prefix] = report.model_copy(update={"scores": [score]})
    return world


def test_a_request_becomes_rows() -> None:
    world = finished()
    rows = rows_of(KEY, [(report.digest, report) for report in world.store.values()])
    assert sorted((row[2], row[4]) for row in rows.stages) == [
        ("finish", ""), ("generate", "plain"), ("generate", "warm"), ("preprocess", ""), ("train", ""),
    ]  # fmt: skip
    assert len(rows.verdicts) == 6
    assert rows.likeness == [("hr", "minji", world.chain.finish, "warm", 7, 0.6, 50, True, "")]
    kinds = {row[2] for row in rows.artifacts}
    assert kinds == {"train", "generate", "finish"}
    assert len([row for row in rows.artifacts if row[2] == "generate"]) == 5


def test_the_store_tells_the_same_as_the_cluster(tmp_path: Path) -> None:
    world, store = finished(), FolderStore(tmp_path)
    for prefix, report in world.store.items():
        store.write(prefix + "report.json", report.to_json().encode())
    store.write("hr/uploads/minji/report.json", b"{}")
    store.write("hr/requests/minji/dataset/broken/report.json", b"{")
    found = stored_reports(store)
    assert list(found) == [KEY]
    kinds = {type(report) for _, report in found[KEY]}
    assert kinds == {PreprocessReport, TrainReport, GenerateReport, FinishReport}
    told = rows_of(KEY, found[KEY])
    known = rows_of(KEY, [(report.digest, report) for report in world.store.values()])
    assert sorted(told.artifacts, key=str) == sorted(known.artifacts, key=str)


class Away(Database):
    """A database that is away for a while."""

    def __init__(self) -> None:
        super().__init__("")
        self.failures = 2
        self.written: list[tuple[Row, Rows]] = []
        self.forgotten: list[Key] = []

    def write(self, request: Row, rows: Rows) -> None:
        if self.failures:
            self.failures -= 1
            raise psycopg2.OperationalError("away")
        self.written.append((request, rows))

    def forget(self, key: Key) -> None:
        self.forgotten.append(key)

    def old_keys(self) -> set[Key]:
        return {KEY, Key("hr", "gone")}


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> tuple[History, Away]:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    history, database = History("postgresql://", CONFIG), Away()
    history._database = database
    return history, database


async def work(history: History) -> None:
    import asyncio

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(history.work(), 0.3)


async def test_what_could_not_be_written_is_written_later(history: tuple[History, Away]) -> None:
    notes, database = history
    notes.record(finished().snapshot())
    await work(notes)
    assert len(database.written) == 1
    assert database.written[0][0][:2] == ("hr", "minji")


async def test_nothing_new_is_not_written_again(history: tuple[History, Away]) -> None:
    notes, database = history
    database.failures = 0
    snapshot = finished().snapshot()
    notes.record(snapshot)
    notes.record(snapshot)
    await work(notes)
    notes.record(snapshot)
    await work(notes)
    assert len(database.written) == 1


async def test_deleted_requests_are_forgotten_even_if_their_deletion_was_missed(
    history: tuple[History, Away],
) -> None:
    notes, database = history
    await notes.prune({KEY})
    await work(notes)
    assert database.forgotten == [Key("hr", "gone")]


async def test_without_a_database_there_is_no_history() -> None:
    notes = History("", CONFIG)
    notes.record(finished().snapshot())
    notes.forget(KEY)
    await notes.prune(set())
    assert not notes._pending


class Slow(Database):
    """A database that takes as long to write as the test wants, and notes what it was given."""

    def __init__(self) -> None:
        super().__init__("")
        self.written: list[Row] = []
        self.began = threading.Event()
        self.go_on = threading.Event()

    def write(self, request: Row, rows: Rows) -> None:
        self.began.set()
        assert self.go_on.wait(5)
        self.written.append(request)


async def test_what_is_noted_while_an_older_note_is_written_is_written_too() -> None:
    database, history, world = Slow(), History("", CONFIG), finished()
    history._database = database
    history.record(world.snapshot())
    writing = asyncio.create_task(history._try(KEY))
    await asyncio.to_thread(database.began.wait, 5)
    newer = replace(world.snapshot(), spec=world.spec.model_copy(update={"subject": Subject(noun="woman")}))
    history.record(newer)
    database.go_on.set()
    assert await writing
    assert await history._try(KEY)
    assert [row[3] for row in database.written] == ["person", "woman"]
    assert not history._pending
