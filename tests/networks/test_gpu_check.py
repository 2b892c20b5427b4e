"""The check of a machine with a GPU: its figures on a thin model, its page, and how it is cut."""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from profile_contract.stages.train import AdapterLayers
from profile_draw.adapters.adapter_file import write_adapter
from profile_draw.adapters.weights import LayerWeights
from profile_draw.families.sdxl import Sdxl
from profile_rehearsal.check import __main__ as command
from profile_rehearsal.check.page import card_of, page
from profile_rehearsal.check.pieces import PIECES, MachineCheck, run
from profile_rehearsal.check.speed import Portraits, profiled
from profile_rehearsal.gpus import GPUS, REACHED
from profile_rehearsal.networks import SMALL, make
from profile_rehearsal.stages import Rehearsal

STEPS = {"seconds": 2.0, "rows": 4, "at_once": 2, "twice": True, "calculated_gib": 11.7, "gib": 10.3}
WORK = {"row": 12.0, "row_twice": 16.0, "encode": 4.0, "decode": 10.0, "unet": 6.0, "control": 2.0}
RESULTS: dict[str, dict[str, Any]] = {
    "machine": {
        "name": "NVIDIA L4", "gib": 22.5, "cores": 8, "torch": "2", "cuda": "13", "python": "3.12", "product": 80.0,
    },
    "steps": STEPS,
    "script": {"seconds": 4.0, "rows": 2, "gib": 20.0},
    "pictures": {"rows": 4, "steps": 30, "one": 11.0, "many": 12.0, "bare": 10.0},
    "profile_training": {"rows": [["a|b", 3, 1.5, 60.0]]},
    "count": {"work": WORK},
}  # fmt: skip


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> MachineCheck:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("check")
    make(folder / "models", SMALL)
    (folder / "results").mkdir()
    rehearsal = Rehearsal(SMALL, folder / "models", folder / "results", (), 1, memory=None)
    return MachineCheck(rehearsal, folder / "results", times=1)


@pytest.mark.parametrize("piece", ["machine", "steps", "script"])
def test_a_piece_leaves_its_figures(check: MachineCheck, piece: str) -> None:
    figures = run(piece, check)
    assert json.loads((check.folder / f"{piece}.json").read_text()) == figures
    if piece == "machine":
        assert figures["product"] > 0
    else:
        assert figures["seconds"] > 0
        assert figures["rows"] == 1


def test_the_bare_pipeline_draws_the_same_picture(check: MachineCheck) -> None:
    drawing = Portraits(check.rehearsal.models, SMALL, b"", steps=2, count=2)
    pipeline, draw = drawing.pipeline(), torch.Generator().manual_seed(1)
    layers = {
        name: LayerWeights(
            0.1 * torch.randn(size.down(4), generator=draw), 0.1 * torch.randn(size.up(4), generator=draw), 1.0
        )
        for name, size in pipeline.bank.layers.items()
    }
    adapter = write_adapter(layers, Sdxl().modules(AdapterLayers.ATTENTION), SMALL.name)
    drawing = replace(drawing, adapter=adapter)
    rows = drawing.rows(pipeline, 1)
    ours = pipeline.draw(drawing.shape, rows).astype(int)
    nobody = pipeline.draw(drawing.shape, [replace(row, adapters=()) for row in rows]).astype(int)
    bare = (np.asarray(drawing.bare(rows[0].adapters[0][0])().images) * 255).round().astype(int)  # type: ignore[attr-defined]
    assert np.abs(ours - bare).max() <= 1
    assert np.abs(ours - nobody).max() > 1


def test_a_profile_tells_what_takes_longest(tmp_path: Path) -> None:
    numbers = torch.randn(200, 200)
    rows = profiled(lambda: numbers @ numbers, tmp_path / "trace.json.gz")
    assert rows[0][0] == "aten::mm"
    assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)
    assert json.loads(gzip.decompress((tmp_path / "trace.json.gz").read_bytes()))["traceEvents"]


def test_the_page_shows_what_was_measured_beside_what_was_calculated() -> None:
    text = page(RESULTS)
    card = next(gpu for gpu in GPUS if gpu.name == "L4")
    flops = 4 * WORK["row_twice"]
    assert f"| 2.00 | {flops / (card.teraflops * REACHED):.2f} | 32 | {32 / card.teraflops:.0%} |" in text
    # Two pictures a second of ours, half a picture of diffusers' loop.
    assert "| pictures a second over diffusers' loop | 4.00 × |" in text
    assert "| one person's portraits over the bare pipeline | +10% |" in text
    assert "| 2 of 4 | calculated twice | 11.7 | 10.3 |" in text
    assert "`a/b`" in text
    assert page({}).count("not measured yet") == 7


@pytest.mark.parametrize(
    ("name", "card"),
    [("NVIDIA A100-SXM4-80GB", "A100 80 GB"), ("NVIDIA L40S", "L40S"), ("NVIDIA L4", "L4"), ("no GPU", None)],
)
def test_a_device_is_one_of_the_cards(name: str, card: str | None) -> None:
    known = card_of(name)
    assert (known.name if known else None) == card


def test_what_is_not_done_in_time_is_cut_and_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun: list[str] = []

    def in_a_process(name: str, seconds: float) -> int:
        begun.append(name)
        if len(begun) == 3:
            return command.CUT
        (tmp_path / f"{name}.json").write_text(json.dumps(RESULTS.get(name, {})))
        return 0

    monkeypatch.setattr(command, "_in_a_process", in_a_process)
    monkeypatch.setattr(sys, "argv", ["check", "--results", str(tmp_path)])
    assert command.main() == command.CUT
    assert "run it again" in capsys.readouterr().err
    assert command.main() == 0
    assert begun == [*command.NAMES[:3], *command.NAMES[2:]]
    assert (tmp_path / "page.md").is_file()


def test_no_piece_is_begun_when_no_time_is_left() -> None:
    assert command._in_a_process("machine", 1.0) == command.CUT


def test_the_command_knows_every_piece() -> None:
    assert tuple(PIECES) == command.NAMES
