"""The command `doctor`: what this machine is, what it lacks for the sandbox, and what to do about it.

What a cluster lacks, `kubectl profile doctor` says.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from profile_sandbox import cgroups, doctor, go
from profile_sandbox.disk import disk_of
from profile_sandbox.paths import CLONE, cache_root

from .terminal import Terminal

FACT_COLUMNS = ("this machine", "is")
FINDING_COLUMNS = ("what is missing", "what to do")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    command = commands.add_parser(
        "doctor", help="check this machine for the demo and the tests, and say what to do", description=__doc__
    )
    command.set_defaults(run=run)


def run(_: argparse.Namespace, terminal: Terminal) -> int:
    """Exit code 1 where something is missing. No host, address or home is named: it may be pasted into an issue."""
    terminal.table("Profile Studio", FACT_COLUMNS, list(facts(os.environ).items()))
    findings = doctor.examine()
    if not findings:
        terminal.plain("Nothing is missing for the demo.")
        return 0
    terminal.table(
        "Missing", FINDING_COLUMNS, [(without_home(item.problem), without_home(item.advice)) for item in findings]
    )
    terminal.plain(doctor.ELSEWHERE)
    return 1


def facts(environment: Mapping[str, str]) -> dict[str, str]:
    """What whoever helps would ask first."""
    toolchain = go.ask()
    groups = cgroups.hierarchies()
    return {
        "Profile Studio": metadata.version("profile-studio"),
        "system": f"{system_name()}, Linux {platform.release()}, {platform.machine()}",
        "Python": platform.python_version(),
        "Go": (toolchain.version or "does not tell its version") if toolchain else "not there",
        "control groups": f"version {2 if groups[0][1] else 1}" if groups else "not there",
        "user": "root" if os.geteuid() == 0 else "not root",
        "processors": str(os.cpu_count()),
        "memory available": f"{doctor.available_memory()} MB",
        "disk free, clone": f"{disk_of(CLONE).free_megabytes} MB",
        "disk free, cache": f"{disk_of(cache_root()).free_megabytes} MB",
        "GPU": "a driver is there" if shutil.which("nvidia-smi") else "no driver",
        "KUBECONFIG": "set" if environment.get("KUBECONFIG") else "not set",
    }


def system_name(file: Path = Path("/etc/os-release")) -> str:
    """The distribution's name and version, as it says itself."""
    if not file.is_file():
        return "an unknown distribution"
    words = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    return words.get("PRETTY_NAME", "an unknown distribution").strip('"')


def without_home(text: str) -> str:
    """A folder's name often holds a person's."""
    return text.replace(str(Path.home()), "~")
