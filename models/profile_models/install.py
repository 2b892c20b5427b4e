"""Puts the small trained model of this repository into the models folder, where stages and predictor look for it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from profile_models.text import let_everybody_read
from profile_runtime.recipes import read_recipe
from profile_runtime.weights import WeightsError, check_model, write_sums

HOME = Path(__file__).resolve().parents[1]
NAMES = ("studio-mini", "studio-mini-controlnet")
# The digest of what was installed: another version of the repository brings another model.
STAMP = ".digest"


def install(models: Path, home: Path = HOME) -> list[str]:
    """Copy each model that is not there yet, or not this one; returns their names.

    Raises FileNotFoundError for a clone that lacks them, BadRecipe for one whose recipe.yaml cannot be used.
    """
    models.mkdir(parents=True, exist_ok=True)
    return [name for name in NAMES if _install(home / name, models / name)]


def _install(source: Path, target: Path) -> bool:
    """Whether a model was copied: not if this very one stands there and is sound. Raises BadRecipe."""
    read_recipe(source)
    digest, stamp = digest_of(source), target / STAMP
    if stamp.is_file() and stamp.read_text() == digest and _sound(target):
        return False
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".installing-") as scratch:
        copy = Path(scratch) / target.name
        shutil.copytree(source, copy)
        (copy / STAMP).write_text(digest)
        write_sums(copy)
        let_everybody_read(copy)
        shutil.rmtree(target, ignore_errors=True)
        copy.rename(target)
    return True


def _sound(model: Path) -> bool:
    """Whether an installed model is still what its SHA256SUMS says."""
    try:
        return check_model(model.parent, model.name)
    except WeightsError:
        return False


def digest_of(folder: Path) -> str:
    """Of the names and contents of all files. Raises FileNotFoundError where there are none."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    if not files:
        raise FileNotFoundError(f"{folder} holds no model: a whole clone of the repository does")
    digest = hashlib.sha256()
    for file in files:
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()
