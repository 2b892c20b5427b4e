"""What a base model's folder says about how to train upon it and draw with it: `recipe.yaml` beside its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from profile_cli.errors import CommandError

from .values import Values, values_of

FILE = "recipe.yaml"
# The sections are those of the chart's values; `toy` says why its portraits are none to hand out.
SECTIONS = frozenset({"toy", "training", "preprocess", "generation"})
MOST_BYTES = 64_000
LONGEST_TOY = 500


@dataclass(frozen=True)
class Recipe:
    """Settings of one model, and for a toy the words that say so."""

    values: Values = Values()
    toy: str = ""


def read_recipe(model: Path) -> Recipe:
    """The recipe in a model's folder; an empty one where it has none. Raises CommandError for one that is wrong."""
    file = model / FILE
    if not file.is_file():
        return Recipe()
    try:
        if file.stat().st_size > MOST_BYTES:
            raise CommandError(f"{file} is no recipe: it has more than {MOST_BYTES} bytes")
        document = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error
    if not isinstance(document, dict) or not set(document) <= SECTIONS:
        raise CommandError(f"{file} may hold {', '.join(sorted(SECTIONS))}, and nothing else")
    toy = document.get("toy") or ""
    if not isinstance(toy, str) or len(toy) > LONGEST_TOY:
        raise CommandError(f"{file}: toy must be a text of at most {LONGEST_TOY} characters")
    try:
        values = values_of(document)
    except CommandError as error:
        raise CommandError(f"{file}: {error}") from error
    if "baseModel" in values.training:
        raise CommandError(f"{file} is about the model in whose folder it lies: training.baseModel has no place in it")
    return Recipe(values, toy)
