"""Faces whose place in a picture is known: of rendered people, and made up."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from profile_vision import Face

PEOPLE = Path(__file__).resolve().parents[2] / "models" / "people"
CAST = sorted(folder.name for folder in PEOPLE.iterdir() if (folder / "bad").is_dir())
# Degrees to either side.
FRONTAL = 25.0
Pixels = Any


def face_at(x: float, y: float, width: float, height: float, score: float = 0.9) -> Face:
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.78], [0.65, 0.78]], dtype=np.float32)
    placed = points * np.array([width, height], np.float32) + np.array([x, y], np.float32)
    return Face((x, y, width, height), placed, score)


def faces_of(person: str) -> list[tuple[Pixels, Face]]:
    """A person's photos from the front, and the face that is known to be there."""
    labels = [json.loads(line) for line in (PEOPLE / person / "labels.jsonl").read_text().splitlines()]
    chosen = []
    for number, label in enumerate(labels):
        if "landmarks" in label and abs(label["yaw"] + label["body"]) <= FRONTAL:
            points = np.array(label["landmarks"], dtype=np.float32)
            x, y, width, height = label["head_box"]
            image = cv2.imread(str(PEOPLE / person / f"{number:02d}.jpg"))
            chosen.append((image, Face((x, y, width, height), points, 0.9)))
    return chosen
