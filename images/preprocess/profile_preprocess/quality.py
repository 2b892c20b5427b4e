"""What is measured on a face: light, how the head is turned, how much of it is in the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_faces import Face, face_patch

from .decode import Pixels

# L* above which no skin is left.
BURNT = 97.0
# Share of the height of YuNet's box that lies below the chin, or is the chin's own underside.
BELOW_CHIN = 0.08

# A mean head in millimetres: right eye, left eye, nose tip, right and left corner of the mouth (person's own right at
# negative x; y down, z away from the camera). Distances after Farkas, Anthropometry of the Head and Face (1994):
# pupils 63 apart, mouth 50 wide, nose tip 48 below the eyes and 30 in front of them, mouth 68 below.
HEAD_POINTS = np.array([[-31.5, 0, 0], [31.5, 0, 0], [0, 40, -30], [-25, 68, -6], [25, 68, -6]], dtype=np.float64)


def lightness(image: Pixels, face: Face) -> NDArray[np.float32]:
    """CIE L* (0 to 100) of the face's pixels, as one row."""
    patch = face_patch(image, face).astype(np.float32) / 255
    levels: NDArray[np.float32] = cv2.cvtColor(patch, cv2.COLOR_BGR2Lab)[:, :, 0].astype(np.float32).reshape(-1)
    return levels


def head_angles(face: Face, width: int, height: int) -> tuple[float, float, float]:
    """Yaw, pitch and roll of the head in degrees, from the five points and a mean head.

    Yaw is positive when the face looks to the right side of the picture, pitch when it looks down, roll when it is
    tilted clockwise. The focal length is taken as the picture's longer edge, as phones have it.
    """
    focal = float(max(width, height))
    camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    points = face.points.astype(np.float64)
    found, turn, _ = cv2.solvePnP(HEAD_POINTS, points, camera, np.zeros(4), flags=cv2.SOLVEPNP_SQPNP)
    if not found:
        return 0.0, 0.0, roll(face)
    matrix = cv2.Rodrigues(turn)[0]
    forward = matrix @ np.array([0.0, 0.0, -1.0])
    yaw = float(np.degrees(np.arctan2(forward[0], -forward[2])))
    pitch = float(np.degrees(np.arcsin(np.clip(forward[1], -1, 1))))
    return yaw, pitch, roll(face)


def roll(face: Face) -> float:
    """The angle of the line through the eyes against the horizontal, in degrees, clockwise positive."""
    across, down = (face.points[1] - face.points[0]).tolist()
    return float(np.degrees(np.arctan2(down, across)))


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
