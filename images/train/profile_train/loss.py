"""The training loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.train import Timesteps
from profile_draw.families.family import TextEmbedding

from .cache import CachedExample
from .model import Base


def min_snr_weights(noise: DDPMScheduler, timesteps: torch.Tensor, gamma: float, prediction: str) -> torch.Tensor:
    """Weight of each timestep (B,): Hang et al. 2023, "Efficient Diffusion Training via Min-SNR Weighting Strategy".

    min(SNR, gamma) for the loss on the sample; / SNR for epsilon, / (SNR + 1) for v-prediction, whose errors count so
    much more on the sample. Pure noise (SNR 0) weighs 1 with epsilon, the limit. gamma 0 weighs all alike.
    """
    if gamma <= 0:
        return torch.ones(len(timesteps), device=timesteps.device)
    snr = compute_snr(noise, timesteps)
    capped: torch.Tensor = torch.clamp(snr, max=gamma)
    if prediction == "sample":
        return capped
    if prediction == "v_prediction":
        return capped / (snr + 1)
    return torch.where(snr == 0, torch.ones_like(snr), capped / snr)


def check_weights(base: Base, gamma: float) -> None:
    """Raises BadInput where a base's noise schedule gives timesteps no sound weights: they would all be lost."""
    every = torch.arange(base.noise.config.num_train_timesteps)
    weights = min_snr_weights(base.noise, every, gamma, base.prediction)
    mean = float(weights.mean())
    if bool((weights >= 0).all()) and 0 < mean < float("inf"):
        return
    raise BadInput(
        Reason.MODEL_NOT_FOUND,
        f"the noise schedule of the base model '{base.name}' gives the training loss no finite weight; "
        "correct its scheduler/scheduler_config.json, or mount another base model",
    )


def target_of(base: Base, latents: torch.Tensor, noise: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """What the UNet has to predict, of the latents' shape (B, C, h, w)."""
    if base.prediction == "v_prediction":
        velocity: torch.Tensor = base.noise.get_velocity(latents, noise, steps)
        return velocity
    return latents if base.prediction == "sample" else noise


def timestep_law(base: Base, gamma: float, timesteps: Timesteps) -> torch.Tensor:
    """How often each timestep is trained on (T,), on the base's device, not normalised; its mean scales the loss.

    Of a base that predicts velocity, min-SNR draws a twentieth where the SNR is below .1, though every third timestep
    of SDXL's schedule lies there: what is decided so early (skin, hair, a head's shape) would stay the base's.
    """
    every = torch.arange(base.noise.config.num_train_timesteps)
    weighed = min_snr_weights(base.noise, every, gamma, base.prediction)
    even = torch.ones_like(weighed)
    mixed = (weighed / weighed.mean() + even) / 2
    laws = {Timesteps.WEIGHTED: weighed, Timesteps.EVEN: even, Timesteps.MIXED: mixed}
    return laws[timesteps].to(base.device)


def drawn_timesteps(weights: torch.Tensor, rows: int, draw: torch.Generator) -> torch.Tensor:
    """Timesteps (rows,), each as often as its weight (T,) says, spread evenly over a batch.

    To draw by weight and count all alike is, on average, to draw alike and count by weight, with less chance in it:
    most timesteps of a v-prediction weigh next to nothing.
    """
    shares = torch.cumsum(weights.double(), dim=0)
    within = torch.rand(rows, generator=draw, device=draw.device)
    places = (torch.arange(rows, device=draw.device) + within) / rows
    return torch.searchsorted(shares, places.double() * shares[-1]).clamp(max=len(weights) - 1)


def step_losses(
    base: Base,
    batch: list[CachedExample],
    draw: torch.Generator,
    *,
    rows: int,
    law: torch.Tensor,
    offset: float,
) -> Iterator[torch.Tensor]:
    """The loss of one batch, a scalar, in parts of so many rows whose sum it is: each is differentiated before the next
    is asked for, so that the activations of one part stand in memory at a time. `law` (T,): see `timestep_law`.

    Everything random comes from `draw`, for the whole batch: in how many parts it is taken changes nothing. Where it is
    on the base's device, as `law` is, nothing is copied there or waited for. Where the base has a ControlNet, the
    examples' pose maps are followed as when portraits are drawn.
    """
    latents = torch.stack([e.mean + e.deviation * _normal(e.mean.shape, draw, base.device) for e in batch])
    noise = _normal(latents.shape, draw, base.device)
    # Noise with its own brightness lets the model reach dark and bright pictures (Guttenberg 2023).
    noise = noise + offset * _normal((len(batch), latents.shape[1], 1, 1), draw, base.device)
    steps = drawn_timesteps(law, len(batch), draw).to(base.device)
    noisy, target = base.noise.add_noise(latents, noise, steps), target_of(base, latents, noise, steps)
    scale = law.mean() / target.numel()
    for begin in range(0, len(batch), rows):
        part = slice(begin, begin + rows)
        predicted = predicted_by(base, batch[part], noisy[part], steps[part])
        weights = torch.stack([e.weights for e in batch[part]])
        squared = (predicted.float() - target[part].float()).pow(2) * weights
        yield squared.sum() * scale


def predicted_by(base: Base, batch: list[CachedExample], noisy: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """What the UNet says of noisy latents, of their shape, told the examples' texts, crops and poses."""
    text = TextEmbedding(torch.cat([e.text.tokens for e in batch]), torch.cat([e.text.pooled for e in batch]))
    conditions = base.family.conditions(text, torch.stack([e.crop_ids for e in batch]))
    with torch.autocast(base.device.type, dtype=torch.bfloat16, enabled=base.autocast):
        residuals = control_residuals(base, batch, noisy, steps, conditions)
        predicted: torch.Tensor = base.unet(noisy, steps, **conditions, **residuals).sample
    return predicted


@torch.no_grad()
def control_residuals(
    base: Base, batch: list[CachedExample], noisy: torch.Tensor, steps: torch.Tensor, conditions: dict[str, Any]
) -> dict[str, Any]:
    """What the ControlNet says to the UNet of the examples' pose maps, as its arguments; nothing without a ControlNet.

    At full weight for every timestep. Its own weights are not trained, nor is the adapter heard in it.
    """
    poses = [example.pose for example in batch if example.pose is not None]
    if base.control is None or len(poses) != len(batch):
        return {}
    down, middle = base.control(noisy, steps, controlnet_cond=torch.stack(poses), return_dict=False, **conditions)
    return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}


def _normal(shape: torch.Size | tuple[int, ...], draw: torch.Generator, device: torch.device) -> torch.Tensor:
    return torch.randn(shape, generator=draw, device=draw.device).to(device)
