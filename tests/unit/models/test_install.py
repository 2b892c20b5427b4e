"""The repository's trained model comes into the models folder once, and again when it changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from profile_models.install import NAMES, install
from profile_runtime.weights import SUMS, check_model


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


def test_a_clone_without_it_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="a whole clone"):
        install(tmp_path / "models", tmp_path)
