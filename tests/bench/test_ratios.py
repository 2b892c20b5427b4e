"""What the design's choices buy, as ratios against the usual way (median and quartiles), in turns in one process."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image, ImageOps

from profile_contract.stages.train import AdapterLayers, Timesteps
from profile_draw.adapters.weights import AdapterWeights, LayerSize, LayerWeights
from profile_draw.bank import AdapterBank
from profile_draw.families.family import TextEmbedding
from profile_draw.families.sdxl import Sdxl
from profile_models.folders import models_folder
from profile_sandbox.paths import CLONE
from profile_train.cache import encode_examples, encode_text
from profile_train.dataset import Example
from profile_train.loss import step_losses, timestep_law
from profile_train.model import load_base
from profile_vision.pixels import RGB

if TYPE_CHECKING:
    from figures import Figures

    from .conftest import Compare

PERSON = CLONE / "models" / "people" / "p00060"
SECTION = "Ratios"
MODEL = "studio-random"
RANK = 16
RESOLUTION = 128
BATCH = 2


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Two threads on two cores that others use too would measure the others."""
    torch.set_num_threads(1)


def _adapter(layers: Mapping[str, LayerSize], seed: int) -> AdapterWeights:
    """An adapter for these layers. What its numbers are does not matter to how long copying them takes."""
    draw = torch.Generator().manual_seed(seed)
    weights = {
        name: LayerWeights(
            down=torch.randn(RANK, size.inputs, generator=draw),
            up=torch.randn(size.outputs, RANK, generator=draw),
            scale=1.0,
        )
        for name, size in layers.items()
    }
    return AdapterWeights(f"{seed:064d}", weights)


def _file(weights: AdapterWeights, folder: Path) -> Path:
    """The adapter as diffusers reads it."""
    tensors: dict[str, torch.Tensor] = {}
    for name, layer in weights.layers.items():
        tensors |= {f"{name}.lora_A.weight": layer.down, f"{name}.lora_B.weight": layer.up}
    StableDiffusionXLPipeline.save_lora_weights(folder, unet_lora_layers=tensors)
    return folder


def _pipeline() -> Any:
    return StableDiffusionXLPipeline.from_pretrained(models_folder() / MODEL, use_safetensors=True)


def test_swapping_an_adapter(figures: Figures, compare: Compare, tmp_path: Path) -> None:
    turns, plain_turns = itertools.count(), itertools.count()
    bank = AdapterBank(_pipeline().unet, slots=1, modules=Sdxl().modules(AdapterLayers.ATTENTION))
    people = [_adapter(bank.layers, seed) for seed in (1, 2)]

    def swap() -> None:
        bank.fill([people[next(turns) % 2]])

    plain = _pipeline()
    files = [_file(weights, tmp_path / str(number)) for number, weights in enumerate(people)]

    def load() -> None:
        plain.load_lora_weights(files[next(plain_turns) % 2])
        plain.unload_lora_weights()

    # Turns of its own for each way: every call must meet another person than the one before.
    found = compare(swap, load)
    how = (
        f"CPU time of diffusers' `load_lora_weights` against a slot's: {1000 * found.second:.0f} ms against "
        f"{1000 * found.first:.1f} ms; {MODEL}, rank {RANK}"
    )
    figures.add(SECTION, "changing the person's adapter", str(found), how)


def _examples(count: int) -> list[Example]:
    """Photos of a rendered person, cut to a square."""
    examples = []
    for file in sorted(PERSON.glob("*.jpg"))[:count]:
        with Image.open(file) as photo:
            picture = ImageOps.fit(photo.convert("RGB"), (RESOLUTION, RESOLUTION))
        examples.append(
            Example(
                image=RGB(np.array(picture)),
                weights=np.ones((RESOLUTION, RESOLUTION), dtype=np.float32),
                caption=f"photo of sks woman, {file.stem}",
                crop_left=0,
                crop_top=0,
                original_size=(RESOLUTION, RESOLUTION),
            )
        )
    return examples


def test_caching_latents_and_text(figures: Figures, compare: Compare) -> None:
    base = load_base(models_folder(), MODEL)
    examples = _examples(BATCH)
    captions = [example.caption for example in examples]
    texts: dict[str, TextEmbedding] = encode_text(base, captions)
    cached = encode_examples(base, examples, texts)
    weights = base.add_adapter(8, AdapterLayers.ATTENTION, 0)
    base.unet.train()
    optimiser = torch.optim.AdamW(weights.values(), lr=1e-4)
    law = timestep_law(base, 5.0, Timesteps.WEIGHTED)

    def step(batch: list[Any]) -> None:
        draw = torch.Generator().manual_seed(0)
        for loss in step_losses(base, batch, draw, rows=len(batch), law=law, offset=0.0357):
            torch.autograd.backward(loss)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    def uncached() -> None:
        step(encode_examples(base, examples, encode_text(base, captions)))

    found = compare(lambda: step(cached), uncached)
    how = (
        "CPU time with VAE and text encoders in every step, as diffusers' basic script does, against cached latents: "
        f"{found.second:.2f} s against {found.first:.2f} s; {MODEL}, batch {BATCH}, {RESOLUTION} px"
    )
    figures.add(SECTION, "training step without and with a cache", str(found), how)
