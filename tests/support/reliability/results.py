"""Results: what was tried with the operator as it is, told as docs/reliability.md.

They are kept in a file, so that a run that is cut off goes on.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from profile_sandbox.paths import CLONE

PAGE = CLONE / "docs" / "reliability.md"
KEPT = CLONE / "out" / "reliability" / "results.json"
# What decides how a life goes: another operator has other results.
ROOMS = ("operator/profile_operator", "crds/profile_contract", "runtime/profile_runtime")

CRASHES = "An operator dies"
TWO = "Two operators"
WATCHES = "Watches that are late or lost"
DELETIONS = "Deletions in the middle"
HISTORIES = "Random histories"
OUTAGES = "Outages"
SECTIONS = (CRASHES, TWO, WATCHES, DELETIONS, HISTORIES, OUTAGES)

TEXTS = {
    CRASHES: "The operator's process ends at the n-th thing it does to the outside, for every n of a whole life: once "
    "before it is done, once when it is done and the answer is lost. A new process takes over. The table counts the "
    "points by what was being done.",
    TWO: "Two processes share a Lease. The one that leads dies at such a point, or stands still for longer than its "
    "Lease lasts and then goes on: at every fifth effect.",
    WATCHES: "Every event reaches the operator late; or watches break again and again and all is listed anew. In some "
    "lives the operator dies, too: at every tenth effect.",
    DELETIONS: "Jobs, requests and namespaces are deleted while a stage runs.",
    HISTORIES: "Steps that people and machines take, drawn at random, while the request works. At the end it must be "
    "ready, with nothing begun twice that was not asked for again.",
    OUTAGES: "Something is taken away while a stage runs, and comes back some seconds later.",
}


@dataclass(frozen=True)
class Result:
    """One thing that was tried. `kind` is its line in the table, `case` tells it from others of that line."""

    section: str
    kind: str
    case: str
    fault: str
    seconds: float
    at: str

    @property
    def key(self) -> str:
        return f"{self.section}/{self.case}"


class Results:
    """All results of one version of the operator. Threads may share it."""

    def __init__(self, kept: Path = KEPT) -> None:
        self._kept, self._version, self._lock = kept, version(), threading.Lock()
        rows = json.loads(kept.read_text()) if kept.exists() else {}
        self._results = {row["section"] + "/" + row["case"]: Result(**row) for row in rows.get(self._version, [])}
        self._planned: dict[str, int] = rows.get("planned", {})

    def passed(self, section: str, case: str) -> bool:
        """Whether it was tried before and ended well."""
        result = self._results.get(f"{section}/{case}")
        return result is not None and not result.fault

    def plan(self, sections: Iterable[str]) -> None:
        """How many of each section are to be tried in all: one entry a trial."""
        self._planned |= Counter(sections)

    def add(self, section: str, kind: str, case: str, fault: str, seconds: float) -> None:
        """Note a result and write it down."""
        at = datetime.now(UTC).strftime("%Y-%m-%d")
        result = Result(section, kind, case, fault, round(seconds, 1), at)
        with self._lock:
            self._results[result.key] = result
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            rows = [asdict(kept) for kept in self._results.values()]
            self._kept.write_text(json.dumps({self._version: rows, "planned": self._planned}, indent=1))

    @property
    def faults(self) -> list[Result]:
        """What ended otherwise than it must."""
        return [result for result in self._results.values() if result.fault]

    def write_page(self, page: Path = PAGE) -> None:
        """The page, of all results; a section of which nothing was tried stays as it stands there."""
        standing = sections_of(page.read_text()) if page.exists() else {}
        page.write_text(page_of(self._results.values(), self._planned, standing))


def version() -> str:
    """What stands for the operator's sources as they are committed."""
    command = ["git", "-C", str(CLONE), "rev-parse", *(f"HEAD:{room}" for room in ROOMS)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return "-".join(line[:12] for line in lines)


def commit() -> str:
    """The commit that stands for the sources, shortly."""
    command = ["git", "-C", str(CLONE), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def sections_of(page: str) -> dict[str, str]:
    """The sections of a page by their titles, each with its title's line."""
    parts = ("\n" + page).split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.rstrip()}" for part in parts}


def page_of(results: Iterable[Result], planned: Mapping[str, int], standing: Mapping[str, str]) -> str:
    """The page. `planned`: how many of a section there are in all; `standing`: the sections of the page as it is."""
    by_section: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_section[result.section].append(result)
    lines = [
        "# Reliability",
        "",
        "Written by `make reliability`, each table when its part was tried. Every line was tried with a real API "
        "server, etcd, controller-manager and MinIO, and the operator as a process of its own. The stages' programs "
        "and the predictor are stand-ins: they write what the real ones write, with the same credentials and links. "
        "Pauses between tries are shortened.",
        "",
        "*Ended the same* means, compared with a life that nothing disturbs: the same objects in the store with the "
        "same content, the same status but for times, every Job created once, no training run and no picture drawn "
        "twice, no traceback in the operator's log; and after the request's deletion no object, no Job and no Secret. "
        "Where a line changes what is right (a Job that somebody deletes is created again), the rest must be the same. "
        "What a drawing cost whose answer was lost, and the digests of its pictures, the predictor tells once more.",
        "",
    ]
    for section in SECTIONS:
        if section in by_section:
            lines += _section(section, by_section[section], planned.get(section, 0))
        elif section in standing:
            lines += [standing[section], ""]
    lines += [
        "## Run it",
        "",
        "    make reliability",
        "",
        "It takes an hour on two cores, tells each line as it ends, and goes on where it was cut off as long as the "
        "operator's sources are the same. `make reliability ONLY=crashes` tries one part: crashes, two, watches, "
        "deletions, histories or outages.",
        "",
        "A lost node and an eviction are told as the cluster tells them: there is no kubelet, but a program that says "
        "what one would. The store's disk is filled where whoever runs it may mount one, and Redis stands still where "
        "there is a redis-server.",
        "",
    ]
    return "\n".join(lines)


def _section(section: str, results: list[Result], planned: int) -> list[str]:
    """A section's text and table, and what ended otherwise."""
    kinds: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        kinds[result.kind].append(result)
    text = f"{TEXTS[section]} Tried on {max(result.at for result in results)}, at commit {commit()}."
    lines = [f"## {section}", "", text, "", "| | tried | ended the same |", "|---|---:|---:|"]
    for kind, listed in sorted(kinds.items()):
        lines.append(f"| {kind} | {len(listed)} | {sum(not result.fault for result in listed)} |")
    total = sum(not result.fault for result in results)
    rest = f" of {planned}" if planned > len(results) else ""
    lines += [f"| **all** | **{len(results)}**{rest} | **{total}** |", ""]
    faults = [result for result in results if result.fault]
    if faults:
        lines += ["Ended otherwise:", ""]
        lines += [f"- {result.case}: {_on_one_line(result.fault)[:300]}" for result in faults]
        lines.append("")
    return lines


def _on_one_line(fault: str) -> str:
    """A fault's words for a list of a page: neither lines of a log nor a path of this machine."""
    return " ".join(fault.replace("|", "/").replace(f"{CLONE}/", "").split())
