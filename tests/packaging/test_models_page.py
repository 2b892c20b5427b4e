"""What docs/install.md downloads: commands that the hub's program takes, and files that trainer and predictor load."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline

from page_steps import commands
from profile_draw.config import EngineConfig
from profile_draw.pipeline import Pipeline
from profile_models import random_sdxl
from profile_runtime.weights import check_model, write_sums
from profile_sandbox.paths import CLONE
from profile_train.model import load_base

DOWNLOADS = [line for line in commands(CLONE / "docs" / "install.md") if line.startswith("hf download ")]
BASE, VAE, CONTROLNET = DOWNLOADS
NOT_LOADED = ("README.md", "sd_xl_base_1.0.safetensors", "unet/diffusion_pytorch_model.bin", "unet/model.onnx")


def options(line: str, name: str) -> list[str]:
    words = shlex.split(line)
    return [value for option, value in itertools.pairwise(words) if option == name]


@pytest.mark.parametrize("line", DOWNLOADS)
def test_the_hubs_program_takes_the_command(line: str, tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "hf"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "MODELS": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-c", line.replace("hf ", f"{program} ", 1)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    # 2: what it does not take. Offline, nothing can be downloaded.
    assert done.returncode == 1, done.stderr
    assert "offline" in done.stderr.lower()


def test_every_download_is_held_to_a_commit_and_to_some_files() -> None:
    for line in DOWNLOADS:
        (revision,) = options(line, "--revision")
        assert re.fullmatch(r"[0-9a-f]{40}", revision), line
        assert options(line, "--include"), line
        assert all(folder.startswith("$MODELS/") for folder in options(line, "--local-dir")), line


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The random model's files, in the names and precisions of the hub's repositories, as far as they are included."""
    whole, folder = tmp_path_factory.mktemp("hub"), tmp_path_factory.mktemp("models")
    random_sdxl.make(whole)
    repository = whole / random_sdxl.NAME
    pipeline = StableDiffusionXLPipeline.from_pretrained(repository, local_files_only=True)
    pipeline.to(torch.float16).save_pretrained(repository, variant="fp16")
    (repository / "SHA256SUMS").unlink(missing_ok=True)
    for name in NOT_LOADED:
        (repository / name).write_text("not to be downloaded")
    _download(repository, folder / "base", options(BASE, "--include"))
    _download(repository / "vae", folder / "base" / "vae", options(VAE, "--include"))
    _download(whole / random_sdxl.CONTROL_NAME, folder / "control", options(CONTROLNET, "--include"))
    for name in ("base", "control"):
        write_sums(folder / name)
    return folder


def _download(repository: Path, target: Path, includes: list[str]) -> None:
    for file in repository.rglob("*"):
        name = file.relative_to(repository).as_posix()
        if file.is_file() and any(fnmatch(name, pattern) for pattern in includes):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target / name)


def test_half_precision_alone_is_downloaded(models: Path) -> None:
    weights = {file.relative_to(models).as_posix() for file in models.rglob("*.safetensors")}
    assert weights == {
        "base/text_encoder/model.fp16.safetensors",
        "base/text_encoder_2/model.fp16.safetensors",
        "base/unet/diffusion_pytorch_model.fp16.safetensors",
        "base/vae/diffusion_pytorch_model.safetensors",
        "control/diffusion_pytorch_model.safetensors",
    }
    assert not [name for name in NOT_LOADED if (models / "base" / name).exists()]


def test_the_trainer_loads_what_is_downloaded(models: Path) -> None:
    assert check_model(models, "base")
    base = load_base(models, "base")
    assert next(base.unet.parameters()).dtype is torch.float32
    assert next(base.vae.parameters()).dtype is torch.float32


def test_the_predictor_loads_what_is_downloaded(models: Path) -> None:
    pipeline = Pipeline.load(EngineConfig(models, "base", "control", dtype="float32"))
    assert next(pipeline.unet.parameters()).dtype is torch.float32
