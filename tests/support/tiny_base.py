"""A base model for the trainer's unit tests: no SDXL, but a few numbers that record what they were asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from diffusers import DDPMScheduler

from profile_contract.stages.train import AdapterLayers
from profile_draw.families.family import TextEmbedding
from profile_draw.families.sdxl import Sdxl
from profile_train.cache import CachedExample
from profile_train.model import Base

WEIGHT = "mid_block.attentions.0.to_q.lora_A.default.weight"
CHANNELS = 4


@dataclass
class Call:
    """What a UNet was asked."""

    noisy: torch.Tensor
    steps: torch.Tensor
    tokens: torch.Tensor
    pooled: torch.Tensor
    time_ids: torch.Tensor
    down: Any = None
    middle: Any = None


class RecordingUnet(torch.nn.Module):
    """Predicts `answer(call)`, by default nothing but the bias that is trained; every call is kept."""

    def __init__(self, answer: Callable[[Call], torch.Tensor] | None = None) -> None:
        super().__init__()
        self.bias = torch.nn.Parameter(torch.full((CHANNELS, 1, 1), 0.25))
        self.answer, self.calls = answer, list[Call]()
        self.config = {"layers_per_block": 2}

    def forward(self, noisy: torch.Tensor, steps: torch.Tensor, **words: Any) -> SimpleNamespace:
        added = words["added_cond_kwargs"]
        heard = words.get("down_block_additional_residuals"), words.get("mid_block_additional_residual")
        call = Call(noisy, steps, words["encoder_hidden_states"], added["text_embeds"], added["time_ids"], *heard)
        self.calls.append(call)
        predicted = self.answer(call) if self.answer else torch.zeros_like(noisy)
        return SimpleNamespace(sample=predicted + self.bias)


@dataclass
class TinyBase(Base):
    """A base whose adapter is the bias of its UNet; if it is `paired`, beside a matrix that nothing trains, so that it
    can be written as an adapter.
    """

    unet: Any
    paired: bool = False
    asked: dict[str, Any] = field(default_factory=dict)
    """How a test's stage wanted it loaded."""

    def add_adapter(self, rank: int, layers: AdapterLayers, seed: int) -> dict[str, torch.nn.Parameter]:
        up = {WEIGHT.replace("lora_A", "lora_B"): torch.nn.Parameter(torch.ones(2, CHANNELS))}
        return {WEIGHT: self.unet.bias, **(up if self.paired else {})}


def tiny_base(
    prediction: str = "epsilon", answer: Callable[[Call], torch.Tensor] | None = None, **schedule: Any
) -> TinyBase:
    """A base that predicts what `prediction` says, with SDXL's noise schedule unless told otherwise."""
    noise = DDPMScheduler(
        **{"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
        | schedule,
        prediction_type=prediction,
    )
    return TinyBase(
        name="tiny",
        family=Sdxl(),
        pipeline=None,
        unet=RecordingUnet(answer),
        vae=None,
        noise=noise,
        device=torch.device("cpu"),
        autocast=False,
    )


def example(seed: int, height: int = 4, width: int = 6, *, deviation: float = 0.1) -> CachedExample:
    """A training example of noise, its weights of mean 1, its time ids telling the seed."""
    draw = torch.Generator().manual_seed(seed)
    weights = torch.rand(1, height, width, generator=draw) + 0.1
    return CachedExample(
        mean=torch.randn(CHANNELS, height, width, generator=draw),
        deviation=torch.full((CHANNELS, height, width), deviation),
        weights=weights / weights.mean(),
        crop_ids=torch.arange(6.0) + 10 * seed,
        text=TextEmbedding(torch.full((1, 3, 2), float(seed)), torch.full((1, 5), float(-seed))),
    )
