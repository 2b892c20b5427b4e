"""How much light reached the camera: a property of the photo, never of who is in it."""

from __future__ import annotations

import cv2
import numpy as np

from profile_vision.pixels import BGR

# BGR of the copy's longer edge: single hot pixels of the sensor fall out.
EDGE = 320
# Somewhere in nearly every photo is something white or shining: cloth, teeth, an eye, a lamp, the sky.
LIGHTEST = 99.9
DARKEST = -12.0


def exposure(image: BGR) -> float:
    """How far the lightest places of a picture are below white, in stops (0 to -12).

    The strongest channel counts, so that coloured light is as bright as white light.
    """
    scale = min(1.0, EDGE / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    level = float(np.percentile(small.max(axis=2), LIGHTEST)) / 255
    linear = level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4
    return max(float(np.log2(max(linear, 1e-9))), DARKEST)


def clipped(face: BGR) -> float:
    """The share of a face's pixels in which a channel is at its end: what was there is lost."""
    return float(((face >= 254) | (face <= 1)).any(axis=2).mean())
