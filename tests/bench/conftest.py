"""What the benchmarks measure with. Nothing here asserts a time."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from figures import PAGE, Figures, lines_of
from profile_sandbox import Sandbox

ProcessTree = Callable[[Sandbox], list[int]]
Compare = Callable[..., "Comparison"]


@pytest.fixture(scope="session")
def figures() -> Figures:
    """The page's figures."""
    return Figures(PAGE)


@dataclass(frozen=True)
class Comparison:
    """CPU seconds of two ways (medians), and the ratio second / first in each round: its quartiles."""

    first: float
    second: float
    low: float
    ratio: float
    high: float

    def __str__(self) -> str:
        return f"{self.ratio:.2f} ({self.low:.2f} to {self.high:.2f})"


@pytest.fixture(scope="session")
def compare() -> Compare:
    """compare(first, second, rounds=15): both ways in turn, after one round that warms up.

    CPU time and turns, for wall time of one after the other tells what else the machine did meanwhile.
    """

    def seconds(call: Callable[[], object]) -> float:
        begin = time.process_time()
        call()
        return time.process_time() - begin

    def measure(first: Callable[[], object], second: Callable[[], object], rounds: int = 15) -> Comparison:
        taken = [(seconds(first), seconds(second)) for _ in range(rounds + 1)][1:]
        low, ratio, high = statistics.quantiles([two / one for one, two in taken], n=4)
        ones, twos = zip(*taken, strict=True)
        return Comparison(statistics.median(ones), statistics.median(twos), low, ratio, high)

    return measure


@pytest.fixture(scope="session")
def process_tree() -> ProcessTree:
    """process_tree(sandbox): the ids of all its processes, those in pods too."""

    def tree(sandbox: Sandbox) -> list[int]:
        children: dict[int, list[int]] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and (fields := lines_of(f"{folder}/stat")):
                parent = int(fields[0].rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
        found = [int(json.loads(sandbox.state.record.read_text())["pid"])]
        for pid in found:
            found += children.get(pid, [])
        return found

    return tree


@pytest.fixture(scope="session")
def fresh_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of the benchmarks' own, down at first: the one that developers use is left alone."""
    sandbox = Sandbox(tmp_path_factory.mktemp("bench") / "sandbox", print)
    yield sandbox
    sandbox.down()
