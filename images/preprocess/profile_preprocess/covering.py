"""What may cover a face: sunglasses are darker than the cheeks, a mask has not the colour of the skin above it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_faces import Face

from .decode import Pixels

# Faces are compared upright at this size, with the five points here (as YuNet orders them).
WIDTH, HEIGHT = 160, 200
POINTS = np.array([[50, 70], [110, 70], [80, 105], [58, 135], [102, 135]], dtype=np.float32)

Region = tuple[slice, slice]
EYES: tuple[Region, ...] = (np.s_[60:80, 36:64], np.s_[60:80, 96:124])
CHEEKS: tuple[Region, ...] = (np.s_[95:112, 42:60], np.s_[95:112, 100:118])
# Skin that a mask leaves bare, in one place at least: many reach over the bridge of the nose, hair may lie on the brow.
BARE: tuple[tuple[Region, ...], ...] = ((np.s_[74:90, 70:90],), (np.s_[50:64, 70:90],))
# Upper lip and chin: the mouth itself may be open, painted or in a beard.
LOWER: tuple[Region, ...] = (np.s_[116:126, 60:100], np.s_[146:166, 60:100])


@dataclass(frozen=True)
class Covering:
    """`eyes` is the lightness of the eyes per lightness of the cheeks (sunglasses: below 0.2); `mouth` the distance
    in a*b* between the lower face and the bridge of the nose, or the brow, whichever is farther (a mask: above 25)."""

    eyes: float
    mouth: float


def covering(image: Pixels, face: Face) -> Covering:
    """Measure a face in a BGR picture. Means little for faces turned by more than some 25 degrees:
    one cheek is in the shade then."""
    lab = cv2.cvtColor(_upright(image, face).astype(np.float32) / 255, cv2.COLOR_BGR2Lab).astype(np.float32)
    eyes, cheeks, lower = (_median(lab, regions) for regions in (EYES, CHEEKS, LOWER))
    away = [float(np.hypot(*(lower[1:] - _median(lab, bare)[1:]).tolist())) for bare in BARE]
    return Covering(eyes=float(eyes[0] / max(float(cheeks[0]), 1.0)), mouth=max(away))


def _upright(image: Pixels, face: Face) -> Pixels:
    move = cv2.estimateAffinePartial2D(face.points, POINTS, method=cv2.LMEDS)[0]
    return cv2.warpAffine(image, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)


def _median(lab: NDArray[np.float32], regions: tuple[Region, ...]) -> NDArray[np.float32]:
    pixels = np.concatenate([lab[region].reshape(-1, 3) for region in regions])
    middle: NDArray[np.float32] = np.median(pixels, axis=0).astype(np.float32)
    return middle
