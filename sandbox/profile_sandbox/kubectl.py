"""kubectl, bound to a cluster: the one that is compiled with the sandbox's Kubernetes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import build
from .process import SandboxError, environment_for


def find_kubectl() -> Path:
    """The sandbox's kubectl, which has the version of its cluster, or the PATH's. Raises SandboxError."""
    compiled = build.programs_folder() / "kubectl"
    program = str(compiled) if compiled.exists() else shutil.which("kubectl")
    if program is None:
        raise SandboxError("kubectl not found: `make binaries` compiles it, or put yours on the PATH")
    return Path(program).resolve()


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

    @contextmanager
    def forwarded(self, namespace: str, what: str, port: str) -> Iterator[str]:
        """The address on this machine, http://127.0.0.1:PORT, that leads to a port of a pod or Service.

        Raises SandboxError with kubectl's own words.
        """
        process = subprocess.Popen(
            [self._program, "-n", namespace, "port-forward", what, f":{port}"],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            said = process.stdout.readline()
            address = re.search(r"127\.0\.0\.1:\d+", said)
            if address is None:
                raise SandboxError(f"kubectl port-forward {what}: {said.strip()}")
            yield f"http://{address[0]}"
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()
