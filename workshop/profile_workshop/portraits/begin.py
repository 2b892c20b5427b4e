"""The delivered model as a training state: who lacks the states that it was trained in goes on from it."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, StableDiffusionXLPipeline
from transformers import CLIPTokenizer

from profile_models.install import HOME
from profile_workshop.portraits.home import PortraitsHome
from profile_workshop.portraits.linear import BLOCK, LinearTransform
from profile_workshop.portraits.networks import UNetShape
from profile_workshop.studio_mini import checkpoint
from profile_workshop.studio_mini.export import CONTROL_NAME, NAME

HEADER = "#version: 0.2"
CELLS = 14
"""Of a picture that tells the transform: the autoencoder is right at 13 to 24 cells."""


def begin(home: PortraitsHome, models: Path = HOME) -> None:
    """Write transform, autoencoder, vocabulary and a state at step 0, whose weights are the delivered averages.

    Raises FileExistsError where a training already stands.
    """
    if home.state.is_file():
        raise FileExistsError(f"{home.state} is there: train on, or remove {home.root} to begin anew")
    pipeline = StableDiffusionXLPipeline.from_pretrained(models / NAME, local_files_only=True)
    controlnet = ControlNetModel.from_pretrained(models / CONTROL_NAME, local_files_only=True)
    home.root.mkdir(parents=True, exist_ok=True)
    shutil.copytree(models / NAME / "vae", home.autoencoder, dirs_exist_ok=True)
    transform_of(pipeline.vae.float()).save(home.transform)
    home.merges.write_text(merges_of(pipeline.tokenizer), encoding="utf-8")
    delivered = {
        "text_encoder": pipeline.text_encoder,
        "text_encoder_2": pipeline.text_encoder_2,
        "unet": pipeline.unet,
        "controlnet": controlnet,
    }
    weights = {
        name: {key: value.float() for key, value in network.state_dict().items()} for name, network in delivered.items()
    }
    shape = asdict(shape_of(pipeline.unet.config))
    checkpoint.save(home.state, {"shape": shape, "networks": weights, "ema": weights, "step": 0, "seen": 0})


def shape_of(config: Any) -> UNetShape:
    """Of a UNet's diffusers configuration."""
    return UNetShape(
        widths=tuple(config["block_out_channels"]),
        attention=tuple("CrossAttn" in kind for kind in config["down_block_types"]),
        layers=config["layers_per_block"],
        channels=config["in_channels"],
    )


@torch.no_grad()
def transform_of(autoencoder: AutoencoderKL) -> LinearTransform:
    """The transform that an autoencoder was made of, to about a thousandth: what it draws of one number at a time."""
    channels, middle = int(autoencoder.config["latent_channels"]), CELLS // 2
    latents = torch.zeros(channels + 1, channels, CELLS, CELLS)
    latents[torch.arange(channels), torch.arange(channels), middle, middle] = 1.0
    corner = middle * BLOCK
    blocks = torch.cat(
        [
            autoencoder.decode(row[None]).sample[:, :, corner : corner + BLOCK, corner : corner + BLOCK]
            for row in latents
        ]
    )
    numbers = blocks.permute(0, 2, 3, 1).reshape(channels + 1, -1)
    mean, scaled = numbers[-1], (numbers[:-1] - numbers[-1]).T
    scale = scaled.norm(dim=0)
    return LinearTransform(mean, scaled / scale, scale)


def merges_of(tokenizer: CLIPTokenizer) -> str:
    """CLIP's merges.txt, which transformers keeps within tokenizer.json."""
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer.save_pretrained(scratch)
        document: dict[str, Any] = json.loads((Path(scratch) / "tokenizer.json").read_text(encoding="utf-8"))
    merges = (merge if isinstance(merge, str) else " ".join(merge) for merge in document["model"]["merges"])
    return "\n".join([HEADER, *merges]) + "\n"
