"""The control group below which a sandbox's pods are accounted: one for each sandbox, so that two do not meet."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
REMOVE_TRIES = 20
# Version 1 weighs a group against each single process beside it: at the usual 1024, all pods together would get no more
# than one other busy process of the machine.
CPU_SHARES = 8192
CPU_WEIGHT = 800


def hierarchies(mounts: Path = MOUNTS) -> list[tuple[Path, bool]]:
    """Mount points of the control group file systems that carry controllers; True for version 2."""
    rows = [line.split() for line in mounts.read_text().splitlines()]
    first = [(Path(row[1]), False) for row in rows if row[2] == "cgroup"]
    if first:
        return first
    return [(Path(row[1]), True) for row in rows if row[2] == "cgroup2"]


def create(name: str) -> None:
    """Make the group in every hierarchy."""
    for root, second in hierarchies():
        group = root / name
        group.mkdir(exist_ok=True)
        if second:
            for parent in (root, group):
                controllers = (parent / "cgroup.controllers").read_text().split()
                (parent / "cgroup.subtree_control").write_text(" ".join(f"+{item}" for item in controllers))
            (group / "cpu.weight").write_text(str(CPU_WEIGHT))
            continue
        if (group / "cpu.shares").exists():
            (group / "cpu.shares").write_text(str(CPU_SHARES))
        # A version 1 cpuset starts empty, and then no process may enter.
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if (group / setting).exists():
                (group / setting).write_text((root / setting).read_text())


def roots(mounts: Path = MOUNTS) -> list[Path]:
    """Every control group file system: beside version 1's, the kubelet makes groups in version 2's as well."""
    rows = [line.split() for line in mounts.read_text().splitlines()]
    return [Path(row[1]) for row in rows if row[2] in ("cgroup", "cgroup2")]


def remove(name: str) -> None:
    """Remove the group and everything below it. Its processes have to be gone; the kernel may lag a moment behind."""
    for root in roots():
        group = root / name
        for _attempt in range(REMOVE_TRIES):
            if not group.exists():
                break
            for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.1)


def leftovers(name: str) -> list[Path]:
    """The groups of that name that stand."""
    return [root / name for root in roots() if (root / name).exists()]
