"""JSON Schemas for kubeconform, one file a kind, of what the API server and the definitions of others' kinds say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]
REFERENCE = re.compile(r'"#/definitions/([^"]+)"')
# Kubernetes' OpenAPI calls them strings; its decoder takes numbers as well.
NUMBERS_TOO = ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", "io.k8s.apimachinery.pkg.api.resource.Quantity")
ANYTHING = {"type": "object"}


def write(folder: Path, kubernetes: Path, definitions: Iterable[Path]) -> str:
    """Write the schemas into a folder and give kubeconform's template for them."""
    whole: Schema = json.loads(kubernetes.read_text())["definitions"]
    for name in NUMBERS_TOO:
        whole[name] = {"type": ["string", "integer", "number"]}
    whole = {name: _strict(schema) for name, schema in whole.items()}
    found = [*_of_kubernetes(whole), *(one for file in definitions for one in _of_definition(file))]
    for name, schema in found:
        (folder / name).write_text(json.dumps(schema))
    return f"{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"


def _file_name(group: str, version: str, kind: str) -> str:
    """As kubeconform names it: the first word of the group alone."""
    return "-".join([kind.lower(), *filter(None, [group.split(".", maxsplit=1)[0]]), version]) + ".json"


def _of_kubernetes(whole: Schema) -> Iterator[tuple[str, Schema]]:
    references = {name: set(REFERENCE.findall(json.dumps(schema))) for name, schema in whole.items()}
    for name, schema in whole.items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            document = {**schema, "definitions": {other: whole[other] for other in _needs(references, name)}}
            yield _file_name(kind["group"], kind["version"], kind["kind"]), document


def _needs(references: Mapping[str, set[str]], name: str) -> set[str]:
    """Every definition that one refers to, and those that these refer to."""
    needed: set[str] = set()
    waiting = [name]
    while waiting:
        further = references[waiting.pop()] - needed
        needed |= further
        waiting += further
    return needed


def _of_definition(file: Path) -> Iterator[tuple[str, Schema]]:
    document = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
    spec = document["spec"]
    for version in spec["versions"]:
        schema = _strict(version["schema"]["openAPIV3Schema"])
        every = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": ANYTHING}
        schema["properties"] = every | schema["properties"]
        yield _file_name(spec["group"], version["name"], spec["names"]["kind"]), schema


def _strict(schema: Any) -> Any:
    """The same, refusing fields that it does not name."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    made = {key: _strict(value) for key, value in schema.items() if key != "properties"}
    if "properties" not in schema:
        return made
    # A map of names to schemas, and no schema itself, even where a name in it is one of the words above.
    made["properties"] = {name: _strict(value) for name, value in schema["properties"].items()}
    if "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    return made
