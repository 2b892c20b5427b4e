"""SDXL's pair of text encoders, thin; and what small models share on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer


@dataclass(frozen=True)
class TextSize:
    width: int
    layers: int
    heads: int


def make_text_encoders(tokenizer: CLIPTokenizer, size: TextSize) -> tuple[CLIPTextModel, CLIPTextModelWithProjection]:
    """The second one's pooled projection is added to the time embedding."""
    first, second = (_config(tokenizer, size, activation) for activation in ("quick_gelu", "gelu"))
    return CLIPTextModel(first), CLIPTextModelWithProjection(second)


def _config(tokenizer: CLIPTokenizer, size: TextSize, activation: str) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.width,
        intermediate_size=4 * size.width,
        projection_dim=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        hidden_act=activation,
        # Pooling looks for the end token: the defaults are those of CLIP's own vocabulary.
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def let_everybody_read(folder: Path) -> None:
    """safetensors are written for their owner alone, but pods read them as another user."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
