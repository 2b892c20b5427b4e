"""Plants a mutant in a copy of the sources and runs the tests that may see it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .mutant import ROOT, Mutant

PYTEST = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", "-W", "ignore"]
SECONDS = 240


@dataclass(frozen=True)
class Verdict:
    """What the tests said of a mutant."""

    mutant: Mutant
    killed: bool
    by: str
    tests: int


@dataclass(frozen=True)
class Copy:
    """A copy of the clone's tracked files. They are links: a file is changed by putting another one in its place."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> Copy:
        """Make it anew."""
        shutil.rmtree(root, ignore_errors=True)
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
        for name in filter(None, listed.stdout.split("\0")):
            if not (ROOT / name).is_file():
                continue
            _link(ROOT / name, root / name)
        (root / ".venv").symlink_to(ROOT / ".venv")
        return cls(root)

    @property
    def environment(self) -> dict[str, str]:
        """This copy's packages come before the clone's own."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        folders = [str(self.root / folder) for folder in project["tool"]["hatch"]["build"]["dev-mode-dirs"]]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1"}

    @contextlib.contextmanager
    def with_bug(self, mutant: Mutant) -> Iterator[None]:
        """The bug stands in the copy while the context lasts."""
        path, text = self.root / mutant.file, mutant.mutated(self.root)
        path.unlink()
        path.write_text(text)
        try:
            yield
        finally:
            path.unlink()
            _link(ROOT / mutant.file, path)

    def try_out(self, mutant: Mutant, tests: list[str]) -> Verdict:
        """Whether any of the tests fails with the bug planted."""
        if not tests:
            return Verdict(mutant, killed=False, by="no test reaches it", tests=0)
        listing = self.root / "tests.txt"
        listing.write_text("\n".join(tests))
        with self.with_bug(mutant):
            try:
                done = subprocess.run(
                    [*PYTEST, f"@{listing}"],
                    cwd=self.root,
                    env=self.environment,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=SECONDS,
                )
            except subprocess.TimeoutExpired:
                return Verdict(mutant, killed=True, by=f"no end within {SECONDS} s", tests=len(tests))
        return Verdict(mutant, killed=done.returncode != 0, by=_first_failure(done.stdout), tests=len(tests))


def _link(source: Path, target: Path) -> None:
    """A link where the file system can, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _first_failure(output: str) -> str:
    """The first test that failed, from pytest's short summary; empty where all passed."""
    for line in output.splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            return line.split(" ")[1]
    return ""
