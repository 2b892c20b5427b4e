"""A mutant: one small bug, written as what stands in a file and what would stand there instead."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, replace
from pathlib import Path

from . import rooms

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Mutant:
    """A bug: `old` stands exactly once in `file`; with `new` in its place, some test has to fail."""

    id: str
    file: str
    old: str
    new: str
    what: str
    # Where unit tests cannot see it: the test of `make test` that does (a node id, or a file), and why.
    elsewhere: str = ""
    room: str = ""

    def fits(self, root: Path = ROOT) -> bool:
        """Whether it can be planted in the sources as they are."""
        path = root / self.file
        return path.is_file() and path.read_text().count(self.old) == 1 and self.old != self.new

    def mutated(self, root: Path = ROOT) -> str:
        """The file's text with the bug in it. Raises ValueError where it does not fit."""
        if not self.fits(root):
            raise ValueError(f"{self.id}: its old text does not stand exactly once in {self.file}")
        return (root / self.file).read_text().replace(self.old, self.new)

    def lines(self, root: Path = ROOT) -> range:
        """The lines that the bug changes, counted from one."""
        before = (root / self.file).read_text().split(self.old, 1)[0]
        first = before.count("\n") + 1
        return range(first, first + self.old.rstrip("\n").count("\n") + 1)


def all_mutants() -> list[Mutant]:
    """The whole list, each with the name of its room."""
    listed = []
    for module in sorted(info.name for info in pkgutil.iter_modules(rooms.__path__)):
        entries: tuple[tuple[str, ...], ...] = importlib.import_module(f"{rooms.__name__}.{module}").MUTANTS
        listed += [replace(Mutant(*entry), room=module) for entry in entries]
    return listed
