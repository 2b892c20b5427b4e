"""Generates the CRD manifests from the models: `python -m profile_contract.schema.crd FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from profile_contract import GROUP, VERSION
from profile_contract.look import LOOK_RULES, LookSpec, LookStatus
from profile_contract.look_ref import LookKind
from profile_contract.request import OBJECT_RULES, SPEC_RULES, ProfileRequestSpec
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.resource import CLUSTER_LOOKS, CLUSTER_STYLES, LOOKS, REQUESTS, STYLES
from profile_contract.style import CLUSTER_STYLE_RULES, STYLE_RULES, ProfileStyleSpec
from profile_contract.style_ref import StyleKind
from profile_contract.style_status import StyleStatus

_HEADER = "# Generated from the models in crds/profile_contract; `make crds` writes it anew.\n"
# OpenAPI words that a structural schema knows; everything else of pydantic's JSON schema is left out.
_KEPT = {
    "type", "format", "description", "default", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum",
    "multipleOf", "minItems", "maxItems", "minProperties", "maxProperties", "required",
}  # fmt: skip
_EXCLUSIVE = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}

REQUEST_COLUMNS = [
    {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"},
    {"name": "Stage", "type": "string", "jsonPath": ".status.stageText"},
    {"name": "Progress", "type": "string", "jsonPath": ".status.progressText"},
    {"name": "Likeness", "type": "integer", "jsonPath": ".status.bestLikeness"},
    {"name": "Title", "type": "string", "jsonPath": ".metadata.annotations.profilestudio\\.io/title"},
    # A column shows a list as JSON: the status says it in words.
    {"name": "Styles", "type": "string", "jsonPath": ".status.stylesText"},
    {"name": "Photos", "type": "string", "jsonPath": ".status.photosText", "priority": 1},
    {"name": "GPU", "type": "integer", "jsonPath": ".status.gpuSeconds", "priority": 1},
    {"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].reason", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]
STYLE_COLUMNS: list[dict[str, Any]] = [
    {"name": "Title", "type": "string", "jsonPath": ".spec.title.en"},
    {"name": "Tone", "type": "string", "jsonPath": ".spec.tone"},
    {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"},
    {"name": "Requests", "type": "integer", "jsonPath": ".status.requests"},
    {"name": "Outdated", "type": "integer", "jsonPath": ".status.outdated"},
    {"name": "Mode", "type": "string", "jsonPath": ".spec.mode", "priority": 1},
    {"name": "Pose", "type": "string", "jsonPath": ".spec.pose", "priority": 1},
    {"name": "Predictor", "type": "string", "jsonPath": ".spec.predictor", "priority": 1},
    {"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].reason", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]

LOOK_COLUMNS: list[dict[str, Any]] = [
    {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"},
    {"name": "Layers", "type": "integer", "jsonPath": ".status.layers"},
    {"name": "Rank", "type": "integer", "jsonPath": ".status.rank"},
    {"name": "Styles", "type": "integer", "jsonPath": ".status.styles"},
    {"name": "Words", "type": "string", "jsonPath": ".spec.words"},
    {"name": "Weight", "type": "integer", "jsonPath": ".status.learnt.recommendedPercent"},
    {"name": "Pictures", "type": "integer", "jsonPath": ".status.learnt.pictures", "priority": 1},
    {"name": "Licence", "type": "string", "jsonPath": ".spec.file.licence", "priority": 1},
    {"name": "Predictor", "type": "string", "jsonPath": ".spec.predictor", "priority": 1},
    {"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].reason", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]


def structural(node: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """A structural OpenAPI v3 schema of a JSON schema node: references resolved, null unions opened."""
    if "$ref" in node:
        target = dict(definitions[node["$ref"].rsplit("/", 1)[-1]])
        return structural({**target, **{k: v for k, v in node.items() if k != "$ref"}}, definitions)
    if "anyOf" in node:
        inner = [part for part in node["anyOf"] if part.get("type") != "null"]
        if len(inner) != 1:
            raise ValueError(f"no structural form for a union: {node}")
        rest = {k: v for k, v in node.items() if k != "anyOf" and not (k == "default" and v is None)}
        return structural({**inner[0], **rest}, definitions)
    kept = _scalar_words(node)
    if "items" in node:
        kept["items"] = structural(node["items"], definitions)
    if "properties" in node:
        kept["properties"] = {name: structural(part, definitions) for name, part in node["properties"].items()}
    elif isinstance(node.get("additionalProperties"), dict):
        kept["additionalProperties"] = structural(node["additionalProperties"], definitions)
        kept.setdefault("maxProperties", 32)
    return kept


def _scalar_words(node: dict[str, Any]) -> dict[str, Any]:
    """What a structural schema says of the node itself, without its parts."""
    kept = {k: v for k, v in node.items() if k in _KEPT or k.startswith("x-kubernetes")}
    if isinstance(kept.get("default"), dict):
        # The API server takes null for no integer: what is not set is left out.
        kept["default"] = {k: v for k, v in kept["default"].items() if v is not None}
    if "const" in node:
        kept["enum"] = [node["const"]]
    for word, bound in _EXCLUSIVE.items():
        if word in node:
            kept |= {bound: node[word], word: True}
    return kept


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The structural schema of a model."""
    raw = model.model_json_schema(by_alias=True)
    return structural(raw, raw.get("$defs", {}))


def _crd(kind: str, plural: str, short: str, scope: str, version: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {
                "kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower(),
                "shortNames": [short], "categories": ["profile-studio"],
            },
            "versions": [{"name": VERSION, "served": True, "storage": True, **version}],
        },
    }  # fmt: skip


def _object(description: str, properties: dict[str, Any], rules: list[dict[str, str]]) -> dict[str, Any]:
    base: dict[str, Any] = {
        "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}
    }  # fmt: skip
    node: dict[str, Any] = {
        "type": "object", "description": description, "required": ["spec"], "properties": {**base, **properties}
    }  # fmt: skip
    return {**node, "x-kubernetes-validations": rules} if rules else node


def profile_request_crd() -> dict[str, Any]:
    """The CRD of ProfileRequest."""
    spec = {**schema_of(ProfileRequestSpec), "x-kubernetes-validations": SPEC_RULES}
    status = schema_of(ProfileRequestStatus)
    # A new object carries -1 at once, so that nobody takes it as ready before the operator has seen it.
    status["default"] = {"observedGeneration": -1}
    root = _object(
        "Photos of one person in, studio profile portraits out.", {"spec": spec, "status": status}, OBJECT_RULES
    )
    version = {
        "subresources": {"status": {}},
        "additionalPrinterColumns": REQUEST_COLUMNS,
        "schema": {"openAPIV3Schema": root},
    }
    return _crd("ProfileRequest", REQUESTS, "preq", "Namespaced", version)


def cluster_profile_style_crd() -> dict[str, Any]:
    """The CRD of ClusterProfileStyle."""
    rules = [*STYLE_RULES, *CLUSTER_STYLE_RULES]
    version = _style_version("A look that every namespace may ask for: prompt, tone, pose, sampler.", rules)
    return _crd(StyleKind.CLUSTER.value, CLUSTER_STYLES, "cpstyle", "Cluster", version)


def profile_style_crd() -> dict[str, Any]:
    """The CRD of ProfileStyle."""
    version = _style_version(
        "A namespace's own look, for its requests alone: prompt, tone, pose, sampler.", STYLE_RULES
    )
    return _crd(StyleKind.OWN.value, STYLES, "pstyle", "Namespaced", version)


def _style_version(description: str, rules: list[dict[str, str]]) -> dict[str, Any]:
    return _version(description, ProfileStyleSpec, StyleStatus, rules, STYLE_COLUMNS)


def cluster_style_adapter_crd() -> dict[str, Any]:
    """The CRD of ClusterStyleAdapter."""
    text = "An adapter of a look that styles of every namespace may draw with, beside the person's."
    version = _version(text, LookSpec, LookStatus, LOOK_RULES, LOOK_COLUMNS)
    return _crd(LookKind.CLUSTER.value, CLUSTER_LOOKS, "csadapter", "Cluster", version)


def style_adapter_crd() -> dict[str, Any]:
    """The CRD of StyleAdapter."""
    text = "An adapter of a look that the styles of its namespace may draw with, beside the person's."
    version = _version(text, LookSpec, LookStatus, LOOK_RULES, LOOK_COLUMNS)
    return _crd(LookKind.OWN.value, LOOKS, "sadapter", "Namespaced", version)


def _version(
    description: str,
    spec: type[BaseModel],
    status: type[BaseModel],
    rules: list[dict[str, str]],
    columns: list[dict[str, Any]],
) -> dict[str, Any]:
    """What a CRD says of its version."""
    root = _object(description, {"spec": schema_of(spec), "status": schema_of(status)}, rules)
    return {
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": root},
    }


def manifests() -> dict[str, str]:
    """File name to YAML text of every CRD."""
    crds = {
        f"{REQUESTS}.yaml": profile_request_crd(),
        f"{CLUSTER_STYLES}.yaml": cluster_profile_style_crd(),
        f"{STYLES}.yaml": profile_style_crd(),
        f"{CLUSTER_LOOKS}.yaml": cluster_style_adapter_crd(),
        f"{LOOKS}.yaml": style_adapter_crd(),
    }
    return {name: _HEADER + yaml.safe_dump(crd, sort_keys=False, width=120) for name, crd in crds.items()}


def main() -> None:
    """Write the manifests into a folder."""
    folder = Path(sys.argv[1])
    for name, text in manifests().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
