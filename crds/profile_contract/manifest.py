"""A ProfileRequest as it is applied: the document that the plug-in, the demo and the page write. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import GROUP, VERSION
from .request import ProfileRequestSpec

API_VERSION = f"{GROUP}/{VERSION}"
REQUEST_KIND = "ProfileRequest"


def manifest(
    spec: ProfileRequestSpec,
    namespace: str,
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The ProfileRequest as it is applied: of its spec only what differs from the defaults is said."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    metadata |= {"labels": dict(labels)} if labels else {}
    metadata |= {"annotations": dict(annotations)} if annotations else {}
    return {
        "apiVersion": API_VERSION,
        "kind": REQUEST_KIND,
        "metadata": metadata,
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    }
