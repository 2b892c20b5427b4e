"""The tone of a picture: the mean colour of skin and background, whoever is in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .faces import Face
from .pixels import BGR, Mask

# Skin is looked for in the middle of the face's box, away from hair and background.
SKIN_SHARE = 0.6
# Mask values below this are background. A background of less than this share of the picture says nothing.
BACKGROUND = 25
LEAST_BACKGROUND = 0.02


@dataclass(frozen=True)
class Colours:
    """Mean L* (0 to 100) and b* (blue below 0, yellow above) of skin and background together."""

    lightness: float
    b: float


def colours(image: BGR, face: Face | None, mask: Mask) -> Colours:
    """The mean of the means of skin and background of a picture; of the whole picture where neither is there.

    `face` was found in it, `mask` is its own.
    """
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2Lab).astype(np.float32)
    parts = [lab[_skin(face, *lab.shape[:2])]] if face else []
    outside = mask < BACKGROUND
    if outside.mean() >= LEAST_BACKGROUND:
        parts.append(lab[outside])
    means = np.mean([part.reshape(-1, 3).mean(axis=0) for part in parts or [lab]], axis=0)
    return Colours(lightness=float(means[0]), b=float(means[2]))


def _skin(face: Face, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of the middle of a face in a picture of this size; a pixel at least."""
    x, y, w, h = face.box
    border = (1 - SKIN_SHARE) / 2
    left, top = int(np.clip(x + border * w, 0, width - 1)), int(np.clip(y + border * h, 0, height - 1))
    right, bottom = int(x + (1 - border) * w), int(y + (1 - border) * h)
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))
