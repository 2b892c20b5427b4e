"""What mypy must tell: pictures whose colours stand in another order than is asked for."""

from __future__ import annotations

from pathlib import Path

from mypy import api

MIXED_UP = """
from profile_vision.faces import FaceReader
from profile_vision.files import plain_png
from profile_vision.pixels import BGR, RGB, Mask, to_bgr

def right(reader: FaceReader, rgb: RGB, mask: Mask) -> bytes:
    reader.find(to_bgr(rgb))
    return plain_png(mask)

def wrong(reader: FaceReader, rgb: RGB) -> bytes:
    reader.find(rgb)
    return plain_png(rgb)
"""


def test_mypy_tells_one_order_from_the_other(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(MIXED_UP)
    told, _, code = api.run(
        [str(program), "--config-file=", "--follow-imports=silent", f"--cache-dir={tmp_path}/cache"]
    )
    wrong = [line for line in told.splitlines() if "program.py" in line and "error" in line]
    assert code == 1
    assert len(wrong) == 2, told
    assert all('"RGB"; expected "BGR' in line for line in wrong), told
