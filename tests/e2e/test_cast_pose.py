"""The pose that a finished cut is said to have, against the truth about the cast."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from finishing import finisher
from profile_contract.layouts import LAYOUTS, LayoutName
from profile_contract.stages.finish import FinishParameters
from profile_finish.checklist import MOST_TURN
from profile_runtime.store.folder import FolderStore
from profile_vision import FaceReader, MaskReader
from profile_vision.pixels import BGR
from profile_vision.windows import cut, window_for

PEOPLE = Path(__file__).resolve().parents[2] / "models" / "people"
# Degrees of the head to the camera.
FRONTAL, TURNED, FARTHEST = 10.0, 20.0, 35.0


@dataclass(frozen=True)
class Shot:
    """A photo of the cast and how far its head is turned, in degrees to the picture's right."""

    file: Path
    turn: float


def shots() -> Iterator[Shot]:
    for labels in sorted(PEOPLE.glob("*/labels.jsonl")):
        for label in map(json.loads, labels.read_text().splitlines()):
            name = label.get("file", f"{label.get('k', 0):02d}.jpg")
            yield Shot(labels.parent / name, label["yaw"] + label.get("body", 0.0))


# A student card is cut as an employee card is.
@pytest.mark.parametrize("layout", [LayoutName.EMPLOYEE_CARD, LayoutName.ID_SIZE])
def test_who_faces_the_camera_is_said_to(layout: LayoutName, models: Path, store: FolderStore) -> None:
    parameters = FinishParameters(portraits=1, minimum_likeness=0, layouts=[layout])
    faces, mask = FaceReader(models / "vision"), MaskReader(models / "vision")
    portraits = finisher(store, faces, parameters)
    frontal, turned = [], []
    for shot in shots():
        if abs(shot.turn) >= FRONTAL and not TURNED <= abs(shot.turn) <= FARTHEST:
            continue
        pixels = cv2.imread(str(shot.file))
        assert pixels is not None
        image = BGR(pixels.astype(np.uint8))
        head = portraits._head(image)
        assert head is not None
        pixels = cut(image, window_for(LAYOUTS[layout], head, image, mask.read(image)), LAYOUTS[layout])
        face = next(iter(faces.find(pixels)), None)
        assert face is not None
        pose = portraits._pose(pixels, face)
        if abs(shot.turn) < FRONTAL:
            frontal.append(abs(pose.turn) > MOST_TURN)
        else:
            assert pose.turn * shot.turn > 0, f"{shot.file}: to the wrong side"
            turned.append(abs(pose.turn) > MOST_TURN)
    assert len(frontal) >= 30
    # One of these is turned by 9.9 degrees.
    assert sum(frontal) <= 2
    assert len(turned) >= 15
    assert sum(turned) >= len(turned) - 1
