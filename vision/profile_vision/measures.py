"""What is measured on a face's pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .faces import Face
from .pixels import BGR

# The face is brought to this width before sharpness is measured, so that a close-up and a half-length compare.
SHARPNESS_WIDTH = 112
# Width of the second blur, from the paper.
BLUR_WIDTH = 9


def sharpness(image: BGR, face: Face, width: int = SHARPNESS_WIDTH) -> float:
    """Sharpness of the face at 112 pixels width, 0 to 100: one minus the blur effect, the worse of both directions.

    The blur effect (Crété-Roffet, Dolmiere, Ladret and Nicolas, 2007) is how little a picture changes when it is
    blurred again; unlike the variance of the Laplacian it hardly depends on what is in the picture.
    """
    patch = face_patch(image, face)
    if patch.shape[1] > width:
        height = max(1, round(patch.shape[0] * width / patch.shape[1]))
        patch = BGR(cv2.resize(patch, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8))
    grey = cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY).astype(np.float64)
    return 100 * (1 - max(_blur_effect(grey, axis) for axis in (0, 1)))


def _blur_effect(grey: NDArray[np.float64], axis: int) -> float:
    kernel = (1, BLUR_WIDTH) if axis == 0 else (BLUR_WIDTH, 1)
    change = np.abs(np.diff(grey, axis=axis))
    change_when_blurred = np.abs(np.diff(cv2.blur(grey, kernel).astype(np.float64), axis=axis))
    total = float(change.sum())
    return float(total - np.maximum(0, change - change_when_blurred).sum()) / total if total else 1.0


def face_patch(image: BGR, face: Face) -> BGR:
    """The face's box cut to the picture; at least one pixel."""
    height, width = image.shape[:2]
    x, y, w, h = face.box
    left, top = int(np.clip(x, 0, width - 1)), int(np.clip(y, 0, height - 1))
    right, bottom = int(np.clip(x + w, left + 1, width)), int(np.clip(y + h, top + 1, height))
    return BGR(image[top:bottom, left:right])
