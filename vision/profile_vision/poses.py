"""Pose maps: skeletons drawn as OpenPose draws them, which is what pose ControlNets were trained on.

A detector tells nothing of what lies outside a picture, so no ControlNet has seen a limb that leaves it: a limb with an
end outside is left out.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_contract.framing import FACE_IN_HEAD, Skeleton
from profile_contract.generation import POSE_LINE
from profile_contract.style import POSE_PRESETS

from .framing import Framing
from .joints import Joints
from .pixels import RGB

# OpenPose's 18 joints in terms of COCO's 17; 1 is the neck, which COCO has not.
NECK = 1
FROM_COCO = (0, NECK, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
COCO_SHOULDERS = (5, 6)
# Limbs between OpenPose joints and the rainbow they are drawn in (RGB), as in CMU's OpenPose and controlnet_aux.
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10),
    (1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85),
    (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255),
    (255, 0, 170), (255, 0, 85),
)  # fmt: skip
LIMB_BRIGHTNESS = 0.6
# YOLO guesses where a hidden joint would be; below this confidence it is not drawn.
JOINT_SEEN = 0.4

# Head and trunk of a mean adult in millimetres in COCO's order, from between the eyes: x to the person's left
# (the picture's right), y down, z away from the camera. After the 50th percentiles of ANSUR II (2012).
BODY = np.array(
    [
        [0, 40, -30], [31, 0, 0], [-31, 0, 0], [72, 20, 95], [-72, 20, 95],
        [185, 265, 75], [-185, 265, 75], [230, 560, 85], [-230, 560, 85], [250, 790, 40], [-250, 790, 40],
        [120, 760, 80], [-120, 760, 80], [120, 1200, 80], [-120, 1200, 80], [120, 1600, 90], [-120, 1600, 90],
    ],
    dtype=np.float64,
)  # fmt: skip
HEAD_JOINTS = 5
# The head turns about the spine.
SPINE = np.array([0.0, 0.0, 85.0])
# YuNet's box of that head, hairline to chin, and the distance of its middle below the eyes.
FACE_HEIGHT, FACE_BELOW_EYES = 180.0, 22.0
HEAD_HEIGHT = FACE_HEIGHT / FACE_IN_HEAD
# How far the presets turn the head, in degrees to the picture's right; the shoulders follow by half.
PRESET_YAW = {"frontal": 0.0, "three-quarter-left": -35.0, "three-quarter-right": 35.0}


def pose_map(skeleton: Skeleton, width: int, height: int, line: int = POSE_LINE) -> RGB:
    """A skeleton relative to a picture as OpenPose draws it on black, (height, width, 3).

    `line`: width of the limbs in thousandths of the longer edge, as the ControlNet was trained with; at least 2 pixels.
    """
    canvas = RGB(np.zeros((height, width, 3), dtype=np.uint8))
    thickness = max(2, round(line * max(width, height) / 1000))
    places = [_place(joint, width, height) for joint in skeleton]
    for (start, end), colour in zip(LIMBS, COLOURS, strict=False):
        begins, ends = places[start], places[end]
        if begins is not None and ends is not None:
            dimmed = tuple(int(LIMB_BRIGHTNESS * value) for value in colour)
            cv2.line(canvas, begins, ends, dimmed, thickness, cv2.LINE_AA)
    for place, colour in zip(places, COLOURS, strict=True):
        if place is not None:
            cv2.circle(canvas, place, max(1, thickness // 2), colour, -1, cv2.LINE_AA)
    return canvas


def _place(joint: tuple[float, float] | None, width: int, height: int) -> tuple[int, int] | None:
    """The pixel of a joint, or None where it is not seen in the picture."""
    if joint is None or not (0 <= joint[0] < 1 and 0 <= joint[1] < 1):
        return None
    return round(joint[0] * width), round(joint[1] * height)


def draw(joints: Joints, width: int, height: int, line: int = POSE_LINE) -> RGB:
    """The pose map of COCO's joints, in pixels of the picture."""
    return pose_map(skeleton_of(joints, width, height), width, height, line)


def skeleton_of(joints: Joints, width: int, height: int) -> Skeleton:
    """COCO's joints (17, 3) in pixels of a picture as a skeleton relative to it: None outside it, where readers put
    what they guess."""
    points, seen = openpose_joints(joints)
    points /= np.array([width, height], dtype=np.float32)
    return _skeleton(points, seen & ((points >= 0) & (points < 1)).all(axis=1))


def openpose_joints(joints: Joints) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """OpenPose's 18 joints (18, 2) and which of them are seen; the neck is half way between the shoulders, and seen
    with both alone."""
    points = joints[list(FROM_COCO), :2].copy()
    seen = joints[list(FROM_COCO), 2] >= JOINT_SEEN
    shoulders = joints[list(COCO_SHOULDERS)]
    points[NECK] = shoulders[:, :2].mean(axis=0)
    seen[NECK] = bool((shoulders[:, 2] >= JOINT_SEEN).all())
    return points, seen


def _skeleton(points: NDArray[np.float32], seen: NDArray[np.bool_]) -> Skeleton:
    return tuple(
        (round(float(x), 5), round(float(y), 5)) if there else None for (x, y), there in zip(points, seen, strict=True)
    )


def presets() -> dict[str, Skeleton]:
    """The presets by name, relative to the head."""
    return {name: preset(PRESET_YAW[name]) for name in POSE_PRESETS}


def preset(yaw: float) -> Skeleton:
    """A mean person whose head is turned by so many degrees to the picture's right, relative to the head."""
    points, seen = openpose_joints(_mean_person(yaw))
    return _skeleton(points / np.float32(HEAD_HEIGHT), seen)


def _mean_person(yaw: float) -> Joints:
    """COCO joints (17, 3) of a mean person in millimetres, the origin between the eyes; the face stays in the middle,
    wherever the turn moves it."""
    turned = np.concatenate([_turned(BODY[:HEAD_JOINTS], yaw), _turned(BODY[HEAD_JOINTS:], yaw / 2)])
    turned[:, 0] -= turned[:3, 0].mean()
    seen = np.ones(len(turned))
    far_ear = 4 if yaw < 0 else 3
    seen[far_ear] = 1.0 if abs(yaw) < 20 else 0.0
    return np.column_stack([turned[:, :2], seen]).astype(np.float32)


def preset_joints(yaw: float, resolution: int, framing: Framing) -> Joints:
    """COCO joints (17, 3) of a mean person, framed as training crops are. `yaw` in degrees to the picture's right."""
    joints = _mean_person(yaw)
    scale = framing.face * resolution / FACE_HEIGHT
    middle = np.array([0.0, FACE_BELOW_EYES])
    joints[:, :2] = (joints[:, :2] - middle) * scale + np.array([resolution / 2, framing.middle * resolution])
    return joints


def _turned(points: NDArray[np.float64], yaw: float) -> NDArray[np.float64]:
    # cv2.Rodrigues turns about y (down) by the right hand: positive angles bring the face, at negative z, to the left.
    turn = cv2.Rodrigues(np.array([0.0, -np.radians(yaw), 0.0]))[0]
    turned: NDArray[np.float64] = (points - SPINE) @ turn.T + SPINE
    return turned
