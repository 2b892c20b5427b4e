"""SafetyChecker: a network that says which pictures nobody should be given, as diffusers' own pipelines have it.

It compares what CLIP sees with seventeen ideas that it was given as vectors, each with a threshold; which ones, the
weights say and nobody tells. It errs in both directions.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError

from profile_runtime.weights import check_model

from .finite import all_finite

log = logging.getLogger(__name__)

HELD_BACK = "the safety checker held the picture back: ask with other words or another seed"


class SafetyChecker:
    """Looks at pictures. For one thread at a time."""

    def __init__(self, network: Any, reader: Any, name: str) -> None:
        """`network`: diffusers' StableDiffusionSafetyChecker; `reader`: CLIP's, which fits pictures to it."""
        self.name, self._network, self._reader = name, network, reader

    @classmethod
    def load(cls, models: Path, name: str, device: torch.device) -> Self:
        """From a folder of the models, with safetensors weights. Raises FileNotFoundError, or ValueError for another
        network."""
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
        from transformers import CLIPImageProcessor
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()

        folder = models / name
        if not (folder / "config.json").is_file() or not (folder / "preprocessor_config.json").is_file():
            raise FileNotFoundError(
                f"no safety checker {name!r}: {folder} must hold config.json, preprocessor_config.json and weights"
            )
        check_model(models, name)
        try:
            network, loading = StableDiffusionSafetyChecker.from_pretrained(
                folder, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
            reader = CLIPImageProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise ValueError(f"{folder} is no safety checker: {error}") from error
        # A network whose vectors are missing would be filled with noise, and let everything pass.
        if loading["missing_keys"]:
            raise ValueError(f"{folder} is no safety checker: its weights lack {sorted(loading['missing_keys'])[:3]}")
        # Nothing is ever more than NaN: such a network would let everything pass, too.
        if not all_finite(network.state_dict()):
            raise ValueError(f"{folder} is no safety checker: its weights are no finite numbers")
        log.info("pictures are looked at by the safety checker %s", name)
        return cls(network.to(device).eval(), reader, name)

    @torch.inference_mode()
    def held_back(self, pictures: Sequence[np.ndarray]) -> list[bool]:
        """Of each picture (height, width, 3), uint8 RGB, whether nobody is to be given it."""
        seen = self._reader(images=list(pictures), return_tensors="pt").pixel_values.to(self._network.device)
        # It blackens what it is given: a copy of one pixel each will do.
        _, concepts = self._network(clip_input=seen, images=np.zeros((len(pictures), 1, 1, 3), np.float32))
        return [bool(concept) for concept in concepts]
