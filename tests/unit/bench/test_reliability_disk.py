"""The store's disk is filled to the last byte, whatever is left on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SUPPORT = Path(__file__).resolve().parents[2] / "support"
# The kernel refuses to write behind this size as it does on a full disk: what fits is written, and then nothing.
# One program for all sizes, since it imports for a second and more.
PROGRAM = """
import resource, sys
from pathlib import Path
from reliability.stand import fill
most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for size in map(int, sys.argv[2:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    fill(Path(sys.argv[1]) / str(size))
"""
ROOMS = (3 << 16, (3 << 16) + 61_440, (3 << 16) + 1)


def test_a_disk_is_filled_whatever_room_is_left_behind_the_last_whole_piece(tmp_path: Path) -> None:
    rooms = [str(room) for room in ROOMS]
    subprocess.run((sys.executable, "-c", PROGRAM, tmp_path, *rooms), env={"PYTHONPATH": str(SUPPORT)}, check=True)
    assert {int(place.name): place.stat().st_size for place in tmp_path.iterdir()} == {room: room for room in ROOMS}
