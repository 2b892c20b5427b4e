"""ModelRecipe: the recipe that holds for a base model's folder, and whose it is where the folder brings none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from profile_contract.recipe import RECIPE, Recipe
from profile_runtime.recipes import read_recipe, read_recipe_file

# Of models that bring none of their own, by the names of their folders.
KNOWN = Path(__file__).parent / "recipes"
SDXL = "stable-diffusion-xl-base-1.0"
# By these SDXL's UNet, and whatever was tuned from it, is told from smaller ones of the same classes.
SDXL_UNET = {"block_out_channels": [320, 640, 1280], "cross_attention_dim": 2048}


@dataclass(frozen=True)
class ModelRecipe:
    """`remark`: one sentence for people where the recipe is not the folder's own; empty where it is."""

    recipe: Recipe
    remark: str = ""


def recipe_for(model: Path) -> ModelRecipe:
    """The recipe in the folder, else the known one of its name, else SDXL's for what has its structure, else none.

    Raises BadRecipe for one that is wrong.
    """
    own = read_recipe(model)
    if own is not None:
        return ModelRecipe(own)
    known = KNOWN / f"{model.name}.yaml"
    if known.is_file():
        return ModelRecipe(read_recipe_file(known), f"{model.name} brings no {RECIPE}: the product's own is taken")
    if _is_sdxl(model):
        remark = f"{model.name} brings no {RECIPE} and has SDXL's structure: SDXL's recipe is taken"
        return ModelRecipe(read_recipe_file(KNOWN / f"{SDXL}.yaml"), remark)
    return ModelRecipe(Recipe(), f"{model.name} brings no {RECIPE}, and is no SDXL: the product's defaults are taken")


def _is_sdxl(model: Path) -> bool:
    """Whether the folder's UNet has SDXL's structure."""
    try:
        config = json.loads((model / "unet" / "config.json").read_text())
        return all(config.get(name) == value for name, value in SDXL_UNET.items())
    except (OSError, ValueError, AttributeError, RecursionError):
        return False
