"""Precisions: which of a model's files are read, and what is calculated in."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from .config import Dtype

# As diffusers and transformers name them: whole or in shards, the precision's name behind the first or the last dot.
_PLAIN = re.compile(r"^[^.]+\.safetensors$")
_HALF = re.compile(r"^[^.]+(\.fp16(-\d+-of-\d+)?|-\d+-of-\d+\.fp16)\.safetensors$")


def variant_of(weights: Path) -> str | None:
    """Which of the files in a folder of weights are read: `fp16`, or None for the plain ones.

    Many models come as half-precision files alone, under names of their own. Where there are plain ones they are read:
    the trainer wants all that is known of a weight.
    """
    names = [file.name for file in weights.glob("*.safetensors")]
    has_plain, has_half = any(map(_PLAIN.match, names)), any(map(_HALF.match, names))
    return "fp16" if has_half and not has_plain else None


def drawn_in(wanted: Dtype, device: torch.device) -> torch.dtype:
    """What is calculated in. bfloat16 has float32's range: SDXL's VAE gives black pictures in float16."""
    if wanted == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[wanted]
