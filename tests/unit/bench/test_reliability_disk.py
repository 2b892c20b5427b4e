"""The store's disk is filled to the last byte, whatever is left on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).resolve().parents[2] / "support"
# The kernel refuses to write behind this size as it does on a full disk: what fits is written, and then nothing.
PROGRAM = """
import resource, sys
from pathlib import Path
from reliability.stand import fill
size = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
fill(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("room", [3 << 16, (3 << 16) + 61_440, (3 << 16) + 1])
def test_a_disk_is_filled_whatever_room_is_left_behind_the_last_whole_piece(tmp_path: Path, room: int) -> None:
    place = tmp_path / "filling"
    subprocess.run((sys.executable, "-c", PROGRAM, str(place), str(room)), env={"PYTHONPATH": str(SUPPORT)}, check=True)
    assert place.stat().st_size == room
