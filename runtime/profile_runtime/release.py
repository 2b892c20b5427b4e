"""The version of the product that runs here."""

from __future__ import annotations

import importlib.metadata
import os

UNRELEASED = "dev"


def version() -> str:
    """The image's ($PROFILE_VERSION), or that of the installed distribution."""
    try:
        return os.environ.get("PROFILE_VERSION") or importlib.metadata.version("profile-studio")
    except importlib.metadata.PackageNotFoundError:
        return UNRELEASED
