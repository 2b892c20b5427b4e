"""What is delivered, and the tables about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from profile_cli import tables
from profile_cli.errors import CommandError
from profile_cli.results import Results, deliver, files_of, read_results
from profile_contract.artifacts import ORDER, REPORT, stage_prefix
from profile_contract.names import LayoutName, PhotoReason, Stage, Tone
from profile_contract.orders import (
    Candidate,
    Check,
    FileRef,
    FinishOrder,
    FinishParameters,
    FinishReport,
    GenerateReport,
    LayoutFile,
    PhotoVerdict,
    Portrait,
    PreprocessReport,
    RequestRef,
    Score,
    StageReport,
    StyleCandidates,
    TrainReport,
)
from profile_contract.store import FolderStore

DIGESTS = {Stage.PREPROCESS: "p", Stage.TRAIN: "t", Stage.FINISH: "f"}
BASE = stage_prefix("hr", "minji", Stage.FINISH, "f")
DRAWN_BASE = stage_prefix("hr", "minji", Stage.GENERATE, "g")
ADAPTER_BASE = stage_prefix("hr", "minji", Stage.TRAIN, "t")


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
        store.write(stage_prefix("hr", "minji", stage, DIGESTS[stage]) + REPORT, report.to_json().encode())
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
    assert read_results(store, "hr", "minji", DIGESTS) == results
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
        read_results(FolderStore(tmp_path), "hr", "minji", DIGESTS)
    with pytest.raises(CommandError, match="cannot be read from the store"):
        deliver(FolderStore(tmp_path / "empty"), _results(1), tmp_path / "out")


def test_tables_tell_verdicts_figures_and_what_was_not_met() -> None:
    verdict = PhotoVerdict(name="a.jpg", accepted=False, reason=PhotoReason.BLURRED, advice="Hold the phone still.")
    assert tables.photo_rows([verdict]) == [("a.jpg", "Blurred", "Hold the phone still.")]
    rows = tables.portrait_rows(_results(1).finish)
    assert rows == [("studio-warm", "1", "1", "71 %", "resume 354x472", "eye line")]
    score = Score(style="studio-warm", seed=2, key="k", faces=0, refusal="no face")
    assert tables.candidate_rows(FinishReport(digest="f", scores=[score])) == [
        ("studio-warm", "2", "0", "", "no", "no face")
    ]
