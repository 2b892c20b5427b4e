"""The trained networks and the linear autoencoder as two folders that plain diffusers loads."""

from __future__ import annotations

from pathlib import Path

import diffusers
import torch
from diffusers import AutoencoderKL

from profile_workshop.portraits import vocabulary
from profile_workshop.portraits.home import PortraitsHome
from profile_workshop.portraits.networks import UNetShape, make_networks
from profile_workshop.portraits.train import make_noise
from profile_workshop.studio_mini import checkpoint
from profile_workshop.studio_mini.export import write


def export(home: PortraitsHome, state_file: Path, models: Path) -> None:
    """Write both below `models`. Raises FileNotFoundError without a state or an autoencoder."""
    state = checkpoint.load(state_file)
    if state is None:
        raise FileNotFoundError(f"{state_file} is missing; run the stage 'train' first")
    tokenizer = vocabulary.tokenizer_of(home.merges)
    shape = shape_of(state["shape"])
    networks = make_networks(tokenizer, shape, torch.device("cpu"))
    for name, network in networks.items():
        network.load_state_dict(state["ema"][name])
        network.eval()
    autoencoder = AutoencoderKL.from_pretrained(home.autoencoder)
    # diffusers notes where it came from: a folder of this machine.
    autoencoder.register_to_config(_name_or_path="")
    whole = diffusers.StableDiffusionXLPipeline(
        vae=autoencoder,
        text_encoder=networks["text_encoder"],
        text_encoder_2=networks["text_encoder_2"],
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=networks["unet"],
        scheduler=make_noise(),
        add_watermarker=False,
    )
    write(whole, networks["controlnet"], models)


def shape_of(kept: dict[str, object]) -> UNetShape:
    """As a state keeps it: lists may stand for tuples."""
    return UNetShape(**{name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()})  # type: ignore[arg-type]
