"""What the predictor's tests share: the random model, and adapters of it in the form that training leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.training_utils import _collate_lora_metadata
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig, get_peft_model_state_dict
from PIL import Image, ImageDraw

from profile_contract.generation import AdapterGrant
from profile_contract.stages.train import AdapterLayers
from profile_draw.families.sdxl import Sdxl
from profile_models import random_sdxl

TARGETS = list(Sdxl().modules(AdapterLayers.ATTENTION))
MakeAdapter = Callable[..., Path]


@pytest.fixture(scope="session")
def make_adapter(random_models: Path, tmp_path_factory: pytest.TempPathFactory) -> MakeAdapter:
    """make_adapter(name, seed=..., rank=8): a file. With `alpha` its metadata say so, as the trainer's do."""
    folder = tmp_path_factory.mktemp("adapters")

    def make(name: str, *, seed: int, rank: int = 8, alpha: int = 0, peft_names: bool = True, **config: Any) -> Path:
        torch.manual_seed(seed)
        unet = UNet2DConditionModel.from_pretrained(random_models / random_sdxl.NAME / "unet", local_files_only=True)
        settings = {"r": rank, "lora_alpha": alpha or rank, "target_modules": TARGETS, **config}
        unet.add_adapter(LoraConfig(init_lora_weights=False, **settings))
        weights = get_peft_model_state_dict(unet)
        StableDiffusionXLPipeline.save_lora_weights(
            folder,
            unet_lora_layers=weights if peft_names else convert_state_dict_to_diffusers(weights),
            weight_name=f"{name}.safetensors",
            **(_collate_lora_metadata({"unet": unet}) if alpha else {}),
        )
        return folder / f"{name}.safetensors"

    return make


@pytest.fixture(scope="session")
def people(make_adapter: MakeAdapter) -> dict[str, Path]:
    """Adapters of four people, in every form that may come: both namings, other ranks, another alpha."""
    return {
        "ann": make_adapter("ann", seed=1),
        "ben": make_adapter("ben", seed=2, peft_names=False),
        "cem": make_adapter("cem", seed=3, rank=4, alpha=8),
        "dua": make_adapter("dua", seed=4, rank=16),
    }


@pytest.fixture(scope="session")
def pose(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """pose(shift): a skeleton's head, shoulders and trunk in OpenPose's colours, moved sideways by pixels."""
    folder = tmp_path_factory.mktemp("poses")

    def draw(shift: int = 0) -> Path:
        picture = Image.new("RGB", (128, 128))
        pen = ImageDraw.Draw(picture)
        pen.line([(64 + shift, 20), (64 + shift, 60)], fill=(255, 0, 0), width=4)
        pen.line([(30 + shift, 60), (98 + shift, 60)], fill=(0, 255, 85), width=4)
        picture.save(folder / f"{shift}.png")
        return folder / f"{shift}.png"

    return draw


@pytest.fixture(scope="session")
def grant() -> Callable[..., AdapterGrant]:
    """grant(file, url="", weight=1.0): an adapter's grant; without `url` the file's own path."""

    def of(file: Path, url: str = "", weight: float = 1.0) -> AdapterGrant:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        return AdapterGrant(key=file.name, url=url or str(file), sha256=digest, weight=weight)

    return of
