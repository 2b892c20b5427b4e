"""An eye is darker than the cheek below it, wherever the light comes from."""

from __future__ import annotations

import numpy as np
import pytest

from profile_vision.eyes import DARKER, LEAST, MOST, SHARE, darkness, has_both_eyes, paler_eye, wanted_of
from profile_vision.faces import Face
from profile_vision.pixels import BGR

POINTS = np.array([(22, 26), (42, 26), (32, 38), (25, 48), (39, 48)], np.float32)
SKIN, EYE, SMEAR = 170, 40, 150


def portrait(right: int, left: int, *, scale: int = 1, light: tuple[float, float] = (1.0, 1.0)) -> BGR:
    """A face of 64 px times `scale` with an eye of such a grey on each side, in light from the left or the right."""
    picture = np.full((64, 64), SKIN, np.float64)
    for (x, y), grey in zip(POINTS[:2].astype(int), (right, left), strict=True):
        picture[y - 2 : y + 3, x - 3 : x + 4] = grey
    picture[:, :32] *= light[0]
    picture[:, 32:] *= light[1]
    pixels = np.repeat(np.repeat(picture, scale, axis=0), scale, axis=1).astype(np.uint8)
    return BGR(np.repeat(pixels[..., None], 3, axis=2))


def face(scale: int = 1) -> Face:
    return Face(box=(0, 0, 64.0 * scale, 64.0 * scale), points=POINTS * scale, score=1.0)


def test_both_eyes_are_there() -> None:
    assert has_both_eyes(portrait(EYE, EYE), face())
    assert has_both_eyes(portrait(EYE, EYE, scale=8), face(8))


@pytest.mark.parametrize(("right", "left"), [(SMEAR, EYE), (EYE, SMEAR), (SMEAR, SMEAR)])
@pytest.mark.parametrize("scale", [1, 8])
def test_one_that_is_smeared_is_missed(right: int, left: int, scale: int) -> None:
    assert not has_both_eyes(portrait(right, left, scale=scale), face(scale))


def test_light_from_one_side_is_no_lost_eye() -> None:
    right, left = darkness(portrait(EYE, EYE, light=(0.4, 1.0)), POINTS)
    assert min(right, left) > DARKER
    assert right == pytest.approx(left, abs=0.12)
    right, left = darkness(portrait(SMEAR, EYE), POINTS)
    assert right < DARKER < left


def test_a_face_at_the_edge_has_no_eye_beyond_it() -> None:
    outside = POINTS - np.array([60, 0], np.float32)
    assert darkness(portrait(EYE, EYE), outside) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("photos", "wanted"),
    [
        ([0.7, 0.6, 0.8], SHARE * 0.7),
        # Dark eyes: a line of lashes is not yet one.
        ([0.8, 0.81, 0.9], SHARE * 0.81),
        ([0.95, 0.95, 0.95], MOST),
        ([0.5, 0.4, 0.6], SHARE * 0.5),
        # One in profile, and one with a lid down, are not the person.
        ([0.5, -0.7, 0.5, 0.1, 0.6], SHARE * 0.5),
        ([0.1, 0.2, 0.1], LEAST),
        ([0.1, 0.1], DARKER),
        ([], DARKER),
    ],
)
def test_as_much_is_wanted_of_eyes_as_photos_show(photos: list[float], wanted: float) -> None:
    assert wanted_of(photos) == pytest.approx(wanted)


def test_pale_eyes_are_there_where_they_are_the_persons() -> None:
    pale = portrait(SKIN - 55, SKIN - 60)
    assert not has_both_eyes(pale, face())
    assert has_both_eyes(pale, face(), wanted_of([paler_eye(pale, face())] * 3))
    # And a smear is none, whoever it is.
    assert not has_both_eyes(portrait(SMEAR, SKIN - 60), face(), LEAST)
