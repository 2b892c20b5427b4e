"""`profile-studio merge-looks`: what it writes, and what it refuses in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from profile_cli.__main__ import main
from profile_contract.recipe import Recipe
from profile_draw.adapters.adapter_file import write_adapter
from profile_draw.adapters.weights import LayerWeights
from profile_draw.layer_sizes import look_reader
from profile_models import random_sdxl
from profile_runtime.recipes import read_recipe

LAYER = "up_blocks.0.attentions.1.proj_in"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    random_sdxl.make(tmp_path / "models")
    return tmp_path / "models"


def look(models: Path, base_model: str = random_sdxl.NAME) -> Path:
    size = look_reader(models, random_sdxl.NAME, 64).sizes[LAYER]
    file = models.parent / "rim.safetensors"
    weights = LayerWeights(torch.ones(size.down(1)), torch.ones(size.up(1)), 1.0)
    file.write_bytes(write_adapter({LAYER: weights}, [LAYER], base_model))
    return file


def merged(models: Path, *arguments: str) -> int:
    words = ["--models", str(models), "--base-model", random_sdxl.NAME, "--licence", "our own studio's"]
    return main(["merge-looks", "golden", *words, *arguments])


def test_a_model_with_a_recipe_of_its_own_stands_beside_its_base(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (models / random_sdxl.NAME / "recipe.yaml").write_text("training: {rank: 2}\n")
    assert merged(models, "--look", f"{look(models)}=60") == 0
    assert "with 1 look merged in" in capsys.readouterr().out
    recipe = read_recipe(models / "golden")
    assert recipe == Recipe.model_validate({"training": {"rank": 2}, "licence": "our own studio's"})
    first = (models / "golden" / "recipe.yaml").read_text().splitlines()[:2]
    assert first[0] == f"# {random_sdxl.NAME}, with looks merged in:"
    assert first[1].startswith("# rim.safetensors at 60 %, sha256 ")
    assert merged(models, "--look", f"{look(models)}=60") == 1
    assert "is there already" in capsys.readouterr().out


@pytest.mark.parametrize("weight", ["", "=0", "=151", "=some"])
def test_a_weight_must_be_said(models: Path, capsys: pytest.CaptureFixture[str], weight: str) -> None:
    assert merged(models, "--look", f"{look(models)}{weight}") == 1
    assert "say FILE=PERCENT, with 1 to 150 per cent" in capsys.readouterr().out
    assert not (models / "golden").exists()


def test_a_look_of_another_base_is_not_merged(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert merged(models, "--look", f"{look(models, 'another')}=60") == 1
    assert "was trained on the base model 'another'" in capsys.readouterr().out
    assert not (models / "golden").exists()
