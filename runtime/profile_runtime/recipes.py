"""Recipes in files: `recipe.yaml` in a base model's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from profile_contract.problems import MOST_NAMED
from profile_contract.recipe import MOST_BYTES, RECIPE, BadRecipe, Recipe, recipe_of

from .yaml_file import BadYaml, yaml_of


def recipe_warning(model: Path, digest: str, known: Recipe | None = None) -> str:
    """One sentence where the recipe in a model's folder is not the one of this digest, by which the platform is set up.

    `known`: that recipe itself, if it is at hand: then the fields that differ are named. Empty where they are the same,
    where the folder has none, or where the platform names none (an empty digest).
    """
    try:
        own = read_recipe(model) if digest else None
    except BadRecipe as error:
        return f"{error}. The platform's settings are used"
    if own is None or own.digest == digest:
        return ""
    fields = f", which differs in {', '.join(known.differences(own)[:MOST_NAMED])}" if known is not None else ""
    return (
        f"{model.name} is used with a recipe ({digest}) that is not the one in its folder ({own.digest}){fields}: the "
        f"platform's settings hold; if the folder is right, put its {RECIPE} into the chart's value `recipe`"
    )


def merged_recipe(base: str, looks: Sequence[str], recipe: Recipe, licence: str) -> str:
    """The recipe of a base model with looks merged in: the base model's own under another licence, and in its first
    lines, of which each of `looks` is one, what it was merged of."""
    comment = "".join(f"# {' '.join(line.split())}\n" for line in (f"{base}, with looks merged in:", *looks))
    document = recipe.model_copy(update={"licence": licence[:200]}).distinction()
    return comment + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def read_recipe(model: Path) -> Recipe | None:
    """The recipe in a base model's folder; None where it has none. Raises BadRecipe."""
    file = model / RECIPE
    return read_recipe_file(file) if file.is_file() else None


def read_recipe_file(file: Path) -> Recipe:
    """The recipe that a file says. Raises BadRecipe, which names the file and what is wrong."""
    try:
        with file.open("rb") as content:
            data = content.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise BadRecipe(f"{file} has more than {MOST_BYTES} bytes: it is no recipe; take it out of the folder")
        document = yaml_of(data)
    except (OSError, BadYaml) as error:
        raise BadRecipe(f"{file} cannot be read as YAML: {error}") from error
    return recipe_of(document, str(file))
