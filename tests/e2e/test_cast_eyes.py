"""Eyes of the cast: what is seen of them in the people's own photos, and that one that is painted over is missed."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from profile_vision import FaceReader
from profile_vision.eyes import CHEEK, EYE_HEIGHT, EYE_WIDTH, SIDES, paler_eye, wanted_of
from profile_vision.faces import Face
from profile_vision.pixels import BGR

PEOPLE = Path(__file__).resolve().parents[2] / "models" / "people"
# Pale eyes and lashes on pale skin; the darkest skin; neither.
NAMES = ["p900055", "p900026", "p900052", "p00060"]


def photos(name: str, faces: FaceReader) -> Iterator[tuple[BGR, Face]]:
    for file in sorted((PEOPLE / name).glob("*.jpg")):
        pixels = cv2.imread(str(file))
        assert pixels is not None
        picture = BGR(pixels.astype(np.uint8))
        found = faces.find(picture)
        assert found, file
        yield picture, found[0]


def painted_over(picture: BGR, face: Face, side: int) -> BGR:
    """The picture with one eye of the cheek's colour, as small models smear one."""
    eye, mouth = SIDES[side]
    apart = float(np.linalg.norm(face.points[0] - face.points[1]))
    x, y = (face.points[eye] + face.points[mouth]) / 2
    reach = CHEEK * apart / 2
    cheek = picture[int(y - reach) : int(y + reach) + 1, int(x - reach) : int(x + reach) + 1]
    smeared = picture.copy()
    centre = (int(face.points[eye][0]), int(face.points[eye][1]))
    axes = (int(EYE_WIDTH * apart), int(1.5 * EYE_HEIGHT * apart))
    colour = [float(value) for value in np.median(cheek.reshape(-1, 3), axis=0)]
    cv2.ellipse(smeared, centre, axes, 0, 0, 360, colour, thickness=-1)
    return smeared


@pytest.mark.parametrize("name", NAMES)
def test_a_persons_own_photos_have_both_eyes_and_a_smear_is_missed(name: str, models: Path) -> None:
    seen = list(photos(name, FaceReader(models / "vision")))
    eyes = [paler_eye(picture, face) for picture, face in seen]
    wanted = wanted_of(eyes)
    # One photo of the cast's palest is in profile: its far eye is not there.
    assert sum(eye >= wanted for eye in eyes) >= len(eyes) - 1
    whole = [(picture, face) for (picture, face), eye in zip(seen, eyes, strict=True) if eye >= wanted]
    smeared = [paler_eye(painted_over(picture, face, side), face) for picture, face in whole for side in (0, 1)]
    assert max(smeared) < wanted
