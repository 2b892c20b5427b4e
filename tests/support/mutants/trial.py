"""Plants a mutant in a copy of the sources and runs the tests that may see it."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .mutant import ROOT, Mutant
from .reach import FLOORS
from .warm import LATE, Warm

# For all tests of a mutant; one test alone has what `warm` gives it.
SECONDS = 900
# How pytest ends without having run a test: it was asked for one that is not there, or for none.
NOTHING_RAN = (4, 5)


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

    def compile(self) -> None:
        """Compile tests and sources once, while no bug stands here: nothing is written later, and a file that has a bug
        is compiled by whoever imports it."""
        environment = {**self.environment, "PYTHONDONTWRITEBYTECODE": ""}
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *FLOORS]
        subprocess.run(command, cwd=self.root, env=environment, capture_output=True, check=False)

    def take_compiled(self, other: Copy) -> None:
        """What another copy has compiled holds here too: the sources are the same files, of the same age."""
        for made in other.root.rglob("*.pyc"):
            place = made.relative_to(other.root)
            if ".venv" not in place.parts:
                _link(made, self.root / place)

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

    @functools.cached_property
    def warm(self) -> Warm:
        """What runs tests here."""
        return Warm(self.root, self.environment)

    def glance(self, mutant: Mutant, seer: str, near: Sequence[str]) -> Verdict | None:
        """What is soon told: whether the test that saw it the last time (`seer`), or one of these files of tests, sees
        the bug. None: neither does, which is no verdict."""
        with self.with_bug(mutant):
            if seer and (self.root / seer.partition("::")[0]).is_file():
                code, by = self.warm.run([seer], SECONDS)
                # A test that is gone or has another name is no failure: its own name is then missing from what failed.
                if code and by.partition("[")[0] == seer.partition("[")[0]:
                    return Verdict(mutant, killed=True, by=by, tests=1)
            if near:
                code, by = self.warm.run(list(near), SECONDS)
                if code and by:
                    return Verdict(mutant, killed=True, by=by, tests=len(near))
        return None

    def try_out(self, mutant: Mutant, tests: list[str], wider: Sequence[str] = ()) -> Verdict:
        """Whether any of the tests fails with the bug planted. `wider`: files of tests that are asked where none of the
        others sees it."""
        if not tests:
            return Verdict(mutant, killed=False, by="no test reaches it", tests=0)
        with self.with_bug(mutant):
            code, by = self.warm.run(tests, SECONDS)
            if wider and code in (0, *NOTHING_RAN):
                code, by = self.warm.run(list(wider), SECONDS)
        if code in NOTHING_RAN:
            return Verdict(mutant, killed=False, by=f"pytest ran none of its tests ({code})", tests=len(tests))
        if code == LATE:
            # On a busy machine the same tests may be late without any bug.
            late_anyway = self.warm.run([*tests, *wider], SECONDS)[0] == LATE
            late = f"no end within {SECONDS} s" + (", nor without the bug" if late_anyway else "")
            return Verdict(mutant, killed=not late_anyway, by=late, tests=len(tests))
        return Verdict(mutant, killed=code != 0, by=by, tests=len(tests))

    def first_that_fails(self, tests: list[str]) -> str:
        """The first of these tests that fails without any bug, so that it has seen none; empty where all pass. One that
        cannot be run alone is not broken."""
        code, by = self.warm.run(tests, SECONDS)
        return "" if code in (0, *NOTHING_RAN) else by or tests[0]


def _link(source: Path, target: Path) -> None:
    """A link where the file system can, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
