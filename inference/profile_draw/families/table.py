"""The table of model families, and which one a model's folder is of."""

from __future__ import annotations

import json
from pathlib import Path

from .family import Family
from .sdxl import Sdxl

FAMILIES: tuple[Family, ...] = (Sdxl(),)


def family_of(folder: Path) -> Family:
    """The family of a model in diffusers' layout. Raises ValueError for a folder of none that is known here."""
    index = folder / "model_index.json"
    try:
        document = json.loads(index.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{index} cannot be read") from error
    name = str(document.get("_class_name")) if isinstance(document, dict) else "nothing"
    for family in FAMILIES:
        if name.startswith(family.named):
            return family
    known = ", ".join(f"{family.named}..." for family in FAMILIES)
    raise ValueError(f"{index} names the pipeline {name[:80]!r}; models of these are loaded: {known}")
