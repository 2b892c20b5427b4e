"""Compares the readers of joints on the cast: `python -m profile_workshop.joints` in a clone's root prints the table.

Distances in heights of the head. Of eyes and nose the renders tell the truth; of the other joints nobody does, and the
readers are compared with each other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_models.folders import models_folder
from profile_vision import FaceReader
from profile_vision.heads import head_of
from profile_vision.joints import Joints
from profile_vision.landmarks import LandmarksReader
from profile_vision.people import PeopleReader
from profile_vision.pixels import BGR
from profile_vision.poses import JOINT_SEEN

from .coverings import PEOPLE

NAMES = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow",
    "right elbow",
)  # fmt: skip
HEAD = """\
| joint | seen by both | by YOLO alone | by MediaPipe alone | apart: median, 90 % | YOLO to the truth | MediaPipe |
|---|---:|---:|---:|---:|---:|---:|"""
# COCO's nose and eyes in the order of the truth: right eye, left eye, nose.
TRUE_POINTS = {0: 2, 1: 1, 2: 0}
FEWEST = 5


@dataclass(frozen=True)
class ReadPhoto:
    """What two readers say of a photo, COCO's joints in heads, and the true points where they are known."""

    yolo: Joints
    mediapipe: Joints
    size: tuple[float, float]
    truth: NDArray[np.float64] | None


def main() -> None:
    """Print the table."""
    photos = list(filter(None, (_read(*place) for place in _photos(PEOPLE))))
    print(f"{len(photos)} photos\n\n{HEAD}")
    for joint, name in enumerate(NAMES):
        print(row(joint, name, photos))


def row(joint: int, name: str, photos: list[ReadPhoto]) -> str:
    """A joint's line of the table."""
    seen = np.array(
        [(_seen(photo.yolo, joint, photo.size), _seen(photo.mediapipe, joint, photo.size)) for photo in photos]
    )
    apart = [
        _distance(photo.yolo[joint], photo.mediapipe[joint])
        for photo, both in zip(photos, seen, strict=True)
        if both.all()
    ]
    counts = (int(seen.all(axis=1).sum()), int((seen[:, 0] & ~seen[:, 1]).sum()), int((~seen[:, 0] & seen[:, 1]).sum()))
    errors = [
        _errors(joint, [(getattr(photo, reader), photo.truth) for photo in photos]) for reader in ("yolo", "mediapipe")
    ]
    return "| " + " | ".join([name, *map(str, counts), _spread(apart), *map(_spread, errors)]) + " |"


def _errors(joint: int, photos: list[tuple[Joints, NDArray[np.float64] | None]]) -> list[float]:
    if joint not in TRUE_POINTS:
        return []
    return [_distance(joints[joint], truth[TRUE_POINTS[joint]]) for joints, truth in photos if truth is not None]


def _spread(values: list[float]) -> str:
    if len(values) < FEWEST:
        return ""
    return f"{np.median(values):.3f}, {np.percentile(values, 90):.3f}"


def _distance(place: NDArray[Any], other: NDArray[Any]) -> float:
    return float(np.hypot(*(place[:2] - other[:2])))


def _seen(joints: Joints, joint: int, size: tuple[float, float]) -> bool:
    x, y, sure = joints[joint].tolist()
    return sure >= JOINT_SEEN and 0 <= x < size[0] and 0 <= y < size[1]


def _photos(people: Path) -> list[tuple[Path, dict[str, Any]]]:
    labels = sorted(people.glob("*/labels.jsonl"))
    return [
        (file.parent / f"{number:02d}.jpg", json.loads(line))
        for file in labels
        for number, line in enumerate(file.read_text().splitlines())
    ]


def _read(file: Path, truth: dict[str, Any]) -> ReadPhoto | None:
    """What the readers say; None where one of them sees nobody."""
    vision = models_folder() / "vision"
    faces, yolo, mediapipe = _readers(vision)
    image = BGR(np.asarray(cv2.imread(str(file)), np.uint8))
    seen = faces.find(image)
    bodies = (yolo.find(image), mediapipe.find(image, seen))
    if not seen or not all(bodies):
        return None
    scale = np.float32(1 / head_of(seen[0]).height)
    in_heads = [body[0].joints * np.array([scale, scale, 1], np.float32) for body in bodies]
    height, width = image.shape[:2]
    points = np.array(truth["landmarks"], dtype=np.float64) * float(scale) if "landmarks" in truth else None
    return ReadPhoto(in_heads[0], in_heads[1], (width * float(scale), height * float(scale)), points)


@cache
def _readers(vision: Path) -> tuple[FaceReader, PeopleReader, LandmarksReader]:
    return FaceReader(vision), PeopleReader(vision), LandmarksReader(vision)


if __name__ == "__main__":
    main()
