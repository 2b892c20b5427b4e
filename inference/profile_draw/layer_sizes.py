"""look_reader: what reads looks for a base model, of whose folder the configuration alone is looked at."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from profile_contract.stages.train import AdapterLayers

from .adapted import size_of
from .adapters.known_forms import LayerNames
from .adapters.look_file import LookReader
from .bank import adapted_layers
from .families.table import family_of


def look_reader(models: Path, base_model: str, maximum_rank: int, *, unet_only: bool = False) -> LookReader:
    """For `base_model` below the models folder; no weight is read. Raises ValueError for one of no known family."""
    folder = models / base_model
    family = family_of(folder)
    try:
        config = json.loads((folder / "unet" / "config.json").read_bytes())
        with torch.device("meta"):
            unet = UNet2DConditionModel.from_config(config)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{folder / 'unet'} does not say what layers the model has") from error
    layers = adapted_layers(unet, family.modules(AdapterLayers.EVERYTHING))
    sizes = {name: size_of(layer) for name, layer in layers.items()}
    names = LayerNames(sizes, lambda layer: family.webui_name(layer, config))
    return LookReader(base_model, sizes, names, maximum_rank, family.other_base, unet_only=unet_only)
