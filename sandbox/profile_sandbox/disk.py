"""Whether the disks have room for what will lie on them: the clone, the user's cache, and Go's two."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Need:
    """What will be written below a folder, which need not exist yet."""

    folder: Path
    megabytes: int
    what: str


@dataclass(frozen=True)
class Disk:
    """A file system: its device's number, and what is free on it."""

    number: int
    free_megabytes: int


@dataclass(frozen=True)
class Shortage:
    """A disk with too little room, and what is to lie on it."""

    free_megabytes: int
    needs: tuple[Need, ...]

    @property
    def megabytes(self) -> int:
        return sum(need.megabytes for need in self.needs)

    @property
    def problem(self) -> str:
        folders = ", ".join(dict.fromkeys(str(need.folder) for need in self.needs))
        return f"{self.free_megabytes} MB free on the disk of {folders}"

    @property
    def advice(self) -> str:
        parts = ", ".join(f"{need.what} {need.megabytes}" for need in self.needs)
        return (
            f"{self.megabytes} MB are needed there ({parts}): free some, or put the caches on a larger disk with "
            "XDG_CACHE_HOME, and Go's with GOCACHE and GOMODCACHE"
        )


def disk_of(folder: Path) -> Disk:
    """The disk on which a folder lies, or would lie."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return Disk(there.stat().st_dev, shutil.disk_usage(there).free // 2**20)


def shortages(needs: Iterable[Need], disk_of: Callable[[Path], Disk] = disk_of) -> list[Shortage]:
    """The disks that cannot hold all that is to lie on them: what lies on the same one adds up."""
    by_disk: dict[int, list[Need]] = {}
    free: dict[int, int] = {}
    for need in needs:
        disk = disk_of(need.folder)
        by_disk.setdefault(disk.number, []).append(need)
        free[disk.number] = disk.free_megabytes
    shorts = (Shortage(free[number], tuple(there)) for number, there in by_disk.items())
    return [short for short in shorts if short.free_megabytes < short.megabytes]
