"""Pose maps: OpenPose's joints from COCO's, presets that face where their names say."""

import numpy as np
import pytest

from profile_contract.framing import head_in, placed, room_for
from profile_contract.layouts import LayoutName
from profile_contract.style import POSE_PRESETS
from profile_preprocess.captions import caption
from profile_vision.framing import Cut, Framing
from profile_vision.poses import (
    PRESET_YAW,
    draw,
    openpose_joints,
    pose_map,
    preset_joints,
    presets,
    skeleton_of,
)

NOSE, LEFT_EYE, RIGHT_EYE, LEFT_EAR, RIGHT_EAR, LEFT_SHOULDER, RIGHT_SHOULDER = range(7)
SHOULDERS = Framing(0.4)


def test_the_neck_is_between_the_shoulders_and_only_seen_with_both() -> None:
    joints = preset_joints(0.0, 512, SHOULDERS)
    points, seen = openpose_joints(joints)
    assert points[1] == pytest.approx(joints[[LEFT_SHOULDER, RIGHT_SHOULDER], :2].mean(axis=0))
    assert seen[1]
    joints[LEFT_SHOULDER, 2] = 0.1
    assert not openpose_joints(joints)[1][1]


def test_presets_face_where_their_names_say() -> None:
    for name in POSE_PRESETS:
        joints = preset_joints(PRESET_YAW[name], 512, SHOULDERS)
        aside = float(joints[NOSE, 0] - joints[[LEFT_EYE, RIGHT_EYE], 0].mean())
        expected = {"frontal": 0, "three-quarter-left": -1, "three-quarter-right": 1}[name]
        assert np.sign(round(aside)) == expected
    left = preset_joints(-35.0, 512, SHOULDERS)
    # Who looks to the picture's left shows the ear on the picture's right: his own left.
    assert left[LEFT_EAR, 2] == 1
    assert left[RIGHT_EAR, 2] == 0


def test_joints_that_are_not_seen_are_not_drawn() -> None:
    joints = preset_joints(0.0, 256, SHOULDERS)
    joints[:, 2] = 0.0
    assert not draw(joints, 256, 256).any()


def test_joints_in_pixels_become_shares_of_the_picture() -> None:
    joints = np.zeros((17, 3), dtype=np.float32)
    joints[NOSE], joints[LEFT_EYE] = (300, 200, 1), (100, 400, 1)
    skeleton = skeleton_of(joints, 400, 800)
    assert skeleton[0] == (0.75, 0.25)
    assert [joint for joint in skeleton if joint] == [(0.75, 0.25), (0.25, 0.5)]
    # A reader puts what it guesses upon the edge.
    joints[NOSE, 0] = 400
    assert skeleton_of(joints, 400, 800)[0] is None


def test_joints_of_a_photo_follow_its_cut() -> None:
    joints = np.zeros((17, 3), dtype=np.float32)
    joints[NOSE] = (300, 200, 1)
    cut = Cut(left=100, top=100, width=400, height=400, out_width=200, out_height=200)
    assert cut.joints(joints)[NOSE].tolist() == [100, 50, 1]
    assert joints[NOSE].tolist() == [300, 200, 1]


@pytest.mark.parametrize("size", [(128, 128), (896, 1152), (1152, 896)])
@pytest.mark.parametrize("layout", LayoutName)
@pytest.mark.parametrize("name", POSE_PRESETS)
def test_a_preset_stands_where_the_head_is_to_be(name: str, layout: LayoutName, size: tuple[int, int]) -> None:
    head = head_in(room_for([layout], 40), *size)
    skeleton = placed(presets()[name], head, *size)
    pixels = pose_map(skeleton, *size)
    assert pixels.shape == (size[1], size[0], 3)
    # The head in the upper part, the neck inside; the shoulders too, where they are not wider than a narrow cut.
    nose, neck = skeleton[0], skeleton[1]
    assert nose is not None
    assert neck is not None
    assert nose[1] < 0.56
    assert nose[1] < neck[1] < 0.96
    if layout is LayoutName.SQUARE:
        assert all(joint is not None and 0 < joint[0] < 1 for joint in (skeleton[2], skeleton[5]))
    rows, columns = np.nonzero(pixels.any(axis=2))
    line = max(2, 0.016 * max(size))
    # The eyes are the highest joints, but for an ear; the lowest are the shoulders.
    assert rows.min() == pytest.approx(head.eyes, abs=0.15 * head.height)
    assert rows.max() < size[1]
    assert (columns.min() + columns.max()) / 2 == pytest.approx(head.middle, abs=0.25 * head.height + line)


def test_a_limb_that_leaves_the_picture_is_left_out() -> None:
    skeleton: list[tuple[float, float] | None] = [None] * 18
    skeleton[1], skeleton[8] = (0.5, 0.9), (0.45, 1.6)
    rows, columns = np.nonzero(pose_map(tuple(skeleton), 100, 200).any(axis=2))
    assert (rows.min(), rows.max()) == pytest.approx((180, 180), abs=3)
    assert (columns.min(), columns.max()) == pytest.approx((50, 50), abs=3)


@pytest.mark.parametrize(("line", "size", "pixels"), [(21, (896, 1152), 24), (16, (512, 512), 8), (16, (128, 128), 2)])
def test_limbs_are_as_wide_as_the_controlnet_was_trained_with(line: int, size: tuple[int, int], pixels: int) -> None:
    skeleton: list[tuple[float, float] | None] = [None] * 18
    skeleton[1], skeleton[2] = (0.1, 0.5), (0.9, 0.5)
    canvas = pose_map(tuple(skeleton), *size, line)
    assert np.count_nonzero(canvas[:, size[0] // 2].max(axis=1) > 70) == pytest.approx(pixels, abs=1)


def test_captions_name_framing_and_direction() -> None:
    assert caption(3.0, 0.4) == "a photo of {subject}, head and shoulders, facing the camera"
    assert caption(-30.0, 0.6) == "a photo of {subject}, close-up portrait, turned slightly to the left"
    assert caption(45.0, 0.4) == "a photo of {subject}, head and shoulders, turned to the right"
