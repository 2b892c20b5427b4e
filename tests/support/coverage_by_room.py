"""python tests/support/coverage_by_room.py FILE: branches that the unit tests take, by package and room.

FILE is what `pytest --cov --cov-branch --cov-report=json:FILE` leaves. What runs in a process of its own (the decoder
of pictures, programs of stages) is not counted.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path, PurePath


def room_of(path: str) -> str:
    """`profile_operator/decide` of a path below it; packages without rooms are one."""
    parts = PurePath(path).parts
    start = next((number for number, part in enumerate(parts) if part.startswith("profile_")), None)
    if start is None:
        return parts[0]
    return "/".join(parts[start : start + 2] if len(parts) > start + 2 else parts[start : start + 1])


def rows(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> list[tuple[str, int, int]]:
    """Room, branches that were taken, branches there are; sorted by room."""
    taken: dict[str, int] = defaultdict(int)
    there: dict[str, int] = defaultdict(int)
    for path, file in report["files"].items():
        room = room_of(path)
        taken[room] += file["summary"]["covered_branches"]
        there[room] += file["summary"]["num_branches"]
    return [(room, taken[room], there[room]) for room in sorted(there) if there[room]]


def main() -> None:
    """Print the table."""
    table = rows(json.loads(Path(sys.argv[1]).read_text()))
    for room, taken, there in [*table, ("all", sum(row[1] for row in table), sum(row[2] for row in table))]:
        print(f"{room:34} {taken:5} of {there:5} branches  {100 * taken / there:5.1f} %")


if __name__ == "__main__":
    main()
