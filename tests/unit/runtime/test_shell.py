"""The shell around a stage, the folder store, the artifact layout, progress."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from areas import area
from profile_contract.artifacts import candidate_key, stage_prefix, uploads_prefix
from profile_contract.conditions import Reason
from profile_contract.exits import EXIT_BAD_INPUT, EXIT_TRY_AGAIN, BadInput
from profile_contract.layouts import LAYOUTS, LayoutName
from profile_contract.progress import ProgressEvent
from profile_contract.stages.order import RequestRef, StageReport
from profile_contract.stages.preprocess import PreprocessOrder, PreprocessReport
from profile_contract.stages.table import Stage
from profile_runtime.context import StageContext
from profile_runtime.progress import StageProgress
from profile_runtime.shell import TERMINATION_BYTES, _last_words, run_stage
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.opening import open_store
from profile_runtime.store.port import NotFound, StoreError
from stage_program import ORDER, Ended, run_each


class Collected:
    def __init__(self) -> None:
        self.events: list[ProgressEvent] = []

    def publish(self, event: ProgressEvent) -> None:
        self.events.append(event)


def test_the_report_is_written_last_with_times_and_memory(tmp_path: Path) -> None:
    store, seen = FolderStore(tmp_path), Collected()

    def run(order: PreprocessOrder, context: StageContext) -> PreprocessReport:
        assert (context.models, context.vision) == (tmp_path / "models", tmp_path / "models" / "vision")
        assert context.store.stat(order.output + "report.json") is None
        context.store.write(order.output + "x.png", b"x")
        context.progress.at(1, 2, "half")
        return PreprocessReport(digest=order.digest)

    run_stage(run, ORDER, Stage.PREPROCESS, store, models=tmp_path / "models", publisher=seen)
    report = PreprocessReport.model_validate_json(store.read(ORDER.output + "report.json"))
    assert report.outcome == "Done"
    assert report.finished_at >= report.started_at > "2000"
    assert report.peak_memory_megabytes > 1
    assert [e.percent for e in seen.events][-1] == 100
    assert PreprocessOrder.model_validate_json(store.read(ORDER.output + "order.json")) == ORDER


def test_bad_input_becomes_a_report(tmp_path: Path) -> None:
    def run(order: PreprocessOrder, context: StageContext) -> PreprocessReport:
        raise BadInput(Reason.NO_PHOTOS, "there are no photos")

    run_stage(run, ORDER, Stage.PREPROCESS, FolderStore(tmp_path), models=tmp_path)
    report = StageReport.model_validate_json((tmp_path / ORDER.output / "report.json").read_text())
    assert (report.outcome, report.reason, report.message) == ("BadInput", "NoPhotos", "there are no photos")


PROGRAM = """
import sys
from profile_contract.exits import BadInput, TryAgain
from profile_contract.conditions import Reason
from profile_contract.stages.preprocess import PreprocessOrder, PreprocessReport
from profile_contract.stages.table import Stage
from profile_runtime.shell import main
def run(order, context):
    return PreprocessReport(digest=order.digest, message=str(context.models))
def program():
    return main(run, PreprocessOrder, Stage.PREPROCESS)
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Ended]]:
    """A folder of stores, one a run, and how every run of the program ended."""
    folder = tmp_path_factory.mktemp("programs")
    orders = {"no fields": "{}", "no json": "not json"}
    stores = {"no store": "ftp://somewhere"}
    more = {"models elsewhere": {"PROFILE_MODELS": "/somewhere/else"}}
    runs = {
        name: {
            "PROFILE_ORDER": orders.get(name, ORDER.to_json()),
            "PROFILE_STORE": stores.get(name, f"file://{folder}/{name}"),
            **more.get(name, {}),
        }
        for name in ("done", *orders, *stores, *more)
    }
    return folder, run_each(PROGRAM, runs, folder)


@pytest.mark.parametrize(
    ("name", "code"),
    [("done", 0), ("no fields", EXIT_BAD_INPUT), ("no json", EXIT_BAD_INPUT), ("no store", EXIT_TRY_AGAIN)],
)
def test_the_program_ends_with_the_code_that_the_job_understands(
    ended: tuple[Path, dict[str, Ended]], name: str, code: int
) -> None:
    assert ended[1][name].code == code, ended[1][name].said
    assert "Traceback" not in ended[1][name].said


@pytest.mark.parametrize(("name", "models"), [("models elsewhere", "/somewhere/else"), ("done", "/models")])
def test_the_program_looks_for_models_where_it_is_told(
    ended: tuple[Path, dict[str, Ended]], name: str, models: str
) -> None:
    report = StageReport.model_validate_json((ended[0] / name / ORDER.output / "report.json").read_text())
    assert report.message == models


def test_folder_store(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}")
    store.write("hr/a/1.json", b"one")
    store.write("hr/a/2.json", b"two")
    store.write("hr/ab/3.json", b"three")
    assert [o.key for o in store.list("hr/a/")] == ["hr/a/1.json", "hr/a/2.json"]
    assert [o.key for o in store.list("hr/a")] == ["hr/a/1.json", "hr/a/2.json", "hr/ab/3.json"]
    assert store.read("hr/a/1.json") == b"one"
    assert store.delete("hr/a/") == 2
    assert store.stat("hr/a/1.json") is None
    with pytest.raises(NotFound):
        store.read("hr/a/1.json")
    with pytest.raises(StoreError):
        store.write("../outside", b"")


def test_artifacts_lie_where_the_design_says() -> None:
    assert stage_prefix(area(), "minji", Stage.TRAIN, "abc") == "hr.1a2b3c4d-5e6f/requests/minji/adapter/abc/"
    assert candidate_key("p/", 7) == "p/000007.png"
    assert candidate_key("p/", 7, twin=True) == "p/000007-neutral.png"
    assert uploads_prefix(area(), "uploads/minji/") == "hr.1a2b3c4d-5e6f/uploads/minji/"


@pytest.mark.parametrize("prefix", ["sales/uploads/minji/", "uploads/../x/", "uploads//x/", "uploads/x", "/uploads/x/"])
def test_a_prefix_outside_the_namespace_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="must begin with 'uploads/'"):
        uploads_prefix(area(), prefix)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        (LayoutName.EMPLOYEE_CARD, (354, 472)),
        (LayoutName.STUDENT_CARD, (354, 472)),
        (LayoutName.RESUME, (354, 472)),
        (LayoutName.ID_SIZE, (413, 531)),
        (LayoutName.PRINT, (591, 827)),
        (LayoutName.SQUARE, (600, 600)),
    ],
)
def test_layouts_have_exact_sizes(name: LayoutName, size: tuple[int, int]) -> None:
    assert (LAYOUTS[name].width, LAYOUTS[name].height) == size
    assert not LAYOUTS[name].official_identification


def test_progress_is_monotone_json_that_anyone_can_read() -> None:
    seen = Collected()
    progress = StageProgress(ORDER.request, Stage.TRAIN, "abc", seen, every_seconds=0)
    for step in range(5):
        progress.at(step, 4)
    assert [e.percent for e in seen.events] == [0, 25, 50, 75, 100]
    assert json.loads(seen.events[1].to_json())["remainingSeconds"] >= 0


@pytest.mark.parametrize("letter", ["x", "가", "😀", "\n", '"', "\ud800"])
def test_last_words_are_whole_whatever_they_are_written_in(letter: str) -> None:
    words = _last_words(65, Reason.STAGE_FAILED, letter * 5000)
    assert len(words) <= TERMINATION_BYTES
    said = json.loads(words)
    assert (said["code"], said["reason"]) == (65, "StageFailed")
    assert 300 <= len(said["message"]) <= 1000
    assert set(said["message"]) == {letter}


@pytest.mark.parametrize(
    "odd", [{"remainingSeconds": 10**30}, {"remainingSeconds": -1}, {"message": "x" * 5000}, {"percent": 101}]
)
def test_an_event_that_no_status_could_hold_is_none(odd: dict[str, object]) -> None:
    sound = {"namespace": "hr", "name": "a", "stage": "train", "digest": "d", "percent": 3}
    ProgressEvent.model_validate_json(json.dumps(sound | {"remainingSeconds": 60}))
    with pytest.raises(ValueError, match=next(iter(odd))):
        ProgressEvent.model_validate_json(json.dumps(sound | odd))


def test_progress_that_crawls_is_still_told() -> None:
    heard: list[ProgressEvent] = []

    class Ear:
        def publish(self, event: ProgressEvent) -> None:
            heard.append(ProgressEvent.model_validate_json(event.to_json()))

    progress = StageProgress(RequestRef(namespace="hr", name="a"), Stage.TRAIN, "d", Ear(), every_seconds=0)
    progress.at(1e-12, 1.0, "m" * 5000)
    progress.at(2.0, 1.0)
    assert [(event.remaining_seconds is not None, len(event.message)) for event in heard] == [(True, 1000), (True, 0)]


@pytest.mark.parametrize("key", ["a/" + "x" * 300, "a\0b", "a/b/c", "", "a/."])
def test_what_a_folder_cannot_hold_is_a_failure_of_the_store(tmp_path: Path, key: str) -> None:
    store = FolderStore(tmp_path)
    store.write("a/b", b"1")
    with pytest.raises(StoreError):
        store.write(key, b"2")
    with pytest.raises(StoreError):
        store.read(key)
    assert [found.key for found in store.list("a/")] == ["a/b"]


def test_a_full_disk_is_said_and_nothing_is_left_of_what_did_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, whole = FolderStore(tmp_path), Path.write_bytes
    store.write("a/b", b"before")

    def full(path: Path, data: bytes) -> int:
        whole(path, data[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match="No space left on device"):
        store.write("a/b", b"afterwards")
    assert store.read("a/b") == b"before"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
