"""The repository's trained model comes into the models folder once, and again when it changed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from profile_contract.recipe import BadRecipe
from profile_models.__main__ import main
from profile_models.install import NAMES, install
from profile_runtime.weights import SUMS, check_model

CLONE = Path(__file__).resolve().parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / "home" / name / "unet").mkdir(parents=True)
        (tmp_path / "home" / name / "unet" / "config.json").write_text(name)
    return tmp_path / "home"


def test_it_is_copied_once(home: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    assert install(models, home) == list(NAMES)
    assert (models / NAMES[0] / "unet" / "config.json").read_text() == NAMES[0]
    assert install(models, home) == []


def test_a_changed_one_replaces_it_whole(home: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    install(models, home)
    (home / NAMES[0] / "unet" / "config.json").rename(home / NAMES[0] / "unet" / "other.json")
    assert install(models, home) == [NAMES[0]]
    assert [file.name for file in (models / NAMES[0] / "unet").iterdir()] == ["other.json"]
    assert not list(models.glob(".installing-*"))


def test_it_brings_its_sums_and_one_that_was_changed_is_brought_anew(home: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    install(models, home)
    assert all(check_model(models, name, {}) for name in NAMES)
    config = models / NAMES[0] / "unet" / "config.json"
    config.write_text("changed")
    (models / NAMES[1] / SUMS).unlink()
    assert install(models, home) == list(NAMES)
    assert config.read_text() == NAMES[0]
    assert all(check_model(models, name, {}) for name in NAMES)
    (models / NAMES[0] / "recipe.yaml").write_text("training: {}")
    assert install(models, home) == [NAMES[0]]


def test_a_model_whose_recipe_is_wrong_is_not_installed(home: Path, tmp_path: Path) -> None:
    (home / NAMES[0] / "recipe.yaml").write_text("training: {rank: 0}")
    with pytest.raises(BadRecipe, match=r"recipe\.yaml is no recipe: training\.rank"):
        install(tmp_path / "models", home)
    assert not list((tmp_path / "models").iterdir())


@pytest.mark.parametrize(("recipe", "said"), [("training: {rank: 8}", ""), ("rank: 8", "is no recipe: rank: ")])
def test_sums_are_written_for_no_model_whose_recipe_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str, said: str
) -> None:
    (tmp_path / "recipe.yaml").write_text(recipe)
    (tmp_path / "weights.safetensors").write_bytes(b"weights")
    monkeypatch.setattr(sys, "argv", ["profile_models", "sums", str(tmp_path)])
    if said:
        with pytest.raises(SystemExit, match=said):
            main()
    else:
        main()
    assert (tmp_path / SUMS).exists() == (not said)


def test_a_clone_without_it_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="a whole clone"):
        install(tmp_path / "models", tmp_path)


@pytest.mark.parametrize("page", ["install.md", "models.md"])
def test_the_pages_line_for_digests_runs_on_a_bare_python(page: str, tmp_path: Path) -> None:
    """Before anything is installed: with the folders that the page puts on the path, and nothing else."""
    text = (CLONE / "docs" / page).read_text()
    line = re.search(r"PYTHONPATH=(\S+) python3.11 -m profile_models sums", text)
    assert line
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "weights.safetensors").write_bytes(b"weights")
    bare = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    command = [str(bare), "-s", "-m", "profile_models", "sums", str(tmp_path)]
    done = subprocess.run(command, cwd=CLONE, env={"PYTHONPATH": line[1]}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "SHA256SUMS").read_text().endswith("  unet/weights.safetensors\n")
