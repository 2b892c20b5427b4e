"""PNGs of portraits: quickly written, no larger, exactly the picture, and marked as made by a model."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from profile_predictor.engine.engine import Drawn
from profile_sandbox.paths import CLONE
from profile_vision.files import SOURCE_TYPE, png
from profile_vision.pixels import RGB, to_bgr

# What zlib writes first when it does not look far (RFC 1950): method and window, level 0.
QUICK = b"\x78\x01"


@pytest.fixture(scope="module")
def portrait() -> RGB:
    with Image.open(CLONE / "models" / "people" / "p900006" / "00.jpg") as photo:
        return RGB(np.array(photo.convert("RGB").resize((448, 576))))


def data_of(content: bytes) -> bytes:
    """The compressed rows."""
    place, rows = 8, b""
    while place < len(content):
        (size,) = struct.unpack(">I", content[place : place + 4])
        if content[place + 4 : place + 8] == b"IDAT":
            rows += content[place + 8 : place + 8 + size]
        place += size + 12
    return rows


def test_a_portrait_is_written_quickly_and_no_larger(portrait: RGB) -> None:
    content, slow = png(to_bgr(portrait)), io.BytesIO()
    Image.fromarray(portrait).save(slow, "PNG")
    assert data_of(content).startswith(QUICK)
    assert not data_of(slow.getvalue()).startswith(QUICK)
    assert len(data_of(content)) <= 1.01 * len(data_of(slow.getvalue()))
    assert np.array_equal(np.array(Image.open(io.BytesIO(content))), portrait)


def test_a_candidate_says_that_a_model_drew_it(portrait: RGB) -> None:
    content = Drawn(index=0, seed=1, key="", pixels=portrait).png
    assert SOURCE_TYPE.encode() in content
    assert np.array_equal(np.array(Image.open(io.BytesIO(content))), portrait)
