"""Latents and text embeddings, computed once: afterwards VAE and text encoders leave the accelerator."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from profile_draw.families.family import Crop, TextEmbedding

from .dataset import Example
from .model import Base


@dataclass(frozen=True)
class CachedExample:
    """The latent distribution (not a sample of it: variety must survive), and what goes with it.

    `mean` and `deviation` (C, h, w), `weights` (1, h, w), `crop_ids` (numbers,): see `Family.crop_ids`; `pose`
    (3, H, W), 0 to 1: what a ControlNet is shown.
    """

    mean: torch.Tensor
    deviation: torch.Tensor
    weights: torch.Tensor
    crop_ids: torch.Tensor
    text: TextEmbedding
    pose: torch.Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Latent height and width: examples of one batch share it."""
        return self.mean.shape[-2], self.mean.shape[-1]


@torch.no_grad()
def encode_text(base: Base, prompts: list[str]) -> dict[str, TextEmbedding]:
    """The embedding of each prompt (1 row)."""
    for name in base.family.text_encoders:
        getattr(base.pipeline, name).to(base.device)
    return {prompt: base.family.embed(base.pipeline, prompt, base.device) for prompt in dict.fromkeys(prompts)}


@torch.no_grad()
def encode_examples(
    base: Base, examples: list[Example], texts: dict[str, TextEmbedding], *, noise: bool = True
) -> list[CachedExample]:
    """Encode every example, with the deviation of its latents or, without `noise`, none.

    The VAE runs in fp32: SDXL's own VAE overflows in fp16.
    """
    base.vae.to(base.device, dtype=torch.float32)
    cached = [_encode(base, example, texts[example.caption]) for example in examples]
    return cached if noise else [replace(each, deviation=torch.zeros_like(each.deviation)) for each in cached]


def _encode(base: Base, example: Example, text: TextEmbedding) -> CachedExample:
    """One example as the loss takes it; its weights have a mean of 1 over the latents, too."""
    pixels = torch.from_numpy(example.image).permute(2, 0, 1).float().unsqueeze(0) / 127.5 - 1
    latent = base.vae.encode(pixels.to(base.device)).latent_dist
    weights = torch.from_numpy(example.weights)[None, None]
    small = torch.nn.functional.adaptive_avg_pool2d(weights, latent.mean.shape[-2:])[0]
    ids = base.family.crop_ids(Crop(example.original_size, example.crop_left, example.crop_top, example.size))
    return CachedExample(
        mean=latent.mean[0] * base.vae.config.scaling_factor,
        deviation=latent.std[0] * base.vae.config.scaling_factor,
        weights=(small / small.mean()).to(base.device),
        crop_ids=torch.tensor(ids, dtype=torch.float32, device=base.device),
        text=text,
        pose=_pose(base, example),
    )


def _pose(base: Base, example: Example) -> torch.Tensor | None:
    """An example's pose map as ControlNets read one; None where it has none, or nobody would read it."""
    if example.pose is None or base.control is None:
        return None
    pixels = torch.from_numpy(example.pose).permute(2, 0, 1).float() / 255
    return pixels.to(base.device, dtype=base.control.dtype)


def free_encoders(base: Base) -> None:
    """Text encoders go for good; the VAE waits on the CPU for validation portraits, or a lower resolution."""
    for name in base.family.text_encoders:
        setattr(base.pipeline, name, None)
    base.vae.to("cpu")
    if base.device.type == "cuda":
        torch.cuda.empty_cache()
