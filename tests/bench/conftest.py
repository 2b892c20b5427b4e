"""Figures that the benchmarks measure, and the page that they end on. Nothing here asserts a time.

A figure that is not measured in a run (PROFILE_BENCH_COLD is unset, or one file alone was run) keeps what an earlier
run on the page said, with that run's date.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from profile_sandbox import Sandbox
from profile_sandbox.paths import CLONE

PAGE = CLONE / "docs" / "benchmarks.md"
# The figures as data, at the end of the page, out of sight.
OPEN, CLOSE = "<!-- figures", "-->"
COMMAND = "make bench"
GIGABYTE = 2**30

ProcessTree = Callable[[Sandbox], list[int]]
Compare = Callable[..., "Comparison"]


@dataclass(frozen=True)
class Figure:
    """One line of the page. `how` says what was measured, or how it compares."""

    section: str
    name: str
    value: str
    how: str
    at: str
    machine: str
    load: str = ""


class Figures:
    """Collects figures; the page holds each under its section, in the order of their first appearance."""

    def __init__(self, page: Path) -> None:
        self._page, self._machine = page, _machine()
        self._figures = {(one.section, one.name): one for one in _earlier(page)}

    def add(self, section: str, name: str, value: str, how: str = "") -> None:
        """Put a figure on the page, at once: a run that is cut off loses nothing."""
        at = datetime.now(UTC).strftime("%Y-%m-%d")
        # What else the machine did: these figures are only as quiet as it was.
        load = f"{os.getloadavg()[0]:.0f}"
        self._figures[section, name] = Figure(section, name, value, how, at, self._machine, load)
        self._page.write_text(_page(list(self._figures.values())))


def _earlier(page: Path) -> list[Figure]:
    if not page.exists() or OPEN not in page.read_text():
        return []
    text = page.read_text().split(OPEN, 1)[1].split(CLOSE, 1)[0]
    return [Figure(**row) for row in json.loads(text)]


def _page(figures: list[Figure]) -> str:
    lines = ["# Benchmarks", "", f"Written by `{COMMAND}`: figures of one machine, not promises.", ""]
    lines += ["Load: how many processes wanted the cores in that minute, the measured ones among them.", ""]
    for section in sorted(dict.fromkeys(one.section for one in figures), key=_place):
        lines += [f"## {section}", "", "| | | how | load | date |", "|---|---:|---|---:|---|"]
        lines += [f"| {f.name} | {f.value} | {f.how} | {f.load} | {f.at} |" for f in figures if f.section == section]
        lines.append("")
    lines += ["## Machines", ""]
    lines += [f"- {machine}" for machine in dict.fromkeys(one.machine for one in figures)]
    rows = ",\n".join(json.dumps(asdict(one), ensure_ascii=False) for one in figures)
    return "\n".join([*lines, "", f"{OPEN}\n[{rows}]\n{CLOSE}", ""])


def _place(section: str) -> int:
    """From the whole to the parts."""
    return next((place for place, word in enumerate(("Sandbox", "A request", "Ratios")) if section.startswith(word)), 9)


def _machine() -> str:
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIGABYTE
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores of {cpu}, {memory:.0f} GiB, {system}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


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
            if folder.name.isdigit() and (fields := _lines(f"{folder}/stat")):
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
