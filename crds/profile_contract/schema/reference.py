"""Writes the references of the API and of recipes: `python -m profile_contract.schema.reference API RECIPE SCHEMA`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from profile_contract.look import LookSpec, LookStatus
from profile_contract.recipe import Recipe
from profile_contract.request import OBJECT_RULES, SPEC_RULES, ProfileRequestSpec
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.style import ProfileStyleSpec
from profile_contract.style_status import StyleStatus

from .crd import schema_of

Schema = dict[str, Any]

HEAD = """# API reference

Generated from the models in `crds/profile_contract` by `make crds`. `kubectl explain preq.spec` tells the same.
What conditions and their reasons mean: [conditions and reasons](conditions.md).
"""
SECTIONS = (
    ("ProfileRequest: spec", "What is asked for. Namespaced, short name `preq`.", ProfileRequestSpec),
    (
        "ProfileRequest: status",
        "What the operator says. It holds no secret, no signed URL, no image.",
        ProfileRequestStatus,
    ),
    (
        "ClusterProfileStyle and ProfileStyle: spec",
        "What a look is. A ClusterProfileStyle (`cpstyle`) is the whole cluster's, a ProfileStyle (`pstyle`) one "
        "namespace's own, for its requests alone.",
        ProfileStyleSpec,
    ),
    (
        "ClusterProfileStyle and ProfileStyle: status",
        "What the operator says of a style, at most once a minute.",
        StyleStatus,
    ),
    (
        "ClusterStyleAdapter and StyleAdapter: spec",
        "An adapter that styles draw with beside the person's. A ClusterStyleAdapter (`csadapter`) is for every "
        "namespace, a StyleAdapter (`sadapter`) for the styles of its own.",
        LookSpec,
    ),
    (
        "ClusterStyleAdapter and StyleAdapter: status",
        "What the operator says of an adapter.",
        LookStatus,
    ),
)
RECIPE_HEAD = """# Recipes

A base model's folder may hold a `recipe.yaml`, in which the model says how it is trained upon and drawn with.
[Models](models.md#recipes) tells who reads it, and what overrides it. The fields are listed here, generated from
`crds/profile_contract/recipe.py` by `make crds`; what is left out has the default. Editors take the
[schema](../models/recipe.schema.json).
"""
COLUMNS = "| field | type | default | limits | what |\n|---|---|---|---|---|\n"
LIMITS = {
    "minimum": "from {}", "maximum": "to {}",
    "minLength": "{} characters or more", "maxLength": "{} characters or fewer",
    "minItems": "{} or more", "maxItems": "{} or fewer", "multipleOf": "a multiple of {}", "pattern": "`{}`",
}  # fmt: skip


def page() -> str:
    """The whole page, in Markdown."""
    parts = [HEAD]
    for title, text, model in SECTIONS:
        rows = "\n".join(_rows(schema_of(model), ""))
        parts.append(f"## {title}\n\n{text}\n\n{COLUMNS}{rows}\n")
    rules = "\n".join(f"- {rule['message']}" for rule in (*SPEC_RULES, *OBJECT_RULES))
    parts.append(f"## Rules between fields of a request\n\n{rules}\n")
    return "\n".join(parts)


def recipe_page() -> str:
    """What a recipe may say, in Markdown."""
    rows = "\n".join(_rows(schema_of(Recipe), ""))
    return f"{RECIPE_HEAD}\n{COLUMNS}{rows}\n"


def recipe_schema() -> str:
    """The JSON schema of a recipe, for editors and for whoever checks one without Python."""
    return json.dumps(Recipe.model_json_schema(by_alias=True), indent=2, ensure_ascii=False) + "\n"


def _rows(schema: Schema, above: str) -> Iterator[str]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        path = f"{above}{name}"
        yield _row(path, field, required=name in required)
        inner = field.get("items", field)
        if "properties" in inner:
            yield from _rows(inner, f"{path}[]." if "items" in field else f"{path}.")


def _row(path: str, field: Schema, *, required: bool) -> str:
    default = "**required**" if required else _default(field)
    cells = (f"`{path}`", _type(field), default, _limits(field), _cell(field.get("description", "")))
    return f"| {' | '.join(cells)} |"


def _type(field: Schema) -> str:
    if "items" in field:
        return f"list of {_type(field['items'])}"
    if "enum" in field:
        return " ".join(f"`{word}`" for word in field["enum"])
    if isinstance(field.get("additionalProperties"), dict):
        return f"map to {_type(field['additionalProperties'])}"
    return str(field.get("format") or field.get("type", ""))


def _default(field: Schema) -> str:
    default = field.get("default")
    if default is None or default in ({}, []) or isinstance(default, dict):
        return ""
    shown = (
        ", ".join(map(str, default))
        if isinstance(default, list)
        else str(default).lower()
        if isinstance(default, bool)
        else str(default)
    )
    return f"`{shown}`" if shown else "empty"


def _limits(field: Schema) -> str:
    inner = {key: value for key, value in field.get("items", {}).items() if key == "pattern"}
    said = [
        text.format(_cell(str((field | inner)[word])))
        for word, text in LIMITS.items()
        if word in field or word in inner
    ]
    return ", ".join(said)


def _cell(text: str) -> str:
    """Text that does not end a table's cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    api, recipe, schema = map(Path, sys.argv[1:])
    api.write_text(page())
    recipe.write_text(recipe_page())
    schema.write_text(recipe_schema())


if __name__ == "__main__":
    main()
