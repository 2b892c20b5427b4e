"""A real Kubernetes on one machine, without Docker: a development tool for the demo, tests and CI."""

from .cluster import Sandbox
from .process import SandboxError

__all__ = ["Sandbox", "SandboxError"]
