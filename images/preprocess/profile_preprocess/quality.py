"""What is measured on a face: its light, and how much of the head is in the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_vision import Face, face_patch
from profile_vision.pixels import BGR

# L* above which no skin is left.
BURNT = 97.0
# Share of the height of YuNet's box that lies below the chin, or is the chin's own underside.
BELOW_CHIN = 0.08


def lightness(image: BGR, face: Face) -> NDArray[np.float32]:
    """CIE L* (0 to 100) of the face's pixels, as one row."""
    patch = face_patch(image, face).astype(np.float32) / 255
    levels: NDArray[np.float32] = cv2.cvtColor(patch, cv2.COLOR_BGR2Lab)[:, :, 0].astype(np.float32).reshape(-1)
    return levels


def head_inside(face: Face, width: int, height: int) -> float:
    """The share of the head's box (face, plus forehead and crown) that lies inside the picture, 0 to 1.

    YuNet's box ends at the hairline; the eyes are half way between chin and crown, which puts the crown about a
    quarter of the box's height above it.
    """
    x, y, w, h = face.box
    left, top, right, bottom = x, y - 0.25 * h, x + w, y + h
    across = max(0.0, min(right, width) - max(left, 0.0))
    down = max(0.0, min(bottom, height) - max(top, 0.0))
    return across * down / max((right - left) * (bottom - top), 1.0)


def edge_gap(face: Face, width: int, height: int) -> float:
    """Distance of the face's box to the nearest edge of the picture, per width of the box; below 0 it is cut.

    The box reaches a little below the chin: that strip may be missing.
    """
    x, y, w, h = face.box
    return min(x, y, width - x - w, height - y - (1 - BELOW_CHIN) * h) / max(w, 1.0)
