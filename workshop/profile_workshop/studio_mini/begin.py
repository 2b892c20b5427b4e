"""The delivered model as a training state: who lacks the states that it was trained in goes on from it."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, ControlNetModel, StableDiffusionXLPipeline
from transformers import CLIPTokenizer

from profile_models.install import HOME
from profile_models.tokenizer import make_tokenizer
from profile_workshop.studio_mini import checkpoint
from profile_workshop.studio_mini.export import CONTROL_NAME, NAME
from profile_workshop.studio_mini.home import Home
from profile_workshop.studio_mini.train import make_networks, make_optimiser, weights_of

HEADER = "#version: 0.2"


def begin(home: Home, models: Path = HOME) -> None:
    """Write autoencoder, vocabulary and a state at step 0, whose weights are the delivered averages.

    Raises FileExistsError where a training already stands.
    """
    if home.unet_state.is_file():
        raise FileExistsError(f"{home.unet_state} is there: train on, or remove {home.root} to begin anew")
    pipeline = StableDiffusionXLPipeline.from_pretrained(models / NAME, local_files_only=True)
    controlnet = ControlNetModel.from_pretrained(models / CONTROL_NAME, local_files_only=True)
    home.root.mkdir(parents=True, exist_ok=True)
    _write_autoencoder(pipeline.vae, home)
    home.merges.write_text(merges_of(pipeline.tokenizer), encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = make_tokenizer(Path(scratch), pad_token="<|endoftext|>", merges=home.merges)  # noqa: S106
    networks = make_networks(tokenizer)
    delivered = {
        "text_encoder": pipeline.text_encoder,
        "text_encoder_2": pipeline.text_encoder_2,
        "unet": pipeline.unet,
        "controlnet": controlnet,
    }
    for name, network in networks.items():
        network.load_state_dict({key: value.float() for key, value in delivered[name].state_dict().items()})
    optimiser = make_optimiser(weights_of(networks))
    checkpoint.save(
        home.unet_state,
        {
            "networks": {name: network.state_dict() for name, network in networks.items()},
            "ema": checkpoint.Ema(networks, decay=0.0).weights,
            "optimiser": optimiser.state_dict(),
            "step": 0,
        },
    )


def _write_autoencoder(autoencoder: AutoencoderKL, home: Home) -> None:
    """Its encoder is that of `vae` still: only the decoder was trained on."""
    autoencoder.float().save_pretrained(home.vae)
    shutil.copytree(home.vae, home.delivered_vae, dirs_exist_ok=True)


def merges_of(tokenizer: CLIPTokenizer) -> str:
    """CLIP's merges.txt, which transformers keeps within tokenizer.json."""
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer.save_pretrained(scratch)
        document: dict[str, Any] = json.loads((Path(scratch) / "tokenizer.json").read_text(encoding="utf-8"))
    merges = (merge if isinstance(merge, str) else " ".join(merge) for merge in document["model"]["merges"])
    return "\n".join([HEADER, *merges]) + "\n"
