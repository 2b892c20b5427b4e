"""How a head is turned, from a face's five points."""

from __future__ import annotations

import cv2
import numpy as np

from .faces import Face

# A mean head in millimetres: right eye, left eye, nose tip, right and left corner of the mouth (person's own right at
# negative x; y down, z away from the camera). Distances after Farkas, Anthropometry of the Head and Face (1994):
# pupils 63 apart, mouth 50 wide, nose tip 48 below the eyes and 30 in front of them, mouth 68 below.
HEAD_POINTS = np.array([[-31.5, 0, 0], [31.5, 0, 0], [0, 40, -30], [-25, 68, -6], [25, 68, -6]], dtype=np.float64)


def head_angles(face: Face, width: int, height: int) -> tuple[float, float, float]:
    """Yaw, pitch and roll of the head in degrees, from the five points and a mean head.

    Yaw is positive when the face looks to the right side of the picture, pitch when it looks down, roll when it is
    tilted clockwise. The focal length is taken as the picture's longer edge, as phones have it.
    """
    focal = float(max(width, height))
    camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    points = face.points.astype(np.float64)
    solved, turn, _ = cv2.solvePnP(HEAD_POINTS, points, camera, np.zeros(4), flags=cv2.SOLVEPNP_SQPNP)
    if not solved:
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
