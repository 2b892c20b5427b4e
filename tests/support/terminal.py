"""A terminal in a clone, at a cluster: commands run as a person types them, and variables stay."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

_VARIABLE = re.compile(r"([A-Z_]+)=\S")


class Terminal:
    """`programs`: name -> program, first on the PATH. The clone's `charts` and `examples` lie in its folder."""

    def __init__(self, folder: Path, clone: Path, kubeconfig: Path, programs: Mapping[str, str]) -> None:
        self.folder = folder
        for name in ("charts", "examples"):
            (folder / name).symlink_to(clone / name)
        (folder / "bin").mkdir()
        for name, program in programs.items():
            (folder / "bin" / name).symlink_to(program)
        path = os.pathsep.join((str(folder / "bin"), os.environ["PATH"]))
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(folder), "PATH": path}

    def type(self, command: str, seconds: int = 150) -> subprocess.CompletedProcess[str]:
        """Raises TimeoutExpired for a command that hangs."""
        variable = _VARIABLE.match(command)
        if variable and "\n" not in command and " " not in re.sub(r'"[^"]*"', "", command):
            command += f' && printf %s "${variable[1]}"'
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        if variable and done.returncode == 0:
            self.environment[variable[1]] = done.stdout
        return done

    def run(self, command: str, seconds: int = 150) -> str:
        """What it prints. Raises AssertionError with its words where it fails."""
        done = self.type(command, seconds)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout
