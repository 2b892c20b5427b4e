"""What covers a face: mouths and eyes, in any light and any colour."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from measured_faces import CAST, Pixels, faces_of
from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import PreprocessParameters
from profile_preprocess.covering import HEIGHT, MOUTH_PART, WIDTH, _as_if_lit, covering, shapes
from profile_preprocess.verdicts import Measures, judge
from profile_vision import Face
from profile_vision.pixels import BGR

SKIN, THINGS = "skin", ("skin", (40, 60, 120), (20, 20, 20), (235, 235, 235), (30, 140, 60))


def covered(image: Pixels, face: Face, thing: object) -> Pixels:
    """A patch of one colour before the mouth; 'skin' is that of the cheek beside it."""
    mouth, apart = face.points[3:].mean(axis=0), float(np.linalg.norm(face.points[1] - face.points[0]))
    x, y = int(face.points[2][0] - 0.5 * apart), int(face.points[2][1])
    cheek = np.median(image[y - 6 : y + 6, x - 6 : x + 6].reshape(-1, 3), axis=0)
    colour = tuple(float(value) for value in (cheek if thing == SKIN else np.array(thing)))
    axes = (int(0.95 * apart), int(0.65 * apart))
    return cv2.ellipse(image.copy(), (int(mouth[0]), int(mouth[1])), axes, 0, 0, 360, colour, -1)


def is_covered(image: Pixels, face: Face) -> bool:
    """What the verdict says of a mouth; everything else about the photo is good."""
    told = covering(image, face)
    good = Measures(faces=1, face_height=300, head_inside=1.0, edge_gap=0.5, sharpness=60, light=-0.4)
    measures = replace(good, mouth_covered=told.mouth, mouth_edges=told.mouth_edges)
    return judge(measures, PreprocessParameters()) is PhotoReason.FACE_COVERED


def in_light(image: Pixels, gains: Sequence[float]) -> Pixels:
    return np.clip(image * np.array(gains), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def frontal() -> list[tuple[Pixels, Face]]:
    return [one for person in CAST for one in faces_of(person)]


@pytest.mark.parametrize("gains", [(1, 1, 1), (0.5, 0.8, 1.1), (1.1, 0.7, 0.6), (0.7, 1.0, 0.7)])
def test_a_bare_mouth_is_one_in_any_light(frontal: list[tuple[Pixels, Face]], gains: Sequence[float]) -> None:
    assert np.mean([is_covered(in_light(image, gains), face) for image, face in frontal]) <= 0.02


@pytest.mark.parametrize("thing", THINGS, ids=str)
@pytest.mark.parametrize("grey", [False, True])
def test_a_covered_mouth_is_one_in_any_colour(frontal: list[tuple[Pixels, Face]], thing: object, grey: bool) -> None:
    told = []
    for image, face in frontal[::2]:
        picture = covered(image, face, thing)
        if grey:
            picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        told.append(is_covered(picture, face))
    assert np.mean(told) >= 0.9


@pytest.mark.parametrize(("slope", "direction"), [((1, 0), 0), ((0, 1), 4), ((4, 1), 1)])
def test_a_slope_counts_for_its_own_direction(slope: tuple[int, int], direction: int) -> None:
    """Directions are eighths of a half turn; the third slope is 14 degrees, nearer to the first than to the second."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    levels = (1 + 0.04 * (slope[0] * columns + slope[1] * rows)) ** 2
    face = BGR(np.repeat(np.clip(levels, 0, 255)[..., None], 3, axis=2).astype(np.uint8))
    table = shapes(face, MOUTH_PART).reshape(-1, 4, 8).sum(axis=(0, 1))
    assert int(np.argmax(table)) == direction


def lightness_of(light: float) -> float:
    """CIE L* of a grey of this linear light (CIE 15)."""
    return float(116 * light ** (1 / 3) - 16) if light > (6 / 29) ** 3 else light * (29 / 3) ** 3


@pytest.mark.parametrize("stops", [0.0, 1.0, 2.0, 3.0, 4.0])
def test_less_light_puts_no_sunglasses_on(stops: float) -> None:
    cheeks, eyes = (lightness_of(light * 2**-stops) for light in (0.0442, 0.0112))
    assert _as_if_lit(eyes, cheeks) == pytest.approx(0.405, abs=0.01)
    lenses = lightness_of(0.0009 * 2**-stops)
    assert _as_if_lit(lenses, cheeks) < 0.05


def test_in_enough_light_eyes_are_held_against_cheeks_as_they_are() -> None:
    assert _as_if_lit(30.0, 60.0) == pytest.approx(0.5)
    assert _as_if_lit(4.0, 50.0) == pytest.approx(0.08)
    assert _as_if_lit(0.0, 0.0) == 0.0
