"""The JSON schema that Helm checks the chart's values by, of the models in `chart`.

Draft 07, since Helm knows no later one for certain. Nothing but what the models name is taken.
"""

from __future__ import annotations

import json
from typing import Any

from .chart import ChartValues

Schema = dict[str, Any]


def text() -> str:
    """values.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> Schema:
    """The schema of all values."""
    raw = ChartValues.model_json_schema(by_alias=True)
    definitions = {name: _plain(node) for name, node in sorted(raw.pop("$defs").items())}
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Profile Studio"}
    return {**head, **_plain(raw), "$defs": definitions}


def _plain(node: Any) -> Any:
    """The node as people write schemas: no titles, no null for a default, and one type or null as a list of types."""
    if isinstance(node, list):
        return [_plain(part) for part in node]
    if not isinstance(node, dict):
        return node
    if "properties" in node:
        inner = {name: _plain(part) for name, part in node["properties"].items()}
        return {**_plain({word: part for word, part in node.items() if word != "properties"}), "properties": inner}
    plain = {word: _plain(part) for word, part in node.items() if word not in ("title", "anyOf", "default")}
    if node.get("default") not in (None, "", [], {}):
        plain["default"] = node["default"]
    if "patternProperties" in node:
        # A model refuses other names; a schema has to say so.
        plain["additionalProperties"] = False
    return plain | _alternatives(node["anyOf"]) if "anyOf" in node else plain


def _alternatives(nodes: list[Schema]) -> Schema:
    """What a union says: a scalar or null by its two types, all else by the alternatives.

    Null is left out where it stands beside a definition, which Helm would then name in no complaint: a null takes the
    value away, and saying nothing does the same.
    """
    filled = [part for part in nodes if part.get("type") != "null"]
    if len(filled) == 1 and "$ref" in filled[0]:
        return filled[0]
    if len(filled) == 1:
        return {**filled[0], "type": [filled[0]["type"], "null"]}
    return {"anyOf": _plain(nodes)}
