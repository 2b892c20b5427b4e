"""Pose maps: OpenPose's joints from COCO's, presets that face where their names say."""

import numpy as np
import pytest

from profile_contract.style import POSE_PRESETS
from profile_preprocess.captions import caption
from profile_vision.framing import Cut, Framing
from profile_vision.poses import PRESET_YAW, draw, openpose_joints, pose_map, preset_joints, presets

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


@pytest.mark.parametrize("resolution", [128, 512, 1024])
def test_every_preset_is_drawn_in_colour_on_black(resolution: int) -> None:
    maps = presets(resolution, SHOULDERS)
    assert set(maps) == set(POSE_PRESETS)
    for pixels in maps.values():
        assert pixels.shape == (resolution, resolution, 3)
        drawn = pixels.any(axis=2).mean()
        assert 0.01 < drawn < 0.2
    assert (maps["three-quarter-left"] != maps["three-quarter-right"]).any()


def test_joints_that_are_not_seen_are_not_drawn() -> None:
    joints = preset_joints(0.0, 256, SHOULDERS)
    joints[:, 2] = 0.0
    assert not draw(joints, 256, 256).any()


def test_the_pose_map_follows_the_cut() -> None:
    joints = np.zeros((17, 3), dtype=np.float32)
    joints[NOSE] = (300, 200, 1)
    cut = Cut(left=100, top=100, width=400, height=400, out_width=200, out_height=200)
    rows, columns = np.nonzero(pose_map(joints, cut).any(axis=2))
    assert columns.mean() == pytest.approx(100, abs=1)
    assert rows.mean() == pytest.approx(50, abs=1)


def test_captions_name_framing_and_direction() -> None:
    assert caption(3.0, 0.4) == "a photo of {subject}, head and shoulders, facing the camera"
    assert caption(-30.0, 0.6) == "a photo of {subject}, close-up portrait, turned slightly to the left"
    assert caption(45.0, 0.4) == "a photo of {subject}, head and shoulders, turned to the right"
