"""The Helm values with which the product's chart runs in a sandbox."""

from __future__ import annotations

from typing import Any

from . import layout, services
from .images import REGISTRY, TAG


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
        "networkPolicies": {
            "metricsFrom": [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": layout.SERVICES_NAMESPACE}}}
            ]
        },
    }
