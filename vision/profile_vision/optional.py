"""Libraries that some images have and others do without."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any


def installed(name: str) -> Any:
    """The module of this name, or None where it is not installed."""
    return import_module(name) if find_spec(name) else None
