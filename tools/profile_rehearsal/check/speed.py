"""Speed of this machine: training and drawing, ours and as diffusers' own loops do them, and a profile of ours."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler
from torch.profiler import ProfilerActivity, profile

from profile_contract.stages.train import AdapterLayers, Timesteps
from profile_contract.style import Mode
from profile_draw.adapters.adapter_file import read_adapter
from profile_draw.adapters.weights import AdapterWeights
from profile_draw.config import EngineConfig
from profile_draw.families.table import family_of
from profile_draw.pipeline import Pipeline
from profile_draw.rows import Row, Shape
from profile_rehearsal.networks import NetworkSize
from profile_train.cache import CachedExample, encode_text, free_encoders
from profile_train.dataset import Example
from profile_train.loss import step_losses, timestep_law
from profile_train.memory import MemoryPlan, Precision
from profile_train.model import Base
from profile_vision.pixels import RGB

CAPTION = "photo of ohwx person"
RANK = 32
# Of a profile's table.
ROWS = 15
GUIDANCE = 5.0


def device_here() -> torch.device:
    """The accelerator, if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def seconds_of(call: Callable[[], object], times: int) -> float:
    """The median of so many calls, after one that warms up; the accelerator is waited for."""
    taken = []
    for _ in range(times + 1):
        begin = time.monotonic()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.monotonic() - begin)
    return statistics.median(taken[1:])


def product_rate(edge: int) -> float:
    """TFLOP a second of a plain product of two square matrices in bfloat16: the card's own floor."""
    left, right = (torch.randn(edge, edge, device=device_here()).to(torch.bfloat16) for _ in range(2))
    return 2 * edge**3 / seconds_of(lambda: left @ right, 10) / 1e12


def noise_pictures(count: int, edge: int) -> list[Example]:
    """Pictures to train on, of a square's edge in pixels; what they show does not matter to how long it takes."""
    draw = np.random.default_rng(0)
    even, size = np.ones((edge, edge), dtype=np.float32), (edge, edge)
    pixels = (RGB(draw.integers(0, 256, (edge, edge, 3), dtype=np.uint8)) for _ in range(count))
    return [Example(picture, even, CAPTION, crop_left=0, crop_top=0, original_size=size) for picture in pixels]


def our_step(base: Base, cached: Sequence[CachedExample], plan: MemoryPlan) -> Callable[[], None]:
    """A training step as the trainer takes it by a plan, at full resolution."""
    weights = list(base.add_adapter(RANK, AdapterLayers.ATTENTION, 0).values())
    if plan.checkpointing:
        base.unet.enable_gradient_checkpointing()
    if plan.precision is Precision.FLOAT8:
        base.store_in_float8()
    base.to_device()
    base.unet.train()
    optimiser = torch.optim.AdamW(weights, lr=1e-4, weight_decay=1e-2, fused=True)
    law, numbers = timestep_law(base, 5.0, Timesteps.WEIGHTED), itertools.count()

    def step() -> None:
        draw = torch.Generator(base.device).manual_seed(next(numbers))
        for loss in step_losses(base, list(cached), draw, rows=plan.rows, law=law, offset=0.0357):
            torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


def script_step(base: Base, pixels: torch.Tensor) -> Callable[[], None]:
    """A step of diffusers' `train_dreambooth_lora_sdxl.py`, from its description.

    One prompt, read once; the photos (rows, 3, height, width), -1 to 1, go through the VAE in float32 in every step;
    AdamW, clipped gradients, a steady rate, and a loss that is read in every step.
    """
    device, unet, vae = base.device, base.unet, base.vae
    text = encode_text(base, [CAPTION])[CAPTION]
    free_encoders(base)
    vae.to(device, dtype=torch.float32)
    base.add_adapter(RANK, AdapterLayers.ATTENTION, 0)
    unet.to(device).train()
    weights = [weight for weight in unet.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=1e-4, weight_decay=1e-4)
    rows, _, height, width = pixels.shape
    ids = torch.tensor([[height, width, 0, 0, height, width]] * rows, dtype=torch.float32, device=device)
    tokens, added = text.tokens.repeat(rows, 1, 1), {"time_ids": ids, "text_embeds": text.pooled.repeat(rows, 1)}

    def step() -> None:
        latents = _encoded(vae, pixels.to(device))
        noise = torch.randn_like(latents)
        times = torch.randint(0, base.noise.config.num_train_timesteps, (rows,), device=device)
        noisy = base.noise.add_noise(latents, noise, times)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=base.autocast):
            predicted = unet(noisy, times, tokens, added_cond_kwargs=added, return_dict=False)[0]
        loss = torch.nn.functional.mse_loss(predicted.float(), _target(base.noise, latents, noise, times).float())
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        loss.detach().item()

    return step


@torch.no_grad()
def _encoded(vae: AutoencoderKL, pixels: torch.Tensor) -> torch.Tensor:
    """Latents as the UNet reads them."""
    return torch.as_tensor(vae.encode(pixels).latent_dist.sample() * vae.config.scaling_factor)


def _target(noise: DDPMScheduler, latents: torch.Tensor, drawn: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    """What the UNet is to predict."""
    velocity = noise.config.prediction_type == "v_prediction"
    return torch.as_tensor(noise.get_velocity(latents, drawn, times) if velocity else drawn)


@dataclass(frozen=True)
class Portraits:
    """Portraits of one person and their sizes, drawn by the product and by a bare pipeline of diffusers."""

    models: Path
    size: NetworkSize
    adapter: bytes
    steps: int
    count: int

    @property
    def shape(self) -> Shape:
        """Portraits with guidance, without a pose."""
        width, height = self.size.native * 7 // 8, self.size.native * 9 // 8
        return Shape(width, height, self.steps, GUIDANCE, Mode.TEXT_TO_IMAGE, 0.0, False, 0.0, 0.0)

    def pipeline(self, *, compiles: bool = False) -> Pipeline:
        """The product's, with a slot for everybody."""
        return Pipeline.load(EngineConfig(self.models, self.size.name, slots=self.count, compile=compiles))

    def rows(self, pipeline: Pipeline, people: int) -> list[Row]:
        """A portrait each of `count`, of so many people."""
        adapters = [self._person(pipeline, number) for number in range(people)]
        return [Row(seed, seed, CAPTION, adapters=((adapters[seed % people], 1.0),)) for seed in range(self.count)]

    def _person(self, pipeline: Pipeline, number: int) -> AdapterWeights:
        """The adapter as if it were somebody else's each time: what it holds costs the same."""
        return read_adapter(self.adapter, f"{number:064d}", pipeline.bank.layers, RANK, pipeline.dtype)

    def bare(self, layers: AdapterWeights) -> Callable[[], object]:
        """diffusers' pipeline with a person's adapter added to its weights, which serves this person alone."""
        folder, device = self.models / self.size.name, device_here()
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        pipeline = family_of(folder).load(folder, dtype).to(device)
        with torch.no_grad():
            for name, weights in layers.layers.items():
                weight = pipeline.unet.get_submodule(name).weight
                weight += ((weights.up.float() @ weights.down.float()) * weights.scale).to(weight)
        pipeline.set_progress_bar_config(disable=True)
        shape = self.shape

        def draw() -> object:
            return pipeline(
                prompt=[CAPTION] * self.count,
                negative_prompt=[""] * self.count,
                generator=[torch.Generator().manual_seed(seed) for seed in range(self.count)],
                num_inference_steps=shape.steps,
                guidance_scale=shape.guidance,
                width=shape.width,
                height=shape.height,
                output_type="np",
            )

        return draw


def profiled(call: Callable[[], object], trace: Path) -> list[list[Any]]:
    """What one call spends its time in: rows of name, calls, milliseconds and share; the whole trace beside it."""
    call()
    gpu = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with profile(activities=activities) as profiler:
        call()
        if gpu:
            torch.cuda.synchronize()
    profiler.export_chrome_trace(str(trace))
    averages = profiler.key_averages()
    own = "self_device_time_total" if gpu else "self_cpu_time_total"
    spent = sorted(((float(getattr(entry, own)), entry) for entry in averages), key=lambda pair: -pair[0])
    total = sum(microseconds for microseconds, _ in spent) or 1.0
    return [
        [entry.key[:80], entry.count, round(microseconds / 1000, 1), round(100 * microseconds / total, 1)]
        for microseconds, entry in spent[:ROWS]
    ]
