"""Where models and photos lie on this machine: outside the clone, shared by all clones."""

import os
from pathlib import Path


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "profile-studio"


def models_folder() -> Path:
    """$PROFILE_MODELS, else a folder of the cache: `vision/` and one folder a base model or ControlNet."""
    return Path(os.environ.get("PROFILE_MODELS") or cache_folder() / "models")


def photos_folder() -> Path:
    """Photos of real persons, for tests alone: never committed, altered for show, or put into documents."""
    return cache_folder() / "photos"


def people_folder() -> Path:
    """What people who do not exist are rendered from, and pictures of them to train on."""
    return cache_folder() / "people"
