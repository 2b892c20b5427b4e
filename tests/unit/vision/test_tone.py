"""The tone of a picture, with and without a face and a background."""

from __future__ import annotations

import numpy as np
import pytest

from profile_vision import Face
from profile_vision.pixels import BGR, Mask
from profile_vision.tone import colours

# CIE L* and b* of the two colours (sRGB, D65).
YELLOW, YELLOW_LAB = (0, 255, 255), (97.14, 94.48)
BLUE, BLUE_LAB = (255, 0, 0), (32.30, -107.86)
FACE = Face(box=(20.0, 20.0, 20.0, 20.0), points=np.zeros((5, 2), np.float32), score=0.9)


def picture() -> BGR:
    """A blue wall, and a yellow face in the middle of it whose edges are grey, as hair is."""
    image = np.full((60, 60, 3), BLUE, np.uint8)
    image[20:40, 20:40] = 128
    image[24:36, 24:36] = YELLOW
    return BGR(image)


def mask(inside: slice) -> Mask:
    person = np.zeros((60, 60), np.uint8)
    person[inside, inside] = 255
    return Mask(person)


def test_skin_and_background_count_alike_however_large_they_are() -> None:
    seen = colours(picture(), FACE, mask(slice(20, 40)))
    assert seen.lightness == pytest.approx((YELLOW_LAB[0] + BLUE_LAB[0]) / 2, abs=0.1)
    assert seen.b == pytest.approx((YELLOW_LAB[1] + BLUE_LAB[1]) / 2, abs=0.1)


def test_a_picture_that_the_person_fills_has_no_background() -> None:
    seen = colours(picture(), FACE, mask(slice(0, 60)))
    assert (seen.lightness, seen.b) == pytest.approx(YELLOW_LAB, abs=0.1)


def test_without_a_face_the_background_tells_and_without_both_the_whole_picture() -> None:
    seen = colours(picture(), None, mask(slice(20, 40)))
    assert (seen.lightness, seen.b) == pytest.approx(BLUE_LAB, abs=0.1)
    plain = BGR(np.full((60, 60, 3), YELLOW, np.uint8))
    assert colours(plain, None, mask(slice(0, 60))).b == pytest.approx(YELLOW_LAB[1], abs=0.1)


def test_a_face_at_the_edge_has_a_pixel_of_skin_at_least() -> None:
    beyond = Face(box=(59.0, 59.0, 30.0, 30.0), points=FACE.points, score=0.9)
    assert np.isfinite(colours(picture(), beyond, mask(slice(0, 60))).b)
