"""Control groups of all clones' sandboxes on this machine: `make distclean` asks before it deletes what they run from.

Python's standard library is all that this needs: the environment is gone by then.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from . import cgroups

PREFIX = "profile-sandbox-"


def main() -> int:
    """Removes groups that nothing runs in. Exit code 1, with a sentence, where a sandbox still runs."""
    empty, busy = sorted_groups(cgroups.roots())
    for name in empty:
        cgroups.remove(name)
    if busy:
        print(
            f"Sandboxes of other clones run on this machine ({', '.join(busy)}) from the cache that would be deleted.\n"
            "Run `make clean` in those clones first; nothing was deleted.",
            file=sys.stderr,
        )
        return 1
    return 0


def sorted_groups(roots: Iterable[Path]) -> tuple[list[str], list[str]]:
    """Names of the sandboxes' groups below these mount points: those without any process, and those with one."""
    groups = [group for root in roots for group in root.glob(f"{PREFIX}*") if group.is_dir()]
    busy = {group.name for group in groups if _has_processes(group)}
    return sorted({group.name for group in groups} - busy), sorted(busy)


def _has_processes(group: Path) -> bool:
    for file in (group / "cgroup.procs", *group.rglob("cgroup.procs")):
        try:
            if file.read_text().strip():
                return True
        except FileNotFoundError:  # It went in the meantime.
            continue
    return False


if __name__ == "__main__":
    sys.exit(main())
