"""How checkpoints are judged: likeness of validation portraits, those without a face among them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from profile_train.checkpoints import Saved
from profile_train.loop import best
from profile_train.validate import Judge
from profile_vision.pixels import BGR, RGB

CEILING = 0.8
ME = np.array([1.0, 0.0], np.float32)


class Reader:
    """Finds as many faces as the portrait's red says; the identity is turned by as many degrees as its green says."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def find(self, picture: BGR) -> list[Any]:
        self.shapes.append(picture.shape)
        return [SimpleNamespace()] * int(picture[0, 0, 2])

    def embed(self, picture: BGR, _face: Any) -> Any:
        angle = np.deg2rad(float(picture[0, 0, 1]))
        return np.array([np.cos(angle), np.sin(angle)], np.float32)


def portrait(faces: int, degrees: int = 0, edge: int = 8) -> RGB:
    picture = np.zeros((edge, edge, 3), np.uint8)
    picture[..., 0], picture[..., 1] = faces, degrees
    return RGB(picture)


def judge() -> Judge:
    reader: Any = Reader()
    return Judge(reader, [ME], CEILING)


def test_likeness_is_the_mean_share_of_the_ceiling() -> None:
    # cos 60 degrees is .5, cos 90 degrees 0: 62 and 0 per cent of a ceiling of .8.
    assert judge().percent([portrait(1, 60)]) == pytest.approx(62)
    assert judge().percent([portrait(1, 60), portrait(1, 90)]) == pytest.approx(31)


@pytest.mark.parametrize("faces", [0, 2])
def test_a_portrait_without_one_face_is_like_nobody(faces: int) -> None:
    assert judge().percent([portrait(1, 60), portrait(faces)]) == pytest.approx(31)
    assert judge().percent([portrait(1, 60), *[portrait(faces)] * 3]) == pytest.approx(15.5)


def test_no_face_at_all_is_no_likeness() -> None:
    assert judge().percent([portrait(0), portrait(2)]) is None


def test_small_portraits_are_enlarged_before_they_are_judged() -> None:
    reader = Reader()
    anybody: Any = reader
    Judge(anybody, [ME], CEILING).percent([portrait(1, edge=64), portrait(1, edge=600)])
    assert reader.shapes == [(512, 512, 3), (600, 600, 3)]


def test_of_equal_likeness_the_later_checkpoint_is_delivered() -> None:
    saved = [Saved(100, "", 0.1, 50.0), Saved(200, "", 0.2, 50.0), Saved(300, "", 0.3, None), Saved(400, "", 0.3, 0.0)]
    assert best(saved).step == 200
    assert best(saved[2:]).step == 400
