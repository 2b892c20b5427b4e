"""Trained networks -> two folders in half precision that plain diffusers loads: base model and ControlNet."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import diffusers
import torch
from diffusers import ControlNetModel

from profile_models.text import let_everybody_read
from profile_runtime.weights import write_sums

NAME = "studio-mini"
CONTROL_NAME = "studio-mini-controlnet"
# What is said of the model by hand outlives its weights.
RECIPE = "recipe.yaml"

CARD = """---
license: cc0-1.0
---
# {name}

A small model of SDXL's architecture, trained from nothing on rendered people who do not exist: 128 px, for tests,
demonstrations and measuring. It knows nothing of real people and makes no claim about real photos.

- Training pictures: own renders (Blender Cycles) of the MakeHuman project's CC0 assets; no photo of anybody.
- Trained on a processor, as docs/models.md tells; v-prediction.
- Loads with `StableDiffusionXLPipeline.from_pretrained` and `ControlNetModel.from_pretrained`.
"""


def in_half(network: torch.nn.Module) -> None:
    """Matrices and kernels in half precision, vectors whole: they take no room, and an autoencoder that does linear
    algebra has constants and gates among them, of which a thousandth is much of a picture."""
    for layer in network.parameters():
        layer.data = layer.data.half() if layer.ndim > 1 else layer.data.float()


def write(whole: diffusers.StableDiffusionXLPipeline, controlnet: ControlNetModel, models: Path) -> None:
    """A pipeline and its ControlNet in half precision, in place of those that are in `models`."""
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models, prefix=".exporting-") as scratch:
        for network in (whole.vae, whole.text_encoder, whole.text_encoder_2, whole.unet, controlnet):
            in_half(network)
        whole.save_pretrained(Path(scratch) / NAME)
        controlnet.save_pretrained(Path(scratch) / CONTROL_NAME)
        for name in (CONTROL_NAME, NAME):
            folder = Path(scratch) / name
            (folder / "README.md").write_text(CARD.format(name=name))
            if (models / name / RECIPE).is_file():
                shutil.copyfile(models / name / RECIPE, folder / RECIPE)
            write_sums(folder)
            let_everybody_read(folder)
            shutil.rmtree(models / name, ignore_errors=True)
            folder.rename(models / name)
