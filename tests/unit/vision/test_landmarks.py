"""Joints by MediaPipe's network: where it looks for a body, what its numbers become, and that it needs no torch."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from measured_faces import PEOPLE, face_at
from profile_contract.stages.preprocess import JointsNetwork
from profile_models.folders import models_folder
from profile_preprocess.look import Networks
from profile_vision import Face
from profile_vision.heads import head_of
from profile_vision.landmarks import (
    BELOW_EYES,
    LANDMARKS,
    NETWORK_EDGE,
    NUMBERS,
    SQUARE,
    LandmarksReader,
    Square,
    coco_joints,
    part_of,
    square_of,
)
from profile_vision.people import PeopleReader
from profile_vision.pixels import BGR
from profile_vision.poses import JOINT_SEEN

PROGRAM = """
import sys
sys.modules.update(dict.fromkeys(("torch", "ultralytics")))
import cv2
from pathlib import Path
from profile_contract.stages.preprocess import JointsNetwork
from profile_preprocess.look import Networks
networks = Networks.load(Path(sys.argv[1]), JointsNetwork.MEDIAPIPE)
image = cv2.imread(sys.argv[2])
(body,) = networks.people.find(image, networks.faces.find(image))
print(*body.joints[[5, 6]].ravel().tolist(), body.score)
"""


def turned(face: Face, degrees: float) -> Face:
    """The face turned clockwise about the middle between its eyes."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = face.points[:2].mean(axis=0)
    return Face(face.box, ((face.points - middle) @ turn.T + middle).astype(np.float32), face.score)


def test_a_body_is_looked_for_below_the_chin_and_as_large_as_bodies_are() -> None:
    face = face_at(100, 80, 120, 140)
    head, square = head_of(face), square_of(face)
    assert square.edge == pytest.approx(SQUARE * head.height)
    assert (square.x, square.y) == pytest.approx((160, head.eyes + BELOW_EYES * head.height))
    tilted = square_of(turned(face, 30))
    assert tilted.turn == pytest.approx(np.radians(30))
    # A head that is tilted clockwise has its chin at the picture's left.
    assert tilted.x < square.x - 0.4 * SQUARE
    assert tilted.y < square.y


def test_the_middle_of_the_square_is_the_middle_of_the_networks_picture() -> None:
    square = Square(300.0, 200.0, 512.0, 0.5)
    middle = np.append(np.full(2, NETWORK_EDGE / 2), 1.0)
    assert square.to_picture @ middle == pytest.approx((300, 200))
    corner = np.linalg.norm(square.to_picture @ np.array([0.0, 0.0, 1.0]) - [300, 200])
    assert corner == pytest.approx(512 / np.sqrt(2))


def test_a_square_shows_what_lies_in_it_and_black_beyond() -> None:
    picture = np.zeros((400, 400, 3), np.uint8)
    picture[180:220, 280:320] = 255
    part = part_of(BGR(picture), Square(300.0, 200.0, 512.0, 0.0))
    assert part.shape == (NETWORK_EDGE, NETWORK_EDGE, 3)
    assert part[128, 128].tolist() == [255, 255, 255]
    rows, columns = np.nonzero(part[:, :, 0] > 127)
    assert (rows.min(), rows.max()) == pytest.approx((118, 137), abs=1)
    assert (columns.min(), columns.max()) == pytest.approx((118, 137), abs=1)


def landmarks(visible: float = 5.0, present: float = 5.0) -> np.ndarray:
    rows = np.zeros((LANDMARKS, NUMBERS))
    rows[:, 0] = np.arange(LANDMARKS)
    rows[:, 3], rows[:, 4] = visible, present
    return rows


def test_joints_are_cocos_in_the_picture() -> None:
    square, face = Square(128.0, 128.0, 256.0, 0.0), face_at(10, 10, 100, 100)
    joints = coco_joints(landmarks(), square, face, 0.0)
    # Nose, ears, shoulders, elbows, wrists, hips, knees, ankles of the network's thirty-three.
    others = [0, *range(3, 17)]
    assert joints[others, 0].tolist() == [0, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
    assert joints[[1, 2], :2].tolist() == [face.points[1].tolist(), face.points[0].tolist()]
    assert (joints[:, 2] > 0.99).all()


@pytest.mark.parametrize(("visible", "present"), [(-5.0, 5.0), (5.0, -5.0)])
def test_a_joint_that_is_hidden_or_outside_is_not_seen(visible: float, present: float) -> None:
    joints = coco_joints(landmarks(visible, present), Square(0, 0, 256, 0.0), face_at(0, 0, 9, 9), 0.0)
    assert (joints[:, 2] < JOINT_SEEN).all()


@pytest.mark.parametrize(("yaw", "hidden"), [(30.0, [3]), (-30.0, [4]), (15.0, []), (50.0, [1, 3]), (-50.0, [2, 4])])
def test_a_turned_head_hides_its_far_ear_and_further_its_far_eye(yaw: float, hidden: list[int]) -> None:
    joints = coco_joints(landmarks(), Square(0, 0, 256, 0.0), face_at(0, 0, 9, 9), yaw)
    assert np.nonzero(joints[:, 2] < JOINT_SEEN)[0].tolist() == hidden


def test_without_a_face_nobody_is_seen() -> None:
    assert LandmarksReader(models_folder() / "vision").find(BGR(np.zeros((300, 300, 3), np.uint8))) == []


def test_the_setting_says_which_network_finds_joints() -> None:
    vision = models_folder() / "vision"
    assert isinstance(Networks.load(vision, JointsNetwork.MEDIAPIPE).people, LandmarksReader)
    assert LandmarksReader(vision).accelerator == ("", 0)


def test_it_needs_neither_torch_nor_ultralytics_and_agrees_with_yolo(tmp_path: Path) -> None:
    photo, vision = PEOPLE / "p900026" / "07.jpg", models_folder() / "vision"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(vision), str(photo)], capture_output=True, text=True, check=True
    )
    *numbers, score = map(float, done.stdout.split())
    shoulders = np.array(numbers).reshape(2, 3)
    assert score > 0.9
    image = cv2.imread(str(photo))
    assert image is not None
    theirs = PeopleReader(vision).find(BGR(image.astype(np.uint8)))[0].joints[[5, 6]]
    apart = np.hypot(*(shoulders[:, :2] - theirs[:, :2]).T)
    assert (apart < 0.25 * 250).all()
