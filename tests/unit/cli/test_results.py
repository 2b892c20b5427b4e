"""What is delivered, and the tables about it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from areas import area
from profile_cli import tables
from profile_cli.errors import CommandError
from profile_cli.results import Results, deliver, files_of, files_of_status, read_results
from profile_contract.artifacts import ORDER, REPORT, stage_prefix
from profile_contract.layouts import LayoutName
from profile_contract.photos import PhotoReason
from profile_contract.request_status import PortraitStatus, ProfileRequestStatus
from profile_contract.stages.finish import (
    Check,
    FinishOrder,
    FinishParameters,
    FinishReport,
    LayoutFile,
    Portrait,
    Score,
    StyleCandidates,
)
from profile_contract.stages.generate import Candidate, GenerateReport
from profile_contract.stages.order import FileRef, RequestRef, StageReport
from profile_contract.stages.preprocess import PhotoVerdict, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainReport
from profile_contract.style import Tone
from profile_runtime.store.folder import FolderStore
from properties import examples

DIGESTS = {Stage.PREPROCESS: "p", Stage.TRAIN: "t", Stage.FINISH: "f"}
BASE = stage_prefix(area(), "minji", Stage.FINISH, "f")
DRAWN_BASE = stage_prefix(area(), "minji", Stage.GENERATE, "g")
ADAPTER_BASE = stage_prefix(area(), "minji", Stage.TRAIN, "t")


def _portrait(rank: int) -> Portrait:
    key = f"{BASE}studio-warm/{rank:02d}-000001"
    cut = LayoutFile(
        layout=LayoutName.RESUME,
        key=f"{key}-resume.jpg",
        width=354,
        height=472,
        bytes=9,
        checks=[
            Check(name="size", met=True, measured="354 x 472", wanted="354 x 472"),
            Check(name="eye line", met=False, measured="40 %", wanted="60 %"),
        ],
    )
    return Portrait(style="studio-warm", seed=1, rank=rank, key=f"{key}.png", likeness=71, layouts=[cut])


def _results(portraits: int) -> Results:
    return Results(
        preprocess=PreprocessReport(digest="p"),
        train=TrainReport(
            digest="t",
            adapter=FileRef(key=f"{ADAPTER_BASE}adapter.safetensors"),
            adapter_webui=FileRef(key=f"{ADAPTER_BASE}adapter-webui.safetensors"),
        ),
        generate=(GenerateReport(digest="g", style="studio-warm", seconds=2.5),),
        finish=FinishReport(
            digest="f",
            portraits=[_portrait(rank + 1) for rank in range(portraits)],
            contact_sheet=f"{BASE}contact-sheet.jpg",
            print_sheet=f"{BASE}print-sheet.pdf",
            likeness_report=f"{BASE}likeness.json",
        ),
    )


def _store(folder: Path, results: Results) -> FolderStore:
    store = FolderStore(folder)
    for key in files_of(results).values():
        store.write(key, key.encode())
    reports: dict[Stage, StageReport] = {
        Stage.PREPROCESS: results.preprocess,
        Stage.TRAIN: results.train,
        Stage.FINISH: results.finish,
    }
    for stage, report in reports.items():
        store.write(stage_prefix(area(), "minji", stage, DIGESTS[stage]) + REPORT, report.to_json().encode())
    candidates = [Candidate(seed=1, key=f"{DRAWN_BASE}000001.png")]
    order = FinishOrder(
        request=RequestRef(namespace="hr", name="minji"),
        digest="f",
        output=BASE,
        dataset="d",
        styles=[StyleCandidates(style="studio-warm", tone=Tone.WARM, candidates=candidates)],
        parameters=FinishParameters(portraits=1, minimum_likeness=0, layouts=[LayoutName.RESUME]),
    )
    store.write(BASE + ORDER, order.to_json().encode())
    store.write(DRAWN_BASE + REPORT, results.generate[0].to_json().encode())
    return store


def test_every_delivered_file_lands_under_its_name(tmp_path: Path) -> None:
    results = _results(1)
    store = _store(tmp_path / "store", results)
    assert read_results(store, area(), "minji", DIGESTS) == results
    out = tmp_path / "out"
    files = deliver(store, results, out)
    assert [file.relative_to(out).as_posix() for file in files] == [
        "adapter-webui.safetensors",
        "adapter.safetensors",
        "contact-sheet.jpg",
        "likeness.json",
        "portraits/studio-warm/01-000001-resume.jpg",
        "portraits/studio-warm/01-000001.png",
        "print-sheet.pdf",
    ]
    assert (out / "adapter.safetensors").read_text() == f"{ADAPTER_BASE}adapter.safetensors"


def test_a_second_delivery_takes_its_own_old_files_away_and_no_others(tmp_path: Path) -> None:
    store, out = _store(tmp_path / "store", _results(2)), tmp_path / "out"
    deliver(store, _results(2), out)
    (out / "portraits" / "mine.jpg").write_text("the user's")
    deliver(store, _results(1), out)
    left = sorted(path.name for path in (out / "portraits").rglob("*") if path.is_file())
    assert left == ["01-000001-resume.jpg", "01-000001.png", "mine.jpg"]


def test_missing_artifacts_are_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"report.json is not in the store"):
        read_results(FolderStore(tmp_path), area(), "minji", DIGESTS)
    with pytest.raises(CommandError, match="cannot be read from the store"):
        deliver(FolderStore(tmp_path / "empty"), _results(1), tmp_path / "out")


def test_tables_tell_verdicts_figures_and_what_was_not_met() -> None:
    verdict = PhotoVerdict(name="a.jpg", accepted=False, reason=PhotoReason.BLURRED, advice="Hold the phone still.")
    assert tables.photo_rows([verdict]) == [("a.jpg", "Blurred", "Hold the phone still.")]
    strange = verdict.model_copy(update={"name": "in/\u202ea\n.jpg"})
    assert tables.photo_rows([strange])[0][0] == "in/-a-.jpg"
    rows = tables.portrait_rows(_results(1).finish)
    assert rows == [("studio-warm", "1", "1", "71 %", "resume 354x472", "eye line")]
    score = Score(style="studio-warm", seed=2, key="k", faces=0, refusal="no face")
    assert tables.candidate_rows(FinishReport(digest="f", scores=[score])) == [
        ("studio-warm", "2", "0", "", "no", "no face")
    ]


# --- nothing leaves the folder -----------------------------------------------------------------------------------


class _Everything(FolderStore):
    """A store that gives something for every key: what a report may name is not the store's to refuse."""

    def read(self, key: str, most: int | None = None) -> bytes:
        return b"stranger's"


def _forged(key: str, *, cut: bool = False) -> Results:
    results = _results(1)
    portrait = results.finish.portraits[0]
    layouts = [portrait.layouts[0].model_copy(update={"key": key})] if cut else portrait.layouts
    forged = portrait.model_copy(update={"layouts": layouts} if cut else {"key": key})
    return replace(results, finish=results.finish.model_copy(update={"portraits": [forged]}))


def _outside(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(
    "path",
    [
        "../../evil.txt", "a/../../../evil.txt", "/etc/evil", "a\\..\\..\\evil", "..\\evil", "C:/evil", "a//b", "a/./b",
        "", "..", "a/", "evil\x1b[2J.png", "a\nb.png", "a\x00b", "half\udce9.png", f"{'x' * 300}.png",
    ],
)  # fmt: skip
def test_a_key_that_is_no_plain_path_is_refused_before_anything_is_written(
    tmp_path: Path, path: str, cut: bool
) -> None:
    out = tmp_path / "deep" / "er" / "out"
    with pytest.raises(CommandError, match="nothing was written"):
        deliver(_Everything(tmp_path / "store"), _forged(BASE + path, cut=cut), out)
    assert _outside(tmp_path) == set()


@pytest.mark.parametrize(
    "key", [f"{area('finance')}requests/ceo/portraits/x/1.png", "../../evil.txt", "/etc/passwd", "evil.txt"]
)
def test_a_key_outside_of_the_requests_own_portraits_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(CommandError, match="is no file below"):
        files_of(_forged(key))


PARTS = st.one_of(st.sampled_from(["..", ".", "", "a", "portraits", "\\", "~", "C:"]), st.text(max_size=6))


@examples(100)
@given(st.lists(PARTS, max_size=6))
def test_no_key_whatever_leaves_the_folder(parts: list[str]) -> None:
    with TemporaryDirectory() as folder:
        out = Path(folder) / "deep" / "out"
        with contextlib.suppress(CommandError):
            deliver(_Everything(Path(folder) / "store"), _forged(BASE + "/".join(parts)), out)
        assert all(path.startswith("deep/out/") for path in _outside(Path(folder)))


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "portraits").symlink_to(elsewhere)
    with pytest.raises(CommandError, match="leads out of"):
        deliver(_store(tmp_path / "store", _results(1)), _results(1), out)
    assert _outside(elsewhere) == set()


@pytest.mark.parametrize(
    "listed", [["../mine.txt"], ["portraits/../../mine.txt"], ["/mine.txt"], {"a": 1}, [1, None], "mine.txt", ["."]]
)
def test_a_forged_list_of_what_was_delivered_takes_nothing_away_outside(tmp_path: Path, listed: object) -> None:
    mine, out = tmp_path / "mine.txt", tmp_path / "out"
    mine.write_text("mine")
    out.mkdir()
    (out / ".delivered.json").write_text(json.dumps(listed))
    deliver(_store(tmp_path / "store", _results(1)), _results(1), out)
    assert mine.read_text() == "mine"
    assert (out / "contact-sheet.jpg").exists()


def test_a_listed_file_that_became_a_link_takes_nothing_away_outside(tmp_path: Path) -> None:
    mine, out = tmp_path / "mine.txt", tmp_path / "out"
    mine.write_text("mine")
    out.mkdir()
    (out / "old").symlink_to(mine)
    (out / ".delivered.json").write_text(json.dumps(["old"]))
    deliver(_store(tmp_path / "store", _results(1)), _results(1), out)
    assert mine.read_text() == "mine"


def test_a_list_that_cannot_be_read_is_written_anew(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ".delivered.json").write_text("{half")
    deliver(_store(tmp_path / "store", _results(1)), _results(1), out)
    assert "contact-sheet.jpg" in json.loads((out / ".delivered.json").read_text())


def test_a_status_tells_the_files_of_portraits_whose_stages_run_anew() -> None:
    portrait = PortraitStatus(
        style="studio-warm", key=f"{BASE}studio-warm/1.png", seed=1, rank=1, likeness=70,
        layouts={LayoutName.SQUARE: f"{BASE}studio-warm/1-square.jpg"},
    )  # fmt: skip
    status = ProfileRequestStatus(
        portraits=[portrait], contact_sheet=f"{BASE}contact-sheet.jpg", adapter=f"{ADAPTER_BASE}adapter.safetensors"
    )
    assert files_of_status(status) == {
        "portraits/studio-warm/1.png": f"{BASE}studio-warm/1.png",
        "portraits/studio-warm/1-square.jpg": f"{BASE}studio-warm/1-square.jpg",
        "contact-sheet.jpg": f"{BASE}contact-sheet.jpg",
        "adapter.safetensors": f"{ADAPTER_BASE}adapter.safetensors",
    }
    assert files_of_status(ProfileRequestStatus()) == {}
