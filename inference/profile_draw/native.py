"""The size that a base model was made for, as its folder says it: nothing is loaded."""

from __future__ import annotations

import json
from pathlib import Path


def native_resolution(folder: Path) -> int:
    """Pixels of an edge: those of the latent that the UNet was made for, which each block of the VAE after its first
    doubles.

    Raises ValueError for a folder that is not in diffusers' layout.
    """
    try:
        latent = json.loads((folder / "unet" / "config.json").read_text())["sample_size"]
        blocks = json.loads((folder / "vae" / "config.json").read_text())["block_out_channels"]
        return int(latent) * 2 ** (len(blocks) - 1)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{folder} is not a model in diffusers' SDXL layout: {error}") from error
