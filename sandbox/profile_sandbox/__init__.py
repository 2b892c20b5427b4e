"""A real Kubernetes on one machine, without Docker: a development tool for the demo, tests and CI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .process import SandboxError

if TYPE_CHECKING:
    from .cluster import Sandbox

__all__ = ["Sandbox", "SandboxError"]


def __getattr__(name: str) -> Any:
    """Import `Sandbox` when it is asked for: `build` and `doctor` run before the environment's packages are there."""
    if name != "Sandbox":
        raise AttributeError(name)
    from .cluster import Sandbox

    return Sandbox
