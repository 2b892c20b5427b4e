"""The notebook of the examples: it runs from its first cell to its last, and is kept without what it prints."""

from __future__ import annotations

import io
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

from profile_models.folders import models_folder

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOTEBOOK = EXAMPLES / "looks.ipynb"
# Run behind its last cell, in its own process.
FIGURES = """
import json
import numpy as np

def distance(one, other):
    return int(np.abs(one.astype(int) - other.astype(int)).max())

print(json.dumps({
    "layers": len(look.layers),
    "without": distance(pictures[0], cells[0, 0, 0]),
    "with": distance(pictures[1], cells[1, 0, 0]),
    "by the look": distance(pictures[0], pictures[1]),
    "by its weight": distance(cells[1, 0, 0], cells[2, 0, 0]),
    "by the seed": distance(cells[0, 0, 0], cells[0, 1, 0]),
    "likeness": measured,
    "cells": len(measures),
    "posed": pipeline.has_control and plain.pose is not None,
}))
"""


def notebook() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_kept_without_what_it_prints() -> None:
    nbformat.validate(notebook())
    cells = [cell for cell in notebook().cells if cell.cell_type == "code"]
    assert len(cells) == 7
    assert [cell.id for cell in cells if cell.outputs or cell.execution_count is not None or cell.metadata] == []


def test_every_cell_is_short_and_has_a_sentence() -> None:
    kinds = [cell.cell_type for cell in notebook().cells]
    assert kinds == ["markdown", *["markdown", "code"] * 7]
    assert [cell.id for cell in notebook().cells if len(cell.source.splitlines()) > 40] == []


def test_it_runs_and_draws_one_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "vision").symlink_to(models_folder() / "vision")
    for name, value in {"PROFILE_MODELS": models, "TMPDIR": tmp_path, "IPYTHONDIR": tmp_path / "ipython"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    book = notebook()
    book.cells.append(nbformat.v4.new_code_cell(FIGURES))
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(EXAMPLES)}}).execute()

    figures = json.loads(book.cells[-1].outputs[0].text)
    # What the sheet draws is what was drawn by hand, of the same seed, adapter and weight.
    assert figures["without"] <= 1
    assert figures["with"] <= 1
    assert min(figures["by the look"], figures["by its weight"], figures["by the seed"]) > 10
    assert figures["layers"] > 0
    assert figures["cells"] == 6
    assert figures["posed"] is True
    likeness = figures["likeness"]
    assert likeness["another photo"] > 80
    assert likeness["somebody else"] < 60
    sheet = next(output.data["image/png"] for output in book.cells[-2].outputs if output.output_type == "display_data")
    with Image.open(io.BytesIO(b64decode(sheet))) as picture:
        assert picture.width > 3 * 144
