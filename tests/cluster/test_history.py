"""History in a real PostgreSQL: migrations, what people ask of it, and the same content written anew from the store."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from areas import area
from product import Product, Space, wait_for
from profile_contract.artifacts import REPORT, stage_prefix
from profile_contract.photos import PhotoReason
from profile_contract.request import DeletionPolicy
from profile_contract.resource import Key
from profile_contract.stages.finish import FinishReport, Score
from profile_contract.stages.order import FileRef, StageReport
from profile_contract.stages.preprocess import PhotoVerdict, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainReport
from profile_history import migrations
from profile_history.database import Database, WrittenRequest
from profile_history.migrations import NewerSchema
from profile_history.rebuild import RebuildScope, rebuild
from profile_history.record import record_of
from profile_history.rows import TABLES, Rows, rows_of
from profile_runtime.store.folder import FolderStore
from profile_sandbox import Sandbox, passwords

PAGE = Path(__file__).resolve().parents[2] / "docs" / "history.md"
QUESTIONS = [
    question.strip()
    for block in re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for question in block.split("\n\n")
]

pytestmark = pytest.mark.cluster
HISTORY = "app.kubernetes.io/component=history"

KEY = Key("hr", "minji")
AREA = f"{area()}requests/minji/"
DAY = "2026-03-01T{}:00:00+00:00"


@pytest.fixture
def whole(sandbox: Sandbox) -> str:
    """The sandbox's database, which is the product's."""
    host, _, port = sandbox.address("postgres").partition(":")
    login = {"host": host, "port": port, "user": passwords.DATABASE_USER, "dbname": passwords.DATABASE_NAME}
    return make_dsn(**login, password=sandbox.passwords.database)


@pytest.fixture
def dsn(whole: str) -> Iterator[str]:
    """A schema of its own in the sandbox's database."""
    schema = f"test_{uuid.uuid4().hex[:8]}"
    _run(whole, f"CREATE SCHEMA {schema}")
    yield make_dsn(whole, options=f"-c search_path={schema}")
    _run(whole, f"DROP SCHEMA {schema} CASCADE")


def _run(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def _reports() -> dict[Stage, StageReport]:
    verdicts = [
        PhotoVerdict(name=f"{number}.jpg", accepted=reason is PhotoReason.ACCEPTED, reason=reason)
        for number, reason in enumerate([PhotoReason.ACCEPTED, PhotoReason.ACCEPTED, PhotoReason.BLURRED])
    ]
    scores = [
        Score(
            style="studio-warm",
            seed=seed,
            key=f"{AREA}candidates/d/{seed}.png",
            faces=1,
            cosine=0.5,
            likeness=likeness,
            delivered=good,
        )
        for seed, likeness, good in ((1, 90, True), (2, 80, True), (3, 30, False))
    ]
    adapter = FileRef(key=f"{AREA}adapter/d2/adapter.safetensors", sha256="a" * 64, bytes=3)
    times = {"started_at": DAY.format("01"), "seconds": 600.0, "gpu": "H100", "gpu_count": 2}
    return {
        Stage.PREPROCESS: PreprocessReport(digest="d1", verdicts=verdicts, finished_at=DAY.format("00")),
        Stage.TRAIN: TrainReport(
            digest="d2", base_model="sdxl", adapter=adapter, finished_at=DAY.format("02"), **times
        ),
        Stage.FINISH: FinishReport(digest="d3", scores=scores, finished_at=DAY.format("03")),
    }


# The request as the cluster holds it, and one that has no report yet.
REQUEST: dict[str, Any] = {
    "metadata": {"namespace": "hr", "name": "minji", "uid": "u-1", "resourceVersion": "9", "generation": 1},
    "spec": {
        "subject": {"noun": "woman"},
        "photos": {"prefix": "uploads/minji/"},
        "styles": [{"name": "studio-warm"}, {"name": "campus", "kind": "ClusterProfileStyle"}],
        "deletionPolicy": "Delete",
    },
    "status": {
        "area": area(),
        "gpuSeconds": 1200,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Succeeded",
                "message": "",
                "lastTransitionTime": "2026-03-01T03:00:00Z",
                "observedGeneration": 1,
            }
        ],
    },
}
WAITING = {"metadata": REQUEST["metadata"] | {"name": "junho", "uid": "u-2"}, "spec": REQUEST["spec"]}


RECORDS = [record_of(REQUEST), record_of(WAITING)]


def _fill(dsn: str) -> None:
    """As the history writes it, request by request."""
    database = Database(dsn)
    for record in RECORDS:
        reports = _reports().values() if record.key == KEY else ()
        database.write(record.row, rows_of(record.key, [(report.digest, report) for report in reports]))


def _content(dsn: str) -> dict[str, list[str]]:
    """Every row of every table; when a row was written is no content."""
    found = {}
    for table in TABLES:
        rows = _run(dsn, f"SELECT to_jsonb({table}.*) - 'updated_at' FROM {table}")  # noqa: S608 - constants
        found[table] = sorted(str(row) for row in rows)
    return found


def test_people_are_answered(dsn: str) -> None:
    _fill(dsn)
    assert _run(dsn, "SELECT namespace, name, gpu, gpu_seconds FROM gpu_use") == [("hr", "minji", "H100", 1200.0)]
    verdicts = _run(dsn, "SELECT reason, photos FROM verdicts_by_day ORDER BY reason")
    assert verdicts == [("Accepted", 2), ("Blurred", 1)]
    query = "SELECT style, model, candidates, delivered, mean_likeness, lowest_likeness FROM likeness_by_style"
    assert _run(dsn, query) == [("studio-warm", "sdxl", 3, 2, 85, 80)]


def test_what_an_older_version_wrote_is_kept(dsn: str) -> None:
    migrations.upgrade(dsn, 5, to="0001")
    _run(dsn, "INSERT INTO requests (namespace, name) VALUES ('hr', 'older')")
    _run(
        dsn,
        "INSERT INTO stages (namespace, name, stage, digest, outcome, reason) "
        "VALUES ('hr', 'older', 'train', 'd', 'Done', 'Succeeded')",
    )
    _fill(dsn)
    assert _run(dsn, "SELECT name, model FROM stages WHERE stage = 'train' ORDER BY name") == [
        ("minji", "sdxl"),
        ("older", ""),
    ]


def test_two_programs_may_bring_it_up_to_date_at_once(dsn: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: migrations.upgrade(dsn, 5), range(4)))
    assert _run(dsn, "SELECT version_num FROM alembic_version") == [("0003",)]


def test_a_database_that_was_dropped_is_written_anew_from_the_store(dsn: str, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for stage, report in _reports().items():
        key = stage_prefix(area(), KEY.name, stage, report.digest) + REPORT
        store.write(key, report.to_json().encode())
    _fill(dsn)
    before, database = _content(dsn), Database(dsn)
    (minji,) = _run(dsn, "SELECT * FROM requests WHERE name = 'minji'")
    told = ("hr", "minji", "u-1", "woman", ["studio-warm", "campus"], "True", "Succeeded", 1200, "Delete")
    assert minji[:9] == told
    assert rebuild(store, database, RECORDS) == 2
    assert _content(dsn) == before
    for table in (*TABLES, "alembic_version"):
        _run(dsn, f"DROP TABLE {table} CASCADE")
    # The next try makes the tables again; the command fills them.
    with pytest.raises(psycopg2.errors.UndefinedTable):
        rebuild(store, database, RECORDS)
    assert rebuild(store, database, RECORDS) == 2
    assert _content(dsn) == before


def test_what_only_the_store_knows_is_kept_and_what_nobody_knows_goes(dsn: str, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    report = _reports()[Stage.TRAIN]
    store.write(stage_prefix(area(), "minji", Stage.TRAIN, report.digest) + REPORT, report.to_json().encode())
    _fill(dsn)
    _run(dsn, "UPDATE requests SET deletion_policy = 'Retain'")
    assert rebuild(store, Database(dsn), []) == 1
    assert _run(dsn, "SELECT name, uid, noun FROM requests") == [("minji", "u-1", "woman")]
    assert _run(dsn, "SELECT stage FROM stages") == [("train",)]


def test_of_a_request_that_was_to_leave_nothing_nothing_is_written_anew(dsn: str, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    report = _reports()[Stage.TRAIN]
    store.write(stage_prefix(area(), "minji", Stage.TRAIN, report.digest) + REPORT, report.to_json().encode())
    _fill(dsn)
    assert rebuild(store, Database(dsn), RECORDS[1:]) == 1
    assert all("minji" not in row for rows in _content(dsn).values() for row in rows)


def test_a_rebuild_of_some_namespaces_leaves_the_others_alone(dsn: str, tmp_path: Path) -> None:
    _fill(dsn)
    before = _content(dsn)
    assert rebuild(FolderStore(tmp_path), Database(dsn), [], RebuildScope(["campus"])) == 0
    assert _content(dsn) == before


def test_what_is_written_is_read_back(dsn: str) -> None:
    database, record = Database(dsn), RECORDS[0]
    assert database.written(KEY) == WrittenRequest()
    _fill(dsn)
    assert database.written(KEY) == WrittenRequest(
        record.row, frozenset({(Stage.PREPROCESS, "d1"), (Stage.TRAIN, "d2"), (Stage.FINISH, "d3")})
    )
    assert database.policies() == dict.fromkeys((KEY, Key("hr", "junho")), DeletionPolicy.DELETE)
    assert database.policies("campus") == {}
    assert set(database.policies("hr")) == {KEY, Key("hr", "junho")}
    database.write(record.row, Rows(), anew=True)
    assert database.written(KEY) == WrittenRequest(record.row)
    database.forget(KEY)
    assert database.written(KEY) == WrittenRequest()
    assert all("minji" not in row for rows in _content(dsn).values() for row in rows)


def test_a_database_of_a_newer_version_is_left_alone(dsn: str) -> None:
    _fill(dsn)
    before = _content(dsn)
    _run(dsn, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(NewerSchema, match="a newer version"):
        Database(dsn).forget(KEY)
    assert _content(dsn) == before


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda text: text.splitlines()[0])
def test_the_pages_questions_are_answered(question: str, dsn: str) -> None:
    _fill(dsn)
    # What happened this month, as the page asks.
    _run(dsn, "UPDATE stages SET started_at = now(), finished_at = now()")
    assert _run(dsn, question)


def test_a_database_that_is_away_is_psycopgs_own_error() -> None:
    with pytest.raises(psycopg2.OperationalError):
        migrations.upgrade("postgresql://profile@127.0.0.1:1/profile", 1)


def test_a_request_is_written_down_and_leaves_nothing_even_where_nobody_looked(
    whole: str, product: Product, space: Space
) -> None:
    """Two that end at once, for they have no photos; one goes before the history's eyes, one while it is down."""

    def written() -> list[tuple[str, str]]:
        query = f"SELECT name, reason FROM requests WHERE namespace = '{space.name}' ORDER BY name"  # noqa: S608 - ours
        return [(name, reason) for name, reason in _run(whole, query)]

    def scale(replicas: int) -> None:
        place = ("-n", product.release_namespace)
        product.kubectl.run(*place, "scale", "deployment/profile-studio-history", f"--replicas={replicas}")
        wait_for(lambda: len(product.kubectl.get(*place, "pods", "-l", HISTORY)["items"]) == replicas, 60, "its pods")

    seen, unseen = space.request("seen"), space.request("unseen")
    wait_for(lambda: written() == [("seen", "NoPhotos"), ("unseen", "NoPhotos")], 90, "both are written down")
    seen.delete()
    wait_for(lambda: written() == [("unseen", "NoPhotos")], 30, "the one is forgotten")
    scale(0)
    try:
        unseen.delete()
        assert written() == [("unseen", "NoPhotos")], "nobody has seen it go"
    finally:
        scale(1)
    wait_for(lambda: written() == [], 90, "the other is forgotten, too")
