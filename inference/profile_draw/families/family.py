"""What a model family says of itself; whatever loads, trains or draws is the same for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKL

from profile_contract.stages.train import AdapterLayers
from profile_draw.precision import variant_of


@dataclass(frozen=True)
class TextEmbedding:
    """What a network is told of prompts: `tokens` (rows, length, width), `pooled` (rows, width)."""

    tokens: torch.Tensor
    pooled: torch.Tensor


@dataclass(frozen=True)
class Crop:
    """Which part of which picture is shown, and how large, in pixels: sizes are width and height."""

    original_size: tuple[int, int]
    left: int
    top: int
    size: tuple[int, int]


class Family(ABC):
    """One architecture: a UNet that adapters change, text encoders, a VAE, and a scheduler, in diffusers' layout.

    Stateless. Networks are whatever `load` gave, in the pipeline that holds them.
    """

    # What the class in a model's model_index.json begins with.
    named: ClassVar[str]
    # The pipelines that draw, by (follows a pose, draws over a picture); they share their modules.
    ways: ClassVar[Mapping[tuple[bool, bool], type[Any]]]
    control: ClassVar[type[Any]]
    vae: ClassVar[type[Any]] = AutoencoderKL
    # What other projects' metadata of an adapter begin with, by their names: they say which base it was trained on.
    known_as: ClassVar[Mapping[str, str]] = {}
    # Encoders and their tokenizers, as the pipeline names them.
    text_encoders: ClassVar[tuple[str, ...]]
    tokenizers: ClassVar[tuple[str, ...]]

    def load(self, folder: Path, dtype: torch.dtype | dict[str, torch.dtype] | None = None) -> Any:
        """The pipeline of a model's folder, on the CPU; float32 unless told, for all or by a network's name. Raises
        OSError or ValueError.

        From safetensors alone, and never from elsewhere than this folder. Which of the VAE's files are read is asked of
        its own folder: where a mended one was put beside the original's half-precision file, that one is meant.
        """
        how = _how(folder / "unet", dtype)
        if variant_of(folder / "vae") == how["variant"]:
            return self.ways[False, False].from_pretrained(folder, **how)
        of_vae = dtype.get("vae", dtype.get("default")) if isinstance(dtype, dict) else dtype
        vae = self.vae.from_pretrained(folder / "vae", **_how(folder / "vae", of_vae))
        return self.ways[False, False].from_pretrained(folder, vae=vae, **how)

    def load_control(self, folder: Path, dtype: torch.dtype) -> Any:
        """The ControlNet of a folder. Raises as `load` does."""
        return self.control.from_pretrained(folder, **_how(folder, dtype))

    @abstractmethod
    def encode(self, encoders: Sequence[Any], ids: Sequence[torch.Tensor]) -> TextEmbedding:
        """What the text encoders make of tokens (rows, length), for each encoder its own."""

    @abstractmethod
    def embed(self, pipeline: Any, prompt: str, device: torch.device) -> TextEmbedding:
        """One prompt as the pipeline itself embeds it, cut where it is too long; the encoders are on `device`."""

    @abstractmethod
    def words(self, text: TextEmbedding, negative: TextEmbedding | None) -> dict[str, torch.Tensor]:
        """Embedded prompts as the pipelines' arguments."""

    @abstractmethod
    def crop_ids(self, crop: Crop) -> list[int]:
        """The numbers by which the network is told what part of a picture it sees; none where it is not told."""

    @abstractmethod
    def conditions(self, text: TextEmbedding, crop_ids: torch.Tensor) -> dict[str, Any]:
        """Text and crops (rows, numbers) as the UNet's arguments."""

    @abstractmethod
    def modules(self, layers: AdapterLayers) -> tuple[str, ...]:
        """The ends of the names of the UNet's layers that an adapter changes."""

    @abstractmethod
    def webui_name(self, layer: str, unet_config: Mapping[str, Any]) -> str:
        """What WebUI and ComfyUI call a layer. Raises ValueError for one that they cannot change."""

    def other_base(self, metadata: Mapping[str, str]) -> str:
        """The base model that an adapter's metadata name, if it is not of this family; empty: none is."""
        said = {name: metadata.get(name, "") for name in self.known_as}
        others = (text for name, text in said.items() if text and not text.lower().startswith(self.known_as[name]))
        return next(others, "")

    @abstractmethod
    def webui_metadata(self, base_model: str, resolution: int) -> dict[str, str]:
        """What these programs ask of an adapter's file; `resolution`: the edge in pixels that was trained at."""


def _how(weights: Path, dtype: torch.dtype | dict[str, torch.dtype] | None) -> dict[str, Any]:
    """Arguments of `from_pretrained` for the weights in a folder."""
    precision = {} if dtype is None else {"dtype": dtype}
    return {"use_safetensors": True, "local_files_only": True, "variant": variant_of(weights), **precision}
