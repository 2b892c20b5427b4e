"""Pose maps: skeletons drawn as OpenPose draws them, which is what pose ControlNets were trained on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_contract.style import POSE_PRESETS

from .framing import Cut, Framing
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
# controlnet_aux draws limbs of 8 pixels at 512; the same share of any edge.
LINE_SHARE = 8 / 512
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
# How far the presets turn the head, in degrees to the picture's right; the shoulders follow by half.
PRESET_YAW = {"frontal": 0.0, "three-quarter-left": -35.0, "three-quarter-right": 35.0}


def pose_map(joints: Joints, cut: Cut) -> RGB:
    """The pose map of a crop, (out_height, out_width, 3), from a photo's joints."""
    moved = joints.copy()
    moved[:, :2] = (joints[:, :2] - np.array([cut.left, cut.top], dtype=np.float32)) * cut.scale
    return draw(moved, cut.out_width, cut.out_height)


def presets(resolution: int, framing: Framing) -> dict[str, RGB]:
    """The pose maps of all presets, square."""
    joints = {name: preset_joints(PRESET_YAW[name], resolution, framing) for name in POSE_PRESETS}
    return {name: draw(pose, resolution, resolution) for name, pose in joints.items()}


def preset_joints(yaw: float, resolution: int, framing: Framing) -> Joints:
    """COCO joints (17, 3) of a mean person, framed as training crops are. `yaw` in degrees to the picture's right."""
    turned = np.concatenate([_turned(BODY[:HEAD_JOINTS], yaw), _turned(BODY[HEAD_JOINTS:], yaw / 2)])
    scale = framing.face * resolution / FACE_HEIGHT
    # The face stays in the middle, wherever the turn moves it.
    middle = np.array([turned[:3, 0].mean(), FACE_BELOW_EYES])
    places = (turned[:, :2] - middle) * scale + np.array([resolution / 2, framing.middle * resolution])
    seen = np.ones(len(places))
    far_ear = 4 if yaw < 0 else 3
    seen[far_ear] = 1.0 if abs(yaw) < 20 else 0.0
    return np.column_stack([places, seen]).astype(np.float32)


def _turned(points: NDArray[np.float64], yaw: float) -> NDArray[np.float64]:
    # cv2.Rodrigues turns about y (down) by the right hand: positive angles bring the face, at negative z, to the left.
    turn = cv2.Rodrigues(np.array([0.0, -np.radians(yaw), 0.0]))[0]
    turned: NDArray[np.float64] = (points - SPINE) @ turn.T + SPINE
    return turned


def draw(joints: Joints, width: int, height: int) -> RGB:
    """Draw joints as an OpenPose skeleton on black, (height, width, 3)."""
    points, seen = openpose_joints(joints)
    canvas = RGB(np.zeros((height, width, 3), dtype=np.uint8))
    thickness = max(2, round(LINE_SHARE * max(width, height)))
    for (start, end), colour in zip(LIMBS, COLOURS, strict=False):
        if seen[start] and seen[end]:
            dimmed = tuple(int(LIMB_BRIGHTNESS * value) for value in colour)
            cv2.line(canvas, _place(points[start]), _place(points[end]), dimmed, thickness, cv2.LINE_AA)
    for point, colour in zip(points[seen], np.array(COLOURS)[seen].tolist(), strict=True):
        cv2.circle(canvas, _place(point), max(1, thickness // 2), colour, -1, cv2.LINE_AA)
    return canvas


def openpose_joints(joints: Joints) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """OpenPose's 18 joints (18, 2) and which of them are seen; the neck is half way between the shoulders."""
    points = joints[list(FROM_COCO), :2].copy()
    seen = joints[list(FROM_COCO), 2] >= JOINT_SEEN
    shoulders = joints[list(COCO_SHOULDERS)]
    points[NECK] = shoulders[:, :2].mean(axis=0)
    seen[NECK] = bool((shoulders[:, 2] >= JOINT_SEEN).all())
    return points, seen


def _place(point: NDArray[np.float32]) -> tuple[int, int]:
    x, y = point.tolist()
    return round(x), round(y)
