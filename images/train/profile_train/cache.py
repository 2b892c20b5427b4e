"""Latents and text embeddings, computed once: afterwards VAE and text encoders leave the accelerator."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .dataset import Example
from .model import Base


@dataclass(frozen=True)
class TextEmbedding:
    """`tokens` (1, 77, width of both encoders), `pooled` (1, width of the second encoder)."""

    tokens: torch.Tensor
    pooled: torch.Tensor


@dataclass(frozen=True)
class CachedExample:
    """The latent distribution (not a sample of it: variety must survive), and what goes with it.

    `mean` and `deviation` (C, h, w), `weights` (1, h, w), `time_ids` (6,): original, crop and target size.
    """

    mean: torch.Tensor
    deviation: torch.Tensor
    weights: torch.Tensor
    time_ids: torch.Tensor
    text: TextEmbedding

    @property
    def size(self) -> tuple[int, int]:
        """Latent height and width: examples of one batch share it."""
        return self.mean.shape[-2], self.mean.shape[-1]


@torch.no_grad()
def encode_text(base: Base, prompts: list[str]) -> dict[str, TextEmbedding]:
    """Both encoders' embeddings of each prompt."""
    pipeline = base.pipeline
    for encoder in (pipeline.text_encoder, pipeline.text_encoder_2):
        encoder.to(base.device)
    found = {}
    for prompt in dict.fromkeys(prompts):
        tokens, _, pooled, _ = pipeline.encode_prompt(
            prompt, device=base.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        found[prompt] = TextEmbedding(tokens.float(), pooled.float())
    return found


@torch.no_grad()
def encode_examples(base: Base, examples: list[Example], texts: dict[str, TextEmbedding]) -> list[CachedExample]:
    """Encode every example. The VAE runs in fp32: SDXL's own VAE overflows in fp16."""
    base.vae.to(base.device, dtype=torch.float32)
    return [_encode(base, example, texts[example.caption]) for example in examples]


def _encode(base: Base, example: Example, text: TextEmbedding) -> CachedExample:
    pixels = torch.from_numpy(example.image).permute(2, 0, 1).float().unsqueeze(0) / 127.5 - 1
    latent = base.vae.encode(pixels.to(base.device)).latent_dist
    width, height = example.size
    weights = torch.from_numpy(example.weights)[None, None]
    small = torch.nn.functional.adaptive_avg_pool2d(weights, latent.mean.shape[-2:])[0]
    original_width, original_height = example.original_size
    ids = [original_height, original_width, example.crop_top, example.crop_left, height, width]
    return CachedExample(
        mean=latent.mean[0] * base.vae.config.scaling_factor,
        deviation=latent.std[0] * base.vae.config.scaling_factor,
        weights=(small / small.mean()).to(base.device),
        time_ids=torch.tensor(ids, dtype=torch.float32, device=base.device),
        text=text,
    )


def free_encoders(base: Base) -> None:
    """Text encoders go for good; the VAE waits on the CPU for validation portraits."""
    base.pipeline.text_encoder = None
    base.pipeline.text_encoder_2 = None
    base.vae.to("cpu")
    if base.device.type == "cuda":
        torch.cuda.empty_cache()
