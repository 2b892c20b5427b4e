"""How checkpoints are judged: likeness of portraits, those without a face among them, and those that are copies."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from profile_train.checkpoints import Saved
from profile_train.judge import Judge, Judgement
from profile_train.loop import best
from profile_vision.moments import Fingerprint, aligned_grey
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

    def aligned(self, picture: BGR, _face: Any) -> BGR:
        return BGR(picture[:112, :112])

    def embed(self, picture: BGR, _face: Any) -> Any:
        angle = np.deg2rad(float(picture[0, 0, 1]))
        return np.array([np.cos(angle), np.sin(angle)], np.float32)


def portrait(faces: int, degrees: int = 0, edge: int = 512) -> RGB:
    picture = np.zeros((edge, edge, 3), np.uint8)
    picture[..., 0], picture[..., 1] = faces, degrees
    return RGB(picture)


def judge(*learnt: Fingerprint, ceiling: float = CEILING) -> Judge:
    reader: Any = Reader()
    return Judge(reader, [ME], ceiling, learnt)


def likeness(*portraits: RGB) -> float | None:
    return judge().judged(list(portraits)).likeness


def test_likeness_is_the_mean_share_of_the_ceiling() -> None:
    # cos 60 degrees is .5, cos 90 degrees 0: 62.5 and 0 per cent of a ceiling of .8.
    assert likeness(portrait(1, 60)) == pytest.approx(62.5)
    assert likeness(portrait(1, 60), portrait(1, 90)) == pytest.approx(31.25)


def test_likeness_is_neither_clipped_nor_rounded() -> None:
    figures = [judge(ceiling=0.5).judged([portrait(1, degrees)]).likeness for degrees in (10, 11, 120)]
    assert figures == pytest.approx([196.96155, 196.32544, -100.0], abs=1e-3)


@pytest.mark.parametrize("faces", [0, 2])
def test_a_portrait_without_one_face_is_like_nobody(faces: int) -> None:
    assert likeness(portrait(1, 60), portrait(faces)) == pytest.approx(31.25)
    assert likeness(portrait(1, 60), *[portrait(faces)] * 3) == pytest.approx(15.625)


def test_no_face_at_all_is_no_likeness() -> None:
    assert judge().judged([portrait(0), portrait(2)]) == Judgement(None)
    assert judge().judged([]) == Judgement(None)


def test_small_portraits_are_enlarged_before_they_are_judged() -> None:
    reader = Reader()
    anybody: Any = reader
    Judge(anybody, [ME], CEILING).judged([portrait(1, edge=64), portrait(1, edge=600)])
    assert reader.shapes == [(512, 512, 3), (600, 600, 3)]


def drawn(seed: int) -> RGB:
    """A portrait of one face, turned by 60 degrees, that no other seed looks like."""
    picture = np.random.default_rng(seed).integers(0, 255, (512, 512, 3)).astype(np.uint8)
    picture[0, 0] = (1, 60, 0)
    return RGB(picture)


def photo(degrees: float, picture: RGB) -> Fingerprint:
    angle = np.deg2rad(degrees)
    face = aligned_grey(BGR(picture[:112, :112, ::-1].copy()))
    return Fingerprint(face, np.array([np.cos(angle), np.sin(angle)], np.float32))


@pytest.mark.parametrize(
    ("learnt", "copies"),
    [
        ([], 0),
        ([photo(20, drawn(9))], 0),
        # The same identity to the last digits, as of two pictures of one moment.
        ([photo(20, drawn(9)), photo(58, drawn(9))], 2),
        # Another identity, and the very pixels of the second portrait, also mirrored.
        ([photo(0, drawn(2))], 1),
        ([photo(0, RGB(np.hstack([drawn(2)[:, :112][:, ::-1], drawn(2)[:, 112:]])))], 1),
    ],
)
def test_a_portrait_that_shows_a_training_photo_again_is_counted(learnt: list[Fingerprint], copies: int) -> None:
    assert judge(*learnt).judged([drawn(1), drawn(2), portrait(0)]).copies == copies


def test_of_equal_likeness_the_later_checkpoint_is_delivered() -> None:
    saved = [Saved(100, "", 0.1, 50.0), Saved(200, "", 0.2, 50.0), Saved(300, "", 0.3, None), Saved(400, "", 0.3, 0.0)]
    assert best(saved).step == 200
    assert best(saved[2:]).step == 400
