"""The Helm values with which the product's chart runs in a sandbox."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import layout, services
from .images import REGISTRY, TAG
from .paths import CLONE

# Who everybody is on the page of a sandbox, and where their requests are made.
PAGE_USER, PAGE_NAMESPACE = "you", "demo"
# Of files that a program reads as it starts.
SUFFIXES = (".py", ".js", ".css", ".html", ".json")
SOURCE_ANNOTATION = "profilestudio.io/source"
# What the long-running pods run. The clone is mounted into them, so a pod must be restarted when its code changes.
SOURCES = {
    "operator": ("crds/profile_contract", "operator/profile_operator"),
    "history": ("crds/profile_contract", "operator/profile_history"),
    "predictor": ("crds/profile_contract", "inference"),
    "web": ("crds/profile_contract", "images/web"),
}


def chart_values() -> dict[str, Any]:
    """Values for `charts/profile-studio`, to be merged with what a demo or a test sets itself.

    The Secrets that they name stand in the namespace `profile-system` since `up`.
    """
    return {
        "images": {"registry": REGISTRY, "tag": TAG, "pullPolicy": "Never"},
        "store": {
            "endpoint": f"minio.{layout.SERVICES_NAMESPACE}.svc:9000",
            "bucket": services.BUCKET,
            "region": services.REGION,
            "secure": False,
            "existingSecret": services.STORE_SECRET,
        },
        "database": {"existingSecret": services.DATABASE_SECRET},
        "redis": {"existingSecret": services.REDIS_SECRET},
        "gpu": {"enabled": False},
        # Tests and the demo make namespaces as they go.
        "clusterWide": True,
        "operator": {
            # A MinIO of one server knows at once what was revoked.
            "config": {"revocationSeconds": 0},
            "podAnnotations": _annotation(SOURCES["operator"]),
        },
        "history": {
            "store": {"existingSecret": services.HISTORY_STORE_SECRET},
            "podAnnotations": _annotation(SOURCES["history"]),
        },
        "predictor": {"podAnnotations": _annotation(SOURCES["predictor"])},
        "networkPolicies": {
            "metricsFrom": [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": layout.SERVICES_NAMESPACE}}}
            ]
        },
    }


def _annotation(folders: Iterable[str]) -> dict[str, str]:
    # With letters before it: Helm reads a digest such as 12345e67 in a values file as a number.
    return {SOURCE_ANNOTATION: f"sha256-{source_digest(CLONE / folder for folder in folders)}"}


def web_values(store_address: str, training: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Values for the page, whose visitors reach the store at `store_address`; everybody there is PAGE_USER.

    `training`: what the page's requests say about it (`spec.training`); without it they train as the platform does.
    """
    # Neither the random base model nor studio-mini reaches a floor that is made for real ones.
    defaults: dict[str, Any] = {"minimumLikeness": 0}
    if training:
        defaults["training"] = dict(training)
    return {
        "web": {
            "enabled": True,
            "signIn": {"mode": "Local", "user": PAGE_USER},
            "namespaces": {"default": PAGE_NAMESPACE},
            "store": {"publicUrl": f"http://{store_address}", "existingSecret": services.WEB_STORE_SECRET},
            "defaults": defaults,
            # Whoever tries things out on one machine leaves many forms behind.
            "limits": {"drafts": 50},
            "podAnnotations": _annotation(SOURCES["web"]),
        }
    }


def source_digest(folders: Iterable[Path]) -> str:
    """16 hexadecimal digits that change when a program file below the folders does."""
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(file for file in folder.rglob("*") if file.suffix in SUFFIXES):
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
