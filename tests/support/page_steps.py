"""A page as a person follows it: its commands, whole and in order, and its YAML between them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"    (.*)")


@dataclass(frozen=True)
class Command:
    """What is typed into a terminal; a loop is one command."""

    text: str


@dataclass(frozen=True)
class Values:
    """A block of YAML."""

    text: str


def steps(page: Path) -> Iterator[Command | Values]:
    """Raises AssertionError for an indented block that ends within a command."""
    pending: list[str] = []
    fence: list[str] | None = None
    language = ""
    for line in page.read_text().splitlines():
        if line.startswith("```"):
            if fence is None:
                fence, language = [], line.removeprefix("```")
                continue
            if language == "yaml":
                yield Values("\n".join(fence) + "\n")
            fence = None
        elif fence is not None:
            fence.append(line)
        elif indented := _LINE.fullmatch(line):
            pending.append(indented[1])
            if _whole("\n".join(pending)):
                yield Command("\n".join(pending))
                pending = []
        else:
            assert not pending, f"{page.name}: this is no whole command: {pending}"
    assert not pending, f"{page.name}: this is no whole command: {pending}"


def commands(page: Path) -> list[str]:
    """The page's commands alone."""
    return [step.text for step in steps(page) if isinstance(step, Command)]


def _whole(text: str) -> bool:
    if text.endswith("\\"):
        return False
    return subprocess.run(["bash", "-n", "-c", text], capture_output=True, check=False).returncode == 0
