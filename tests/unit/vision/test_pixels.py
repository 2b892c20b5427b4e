"""Orders of colours: what a picture looks like in each. That mypy tells a mix-up is seen in tests/packaging."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from profile_runtime.store.folder import FolderStore
from profile_vision.files import Unreadable, plain_png, read_mask, read_picture
from profile_vision.pixels import BGR, RGB, Mask, to_bgr, to_rgb

RED = RGB(np.full((2, 3, 3), (255, 0, 0), np.uint8))


def test_a_picture_changes_its_order_and_nothing_else() -> None:
    assert to_bgr(RED)[0, 0].tolist() == [0, 0, 255]
    assert (to_rgb(to_bgr(RED)) == RED).all()
    assert to_bgr(RED).flags["C_CONTIGUOUS"]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.write("red.png", plain_png(to_bgr(RED)))
    assert (read_picture(store, "red.png") == to_bgr(RED)).all()
    mask = Mask(np.array([[0, 255], [128, 3]], np.uint8))
    store.write("mask.png", plain_png(mask))
    assert (read_mask(store, "mask.png") == mask).all()
    store.write("words.png", b"no picture")
    with pytest.raises(Unreadable):
        read_mask(store, "words.png")


def test_opencv_and_pillow_see_the_same_picture() -> None:
    decoded = cv2.imdecode(np.frombuffer(plain_png(to_bgr(RED)), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert (to_rgb(BGR(decoded.astype(np.uint8))) == RED).all()
