"""Figures that benchmarks measure, and the page that they end on.

A figure that is not measured in a run (PROFILE_BENCH_COLD is unset, or one file alone was run) keeps what an earlier
run on the page said, with that run's date.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from profile_sandbox.paths import CLONE

PAGE = CLONE / "docs" / "benchmarks.md"
# The figures as data, at the end of the page, out of sight.
OPEN, CLOSE = "<!-- figures", "-->"
GIGABYTE = 2**30
# How sections begin, from the whole to the parts.
ORDER = ("Sandbox", "A request", "Many requests", "Ratios", "Adapters")


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

    def add(self, section: str, name: str, value: str, how: str = "", load: float | None = None) -> None:
        """Put a figure on the page, at once: a run that is cut off loses nothing. `load`: where it is not of now."""
        at = datetime.now(UTC).strftime("%Y-%m-%d")
        # What else the machine did: these figures are only as quiet as it was.
        busy = f"{os.getloadavg()[0] if load is None else load:.0f}"
        self._figures[section, name] = Figure(section, name, value, how, at, self._machine, busy)
        self._page.write_text(_page(list(self._figures.values())))


def _earlier(page: Path) -> list[Figure]:
    if not page.exists() or OPEN not in page.read_text():
        return []
    text = page.read_text().split(OPEN, 1)[1].split(CLOSE, 1)[0]
    return [Figure(**row) for row in json.loads(text)]


def _page(figures: list[Figure]) -> str:
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench` and `make bench-scale`: figures of one machine, not promises.",
        "",
    ]
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
    return next((place for place, word in enumerate(ORDER) if section.startswith(word)), len(ORDER))


def _machine() -> str:
    cpu = next(
        (line.split(":", 1)[1].strip() for line in lines_of("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIGABYTE
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores of {cpu}, {memory:.0f} GiB, {system}"


def lines_of(path: str) -> list[str]:
    """A file's lines; none of a file that cannot be read."""
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
