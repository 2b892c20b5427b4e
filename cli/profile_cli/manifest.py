"""A ProfileRequest as it is applied. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from profile_contract import GROUP, VERSION
from profile_contract.request import ProfileRequestSpec


def manifest(
    spec: ProfileRequestSpec, namespace: str, name: str, annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The ProfileRequest as it is applied: only what differs from the defaults is said."""
    document = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "ProfileRequest",
        "metadata": {
            "name": name,
            "namespace": namespace,
            **({"annotations": dict(annotations)} if annotations else {}),
        },
        "spec": document,
    }
