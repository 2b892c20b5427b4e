"""A training step against its own floor, and against the loop of diffusers' script at the same batch, in turns."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from PIL import Image, ImageOps

from profile_contract.stages.order import RequestRef
from profile_contract.stages.table import Stage
from profile_contract.stages.train import AdapterLayers, TrainParameters
from profile_draw.families.family import TextEmbedding
from profile_models.folders import models_folder
from profile_runtime.progress import Silent, StageProgress
from profile_runtime.store.folder import FolderStore
from profile_sandbox.paths import CLONE
from profile_train.cache import CachedExample, encode_examples, encode_text
from profile_train.checkpoints import Checkpoints
from profile_train.dataset import Example
from profile_train.judge import Judgement
from profile_train.loop import Course, Fallback
from profile_train.memory import FreeMemory, Ladder, NetworkSizes, Precision, plans_of
from profile_train.model import Base, load_base
from profile_train.settings import settings_of
from profile_vision.pixels import RGB

if TYPE_CHECKING:
    from pathlib import Path

    from figures import Figures

    from .conftest import Compare

SECTION = "Training"
MODEL, RANK, BATCH, RESOLUTION, PHOTOS = "studio-mini", 16, 4, 128, 8
CAPTION = "photo of ohwx woman"
HOW = f"{MODEL}, batch {BATCH}, rank {RANK}, {RESOLUTION} px"
# The wanted cost over the floor, and the wanted images per second over the script's.
STEP_GOAL, SCRIPT_GOAL = 1.05, 1.35


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Two threads on two cores that others use too would measure the others."""
    torch.set_num_threads(1)


@pytest.fixture
def photos() -> list[Example]:
    """Photos of a rendered person, cut to a square."""
    examples = []
    for file in sorted((CLONE / "models" / "people" / "p900006").glob("*.jpg"))[:PHOTOS]:
        with Image.open(file) as photo:
            picture = ImageOps.fit(photo.convert("RGB"), (RESOLUTION, RESOLUTION))
        even = np.ones((RESOLUTION, RESOLUTION), dtype=np.float32)
        size = (RESOLUTION, RESOLUTION)
        examples.append(Example(RGB(np.array(picture)), even, CAPTION, crop_left=0, crop_top=0, original_size=size))
    return examples


def training(photos: list[Example], layers: AdapterLayers, folder: Path) -> tuple[Base, list[CachedExample], Course]:
    """The product's training, before its first step."""
    base = load_base(models_folder(), MODEL, precision=Precision.FLOAT32)
    cached = encode_examples(base, photos, encode_text(base, [CAPTION]))
    parameters = TrainParameters(
        base_model=MODEL, rank=RANK, batch=BATCH, resolution=RESOLUTION, steps=1000, adapter_layers=layers
    )
    settings = settings_of(parameters, PHOTOS)
    plans = plans_of(settings, [Precision.FLOAT32])
    course = Course(
        base,
        cached,
        parameters,
        settings,
        memory=Fallback(Ladder(plans, NetworkSizes(), FreeMemory(None, accelerated=False)), recut=lambda _: cached),
        checkpoints=Checkpoints(FolderStore(folder), "bench/", "settings"),
        progress=StageProgress(RequestRef(namespace="bench", name="bench"), Stage.TRAIN, "bench", Silent()),
        judge=lambda: Judgement(None),
    )
    base.unet.train()
    return base, cached, course


def steps_of(course: Course) -> Callable[[], object]:
    """One step a call."""
    numbers = itertools.count()
    return lambda: course._step(next(numbers))


@pytest.mark.parametrize("layers", [AdapterLayers.ATTENTION, AdapterLayers.EVERYTHING])
def test_a_step_against_its_floor(
    figures: Figures, compare: Compare, photos: list[Example], tmp_path: Path, layers: AdapterLayers
) -> None:
    base, cached, course = training(photos, layers, tmp_path)
    batch = cached[:BATCH]
    latents, times = torch.stack([e.mean for e in batch]), torch.tensor([20, 300, 600, 900])
    words = TextEmbedding(torch.cat([e.text.tokens for e in batch]), torch.cat([e.text.pooled for e in batch]))
    conditions = base.family.conditions(words, torch.stack([e.crop_ids for e in batch]))
    weights = [weight for weight in base.unet.parameters() if weight.requires_grad]

    def floor() -> None:
        predicted = base.unet(latents, times, **conditions).sample
        torch.autograd.backward(predicted.square().mean())
        for weight in weights:
            weight.grad = None

    ratio = compare(floor, steps_of(course), rounds=25)
    how = (
        "CPU time of a step against the UNet with its adapter alone, forward and backward: "
        f"{1000 * ratio.second:.0f} ms against {1000 * ratio.first:.0f} ms; {layers} layers, {HOW}; goal: {STEP_GOAL}"
    )
    figures.add(SECTION, f"a step over its floor, {layers}", str(ratio), how)


def script_step(photos: list[Example]) -> Callable[[], object]:
    """The loop of diffusers' `train_dreambooth_lora_sdxl.py`, from its description.

    One prompt, read once; photos go through the VAE in every step; AdamW, clipped gradients, a steady rate, and a loss
    that is read in every step.
    """
    base = load_base(models_folder(), MODEL, precision=Precision.FLOAT32)
    pipeline, unet = base.pipeline, base.unet.to(memory_format=torch.contiguous_format)
    tokens, _, pooled, _ = pipeline.encode_prompt(CAPTION, device="cpu", do_classifier_free_guidance=False)
    tokens, pooled = tokens.float(), pooled.float()
    base.add_adapter(RANK, AdapterLayers.ATTENTION, 0)
    unet.to(memory_format=torch.contiguous_format).train()
    weights = [weight for weight in unet.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=1e-4, weight_decay=1e-4)
    noise = DDPMScheduler.from_config(pipeline.scheduler.config)
    pixels = torch.stack([torch.from_numpy(photo.image).permute(2, 0, 1).float() / 127.5 - 1 for photo in photos])
    begins = itertools.cycle(range(0, PHOTOS, BATCH))

    def step() -> None:
        begin = next(begins)
        latents = pipeline.vae.encode(pixels[begin : begin + BATCH]).latent_dist.sample()
        latents = latents * pipeline.vae.config.scaling_factor
        drawn = torch.randn_like(latents)
        times = torch.randint(0, noise.config.num_train_timesteps, (BATCH,))
        ids = torch.tensor([[RESOLUTION, RESOLUTION, 0, 0, RESOLUTION, RESOLUTION]] * BATCH, dtype=torch.float32)
        added = {"time_ids": ids, "text_embeds": pooled.repeat(BATCH, 1)}
        noisy = noise.add_noise(latents, drawn, times)
        predicted = unet(noisy, times, tokens.repeat(BATCH, 1, 1), added_cond_kwargs=added, return_dict=False)[0]
        velocity = noise.config.prediction_type == "v_prediction"
        target = noise.get_velocity(latents, drawn, times) if velocity else drawn
        loss = torch.nn.functional.mse_loss(predicted.float(), target.float(), reduction="mean")
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        loss.detach().item()

    return step


def test_images_a_second_against_the_librarys_script(
    figures: Figures, compare: Compare, photos: list[Example], tmp_path: Path
) -> None:
    _, _, course = training(photos, AdapterLayers.ATTENTION, tmp_path)
    ratio = compare(steps_of(course), script_step(photos), rounds=25)
    how = (
        "image-steps a second of CPU time over those of the loop of diffusers' `train_dreambooth_lora_sdxl.py`, "
        f"written from its description: {BATCH / ratio.first:.1f} against {BATCH / ratio.second:.1f}; attention "
        f"layers, {HOW}; goal: {SCRIPT_GOAL}"
    )
    figures.add(SECTION, "images a second over the public script's", str(ratio), how)
