"""LandmarksReader: joints by MediaPipe's pose landmark network, which OpenCV runs: no torch, no ultralytics.

The network looks at a square around one body and says where 33 joints are. MediaPipe finds the square by a detector of
its own, whose weights OpenCV cannot read; here it is laid around each face that was found, as large as a mean body
wants it. Who shows no face is not seen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .angles import head_angles
from .faces import Face, counted, weights
from .heads import head_of
from .joints import Body, Joints
from .pixels import BGR

WEIGHTS = "pose_landmark_full.tflite"
NETWORK_EDGE = 256
# The network's 33 landmarks and 6 points of its own, each x, y, z, visibility and presence (logits).
LANDMARKS, NUMBERS = 39, 5
# Of these, COCO's 17 in its order.
TO_COCO = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
# The square, in heads: its edge, and how far its middle lies below the eyes. MediaPipe's own, around a whole body, is
# ten; so near, shoulders of portraits are placed finer, and elbows in their picture are still seen. Tuned on the cast.
SQUARE, BELOW_EYES = 7.0, 2.2
# Below this probability there is no body in the square.
BODY_SEEN = 0.5
# A head that is turned further, in degrees, hides its far ear, as in preset poses, and its far eye, as YOLO sees it on
# the cast; the network says where they would be.
EAR_HIDDEN, EYE_HIDDEN = 20.0, 44.0
# COCO's left and right eye, from the face's points, which are finer, and its left and right ear.
EYES, FROM_FACE, EARS = (1, 2), (1, 0), (3, 4)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Square:
    """A square of a picture: its middle and edge in pixels, and how far it is turned clockwise, in radians."""

    x: float
    y: float
    edge: float
    turn: float

    @property
    def to_picture(self) -> Floats:
        """Pixels of the network's picture to pixels of the picture, (2, 3)."""
        scale = self.edge / NETWORK_EDGE
        across, down = scale * np.cos(self.turn), scale * np.sin(self.turn)
        turned = np.array([[across, -down], [down, across]])
        middle = np.array([self.x, self.y]) - turned @ np.full(2, NETWORK_EDGE / 2)
        return np.column_stack([turned, middle])


class LandmarksReader:
    """A `JointsReader`. Not thread-safe, as cv2.dnn is not."""

    def __init__(self, models: Path) -> None:
        """`models`: the folder that holds the weights, whose sha256 must be right. Raises WeightsMissing."""
        # OpenCV 5's new engine gives one of this network's outputs alone, and bytes are read by that engine whatever is
        # asked for: what was checked is written to a file of our own.
        with tempfile.NamedTemporaryFile(suffix=".tflite") as checked:
            checked.write(weights(models, WEIGHTS).tobytes())
            checked.flush()
            self._network = cv2.dnn.readNetFromTFLite(checked.name, cv2.dnn.ENGINE_CLASSIC)

    @property
    def accelerator(self) -> tuple[str, int]:
        """None: it runs on the CPU."""
        return "", 0

    def find(self, image: BGR, faces: Sequence[Face] = ()) -> list[Body]:
        """The people of these faces, the largest first."""
        bodies = (self._body(image, face) for face in (counted(faces) if faces else ()))
        return sorted((body for body in bodies if body is not None), key=lambda body: body.area, reverse=True)

    def _body(self, image: BGR, face: Face) -> Body | None:
        """The body below a face; None where the network sees none."""
        square = square_of(face)
        self._network.setInput(cv2.dnn.blobFromImage(part_of(image, square), 1 / 255, swapRB=True))
        landmarks, seen = (
            np.asarray(out, dtype=np.float64) for out in self._network.forward(["Identity", "Identity_1"])
        )
        score = float(seen.reshape(-1)[0])
        if score < BODY_SEEN:
            return None
        height, width = image.shape[:2]
        yaw = head_angles(face, width, height)[0]
        joints = coco_joints(landmarks.reshape(LANDMARKS, NUMBERS), square, face, yaw)
        return Body(_box(joints, face, width, height), joints, score)


def part_of(image: BGR, square: Square) -> BGR:
    """What the square shows, (NETWORK_EDGE, NETWORK_EDGE, 3); black outside of the picture."""
    # Brought to the network's scale first: warping takes single pixels, however many lie between them.
    scale = min(1.0, NETWORK_EDGE / square.edge)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    part = cv2.warpAffine(small, square.to_picture * scale, (NETWORK_EDGE, NETWORK_EDGE), flags=flags)
    return BGR(part.astype(np.uint8))


def square_of(face: Face) -> Square:
    """Where the network looks for the body of a face; a tilted head's body is looked for below its chin."""
    across = (face.points[1] - face.points[0]).astype(np.float64)
    turn, head = float(np.arctan2(across[1], across[0])), head_of(face)
    x, y = face.points[:2].mean(axis=0).tolist()
    down = BELOW_EYES * head.height
    return Square(x - down * np.sin(turn), y + down * np.cos(turn), SQUARE * head.height, turn)


def coco_joints(landmarks: Floats, square: Square, face: Face, yaw: float) -> Joints:
    """COCO's joints (17, 3) in the picture. `landmarks` (39, 5) in pixels of the network's picture; `yaw` of the head
    in degrees, positive to the picture's right."""
    move = square.to_picture
    places = landmarks[list(TO_COCO), :2] @ move[:, :2].T + move[:, 2]
    # A joint is seen if it is in the square and nothing is before it.
    sure = (1 / (1 + np.exp(-landmarks[list(TO_COCO), 3:5]))).min(axis=1)
    joints = np.column_stack([places, sure]).astype(np.float32)
    joints[list(EYES), :2] = face.points[list(FROM_FACE)]
    for pair, hidden in ((EARS, EAR_HIDDEN), (EYES, EYE_HIDDEN)):
        if abs(yaw) > hidden:
            # Turned to the picture's right, what is at the picture's right is far: the person's left.
            joints[pair[0] if yaw > 0 else pair[1], 2] = 0.0
    return joints


def _box(joints: Joints, face: Face, width: int, height: int) -> tuple[float, float, float, float]:
    """The box around a face and the joints that are seen, within the picture: x, y, width, height."""
    x, y, w, h = face.box
    places = joints[joints[:, 2] >= BODY_SEEN, :2].astype(np.float64)
    corners = np.vstack([places, [[x, y], [x + w, y + h]]])
    left, top = np.clip(corners.min(axis=0), 0, (width, height)).tolist()
    right, bottom = np.clip(corners.max(axis=0), 0, (width, height)).tolist()
    return (left, top, right - left, bottom - top)
