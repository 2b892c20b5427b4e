"""How much memory a sandbox takes."""

from __future__ import annotations

from pathlib import Path

from . import process


def resident_megabytes(pid: int) -> int:
    """Memory of all processes in the namespaces of the outer process `pid`: proportional set sizes, shared pages
    once."""
    namespace = Path(f"/proc/{process.inner(pid)}/ns/pid").readlink()
    folders = [folder for folder in Path("/proc").glob("[0-9]*") if _is_inside(folder, namespace)]
    return sum(_proportional(folder) for folder in folders) // 1024


def _is_inside(folder: Path, namespace: Path) -> bool:
    """Whether a process is in the namespace or, as containers are, in one below it: then an ancestor is."""
    try:
        if (folder / "ns" / "pid").readlink() == namespace:
            return True
        parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return False
    return parent != "0" and _is_inside(folder.parent / parent, namespace)


def _proportional(folder: Path) -> int:
    try:
        lines = (folder / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
