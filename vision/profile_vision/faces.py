"""YuNet finds faces and their five points, SFace turns a face into an identity embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_runtime.weights import WeightsError, read_vision

from .likeness import Embedding
from .pixels import BGR, Pixels

DETECTOR = "yunet.onnx"
EMBEDDER = "sface.onnx"

# YuNet's own demo takes 0.9; rendered and half-turned faces score lower, and a false face is seen by its embedding.
MINIMUM_SCORE = 0.7
# Two boxes that overlap by more than this are one face (the model's published setting).
OVERLAP = 0.3
# YuNet was trained on faces of about 10 to 300 pixels: pictures are brought between these edges before detection,
# and looked at again smaller (a face that fills the frame) and larger (a face far away) if nothing was found.
SMALLEST_EDGE = 320
LARGEST_EDGE = 640
SECOND_LOOKS = (320, 1280)
# A second face counts if it is at least this share of the first one's height: detectors see faces in folds of cloth.
SECOND_FACE = 0.35


class WeightsMissing(Exception):
    """A weights file is not where it should be, or not the expected one; the message says which, and what to do."""


@dataclass(frozen=True)
class Face:
    """A face in pixels of the picture it was found in.

    `box` is x, y, width, height. `points` (5, 2) are right eye, left eye, nose, right and left corner of the mouth,
    right and left being the person's own. `score` is the detector's, 0 to 1.
    """

    box: tuple[float, float, float, float]
    points: NDArray[np.float32]
    score: float

    @property
    def area(self) -> float:
        """Box area in square pixels."""
        return self.box[2] * self.box[3]


def weights(models: Path, name: str) -> Pixels:
    """The bytes of a network, those whose sha256 was checked: what is loaded cannot change in between.

    Raises WeightsMissing.
    """
    try:
        return np.frombuffer(read_vision(models, name), np.uint8)
    except WeightsError as error:
        raise WeightsMissing(str(error)) from error


class FaceReader:
    """Finds faces and reads identities. Not thread-safe, as cv2.dnn is not: one reader per thread."""

    def __init__(self, models: Path) -> None:
        """Loads `yunet.onnx` and `sface.onnx` from the folder, once their sha256 is right. Raises WeightsMissing."""
        detector, embedder = weights(models, DETECTOR), weights(models, EMBEDDER)
        nothing = np.empty(0, np.uint8)
        # The engine is left at its default: YuNet fails on OpenCV 5's classic one.
        self._detector = cv2.FaceDetectorYN.create(
            "onnx", detector, nothing, (SMALLEST_EDGE, SMALLEST_EDGE), MINIMUM_SCORE, OVERLAP
        )
        # FaceRecognizerSF aligns, but its feature() fails on the quantised SFace in OpenCV 5: the net is run directly.
        self._aligner = cv2.FaceRecognizerSF.create("onnx", embedder, nothing)
        self._embedder = cv2.dnn.readNetFromONNX(embedder)

    def find(self, image: BGR) -> list[Face]:
        """Faces in a picture of any size, the largest first; empty if there is none."""
        longest = max(image.shape[:2])
        first = min(max(longest, SMALLEST_EDGE), LARGEST_EDGE)
        faces = self._find_at(image, first)
        for edge in SECOND_LOOKS:
            if not faces and edge != first and edge <= max(longest, SMALLEST_EDGE):
                faces = self._find_at(image, edge)
        return sorted(faces, key=lambda face: face.area, reverse=True)

    def glance(self, image: BGR) -> float:
        """The score of the largest face that one quick look at a small copy finds, 0 to 1; 0 if it finds none."""
        faces = self._find_at(image, SMALLEST_EDGE)
        return max(faces, key=lambda face: face.area).score if faces else 0.0

    def aligned(self, image: BGR, face: Face) -> BGR:
        """A face that `find` found in this picture, brought to SFace's place and size: (112, 112, 3)."""
        row = np.concatenate([face.box, face.points.reshape(-1), [face.score]]).astype(np.float32)
        return BGR(self._aligner.alignCrop(image, row).astype(np.uint8))

    def embed(self, image: BGR, face: Face) -> Embedding:
        """The identity of a face that `find` found in this picture: (128,), length 1."""
        aligned = self.aligned(image, face)
        # SFace was trained on RGB values of 0 to 255 without scaling.
        self._embedder.setInput(cv2.dnn.blobFromImage(aligned, 1.0, (112, 112), swapRB=True), "data")
        raw = np.asarray(self._embedder.forward(), dtype=np.float32).reshape(-1)
        unit: Embedding = raw / max(float(np.linalg.norm(raw)), 1e-9)
        return unit

    def _find_at(self, image: BGR, edge: int) -> list[Face]:
        """Faces in pixels of the picture, looked for in a copy whose longer edge has so many."""
        height, width = image.shape[:2]
        scale = edge / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        scaled = cv2.resize(image, size, interpolation=way) if size != (width, height) else image
        self._detector.setInputSize(size)
        rows = cast("NDArray[np.float32] | None", self._detector.detect(scaled)[1])
        if rows is None:
            return []
        return [_face(row, width / size[0], height / size[1]) for row in rows]


def counted(faces: Sequence[Face]) -> list[Face]:
    """Those of a picture's faces that count, the largest first, as they were found."""
    return [face for face in faces if face.box[3] >= SECOND_FACE * faces[0].box[3]]


def _face(row: NDArray[np.float32], across: float, down: float) -> Face:
    x, y, width, height = (float(value) for value in row[:4])
    points = row[4:14].reshape(5, 2).astype(np.float32) * np.array([across, down], dtype=np.float32)
    return Face(box=(x * across, y * down, width * across, height * down), points=points, score=float(row[14]))
