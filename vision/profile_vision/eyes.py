"""Whether both eyes are there: small models close one, or smear it into the cheek.

An eye is darker than the cheek below it, in any light: its place is compared with that cheek alone. By how much is the
person's own matter: pale eyes and lashes on pale skin are hardly darker than a smear. So a person's photos say what is
to be seen of their eyes.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from .faces import Face
from .pixels import BGR

# Of the cheek's lightness (L*): an eye's darkest tenth is at least so much darker, where a person's photos say nothing
# else. Found by eye on 56 portraits, of which those below it had lost an eye or closed one.
DARKER = 0.4
# Of what is seen of the paler eye in a person's middling photo: of half of the cast it is .65 or more, and .6 of that
# is DARKER; of pale eyes it is .5, and of dark ones under black lashes, which leave a dark line where they are closed,
# .8. What is less than LEAST is a smear, whoever it is; portraits are softer than photos, and MOST is enough.
SHARE, LEAST, MOST = 0.6, 0.25, 0.5
# Of fewer photos none is middling.
FEWEST_PHOTOS = 3
# In distances between the eyes.
EYE_WIDTH, EYE_HEIGHT, CHEEK = 0.32, 0.24, 0.24
# Photos are made as small as portraits before they are compared with them: faces of so many pixels.
FACE_HEIGHT = 64
# Points of a face: right and left eye with the corner of the mouth below each.
SIDES = ((0, 3), (1, 4))


def has_both_eyes(picture: BGR, face: Face, wanted: float = DARKER) -> bool:
    """Whether both eyes are darker than their cheeks by as much as is `wanted` of the person (`wanted_of`)."""
    return paler_eye(picture, face) >= wanted


def wanted_of(photos: Iterable[float]) -> float:
    """By how much both eyes of a person are to be darker than their cheeks, by `paler_eye` of the person's photos."""
    seen = list(photos)
    if len(seen) < FEWEST_PHOTOS:
        return DARKER
    return min(MOST, max(LEAST, SHARE * float(np.median(seen))))


def paler_eye(picture: BGR, face: Face) -> float:
    """By how much of its cheek's lightness the eye is darker that is so the least; pictures larger than portraits are
    made as small first."""
    scale = min(1.0, FACE_HEIGHT / face.box[3])
    small = picture
    if scale < 1:
        small = BGR(np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8))
    return min(darkness(small, face.points * scale))


def darkness(picture: BGR, points: NDArray[np.float32]) -> tuple[float, float]:
    """By how much of its cheek's lightness each eye is darker: right and left, at most 1."""
    lightness = np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)[..., 0], np.float32)
    apart = max(1.0, float(np.linalg.norm(points[0] - points[1])))

    def darker(eye: int, mouth: int) -> float:
        seen = _around(lightness, points[eye], EYE_WIDTH * apart, EYE_HEIGHT * apart)
        cheek = _around(lightness, (points[eye] + points[mouth]) / 2, CHEEK * apart, CHEEK * apart)
        if not seen.size or not cheek.size:
            return 0.0
        skin = max(1.0, float(np.median(cheek)))
        return (skin - float(np.percentile(seen, 10))) / skin

    right, left = (darker(eye, mouth) for eye, mouth in SIDES)
    return right, left


def _around(
    lightness: NDArray[np.float32], middle: NDArray[np.float32], width: float, height: float
) -> NDArray[np.float32]:
    """The pixels of a rectangle, as far as the picture goes."""
    x, y = (float(value) for value in middle)
    rows = slice(max(0, int(y - height / 2)), max(0, int(np.ceil(y + height / 2)) + 1))
    columns = slice(max(0, int(x - width / 2)), max(0, int(np.ceil(x + width / 2)) + 1))
    return lightness[rows, columns]
