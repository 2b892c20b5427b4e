"""How a photo is looked at, and how all of them are judged together."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from measured_faces import Pixels, face_at
from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import PhotoRef, PreprocessParameters
from profile_preprocess import stage
from profile_preprocess.decode import Frame, Opener, Photo, PhotoRefused
from profile_preprocess.holdout import held_out
from profile_preprocess.look import Sitter, look_at
from profile_preprocess.verdicts import Measures
from profile_vision import Face
from profile_vision.decoding import FileFacts
from profile_vision.moments import Fingerprint
from profile_vision.pixels import BGR


def unit(seed: int, size: int) -> Any:
    row = np.random.default_rng(seed).normal(size=size)
    return (row / np.linalg.norm(row)).astype(np.float32)


def look(who: int, moment: int, face_height: float = 300, reason: PhotoReason = PhotoReason.ACCEPTED) -> Sitter:
    embedding = unit(who, 128) + 0.5 * unit(1000 + moment, 128)
    embedding = embedding / np.linalg.norm(embedding)
    grey = unit(2000 + moment, 112 * 112).reshape(112, 112)
    name = f"{who}-{moment}-{face_height:.0f}.jpg"
    measures = Measures(faces=1, face_height=face_height, sharpness=50)
    return Sitter(
        PhotoRef(name=name, key=name, bytes=1, etag=""),
        reason,
        measures,
        face=face_at(0, 0, 9, 9),
        joints=np.zeros((17, 3), np.float32),
        fingerprint=Fingerprint(face=grey, embedding=embedding, detail=measures.worth),
        frame=Frame(9, 9, (0, 0, 9, 9)),
    )


def test_a_moment_has_one_vote() -> None:
    """Eight copies of one photo of a friend do not outvote three photos of oneself."""
    mine = [look(1, moment) for moment in (1, 2, 3)]
    friend = [look(2, 9, face_height=300 + n) for n in range(8)]
    looks, people = stage.judge_together([*mine, *friend])
    assert [one.reason for one in looks[:3]] == [PhotoReason.ACCEPTED] * 3
    assert [one.repeats for one in looks[3:]] == [friend[-1].photo.name] * 7 + [""]
    assert looks[3].verdict.advice.endswith("It repeats 2-9-307.jpg.")
    assert [one.reason for one in looks[3:10]] == [PhotoReason.DUPLICATE] * 7
    assert looks[10].reason is PhotoReason.OTHER_PERSON
    assert people.is_clear


def test_two_people_in_as_many_moments_are_a_question() -> None:
    assert not stage.judge_together([look(1 + n % 2, n) for n in range(8)])[1].is_clear


def test_what_a_rule_has_refused_is_not_asked_who_it_is() -> None:
    looks, _ = stage.judge_together([look(1, 1), look(1, 1, reason=PhotoReason.BLURRED), look(1, 2)])
    assert looks[1].reason is PhotoReason.BLURRED
    assert [one.repeats for one in looks] == [""] * 3


class Recorder:
    """A dataset writer that remembers which photos were kept apart."""

    def __init__(self) -> None:
        self.held_out: list[str] = []
        self.names: list[str] = []

    def add(self, sitter: Sitter, *, held_out: bool) -> None:
        self.names.append(sitter.photo.name)
        if held_out:
            self.held_out.append(sitter.photo.name)

    def add_presets(self) -> None:
        self.names.append("presets")


class Steps:
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    def at(self, done: float, total: float, _message: str) -> None:
        self.shares.append(done / total)


def test_the_photos_that_judge_are_kept_apart_and_refused_ones_do_not_count() -> None:
    looks = [look(1, n) for n in range(10)]
    looks[0] = replace(looks[0], reason=PhotoReason.BLURRED)
    (place,) = held_out([one.embedding for one in looks[1:]], "digest")
    recorder, steps = Recorder(), Steps()
    stage.write(recorder, looks, steps, seed="digest")  # type: ignore[arg-type]
    assert recorder.names == [*(one.photo.name for one in looks[1:]), "presets"]
    assert recorder.held_out == [looks[1 + place].photo.name]
    assert steps.shares == pytest.approx([0.5 + n / 18 for n in range(1, 10)])


class Seeing:
    """Sees one face in every picture, at the same place."""

    def find(self, image: Pixels) -> list[Face]:
        return [face_at(100, 80, 120, 140)]

    def glance(self, image: Pixels) -> float:
        return 0.9

    def aligned(self, image: Pixels, face: Face) -> Pixels:
        return image[:112, :112]

    def embed(self, image: Pixels, face: Face) -> Any:
        return unit(1, 128)


def looked_at(width: int, height: int) -> tuple[Any, list[Any]]:
    """A look at a photo of noise of this size, and the parts of it that were asked for."""
    boxes: list[Any] = []

    def opened(_: PhotoRef, box: Any = None) -> Photo:
        boxes.append(box)
        wide, high = (width, height) if box is None else (400, 400)
        pixels = BGR(np.random.default_rng(5).integers(60, 190, (high, wide, 3)).astype(np.uint8))
        return Photo(pixels, Frame(wide, high, (0, 0, wide, high)), FileFacts("JPEG", wide, high, False, False))

    opener: Any = SimpleNamespace(open=opened, parameters=PreprocessParameters())
    networks: Any = SimpleNamespace(faces=Seeing(), people=SimpleNamespace(find=lambda *_: []))
    return look_at(PhotoRef(name="a.jpg", key="k", bytes=1, etag=""), opener, networks), boxes


def test_a_look_that_meets_a_face_keeps_what_the_photo_is_known_again_by() -> None:
    sitter, boxes = looked_at(400, 400)
    assert isinstance(sitter, Sitter)
    assert (sitter.photo.name, sitter.measures.faces, sitter.measures.long, boxes) == ("a.jpg", 1, False, [None])
    assert sitter.fingerprint.detail == sitter.measures.worth > 100
    assert (sitter.embedding == unit(1, 128)).all()
    assert sitter.joints.shape == (17, 3)


def test_of_a_long_photo_the_part_around_its_face_is_looked_at() -> None:
    sitter, boxes = looked_at(2000, 300)
    assert isinstance(sitter, Sitter)
    assert sitter.measures.long
    assert boxes[0] is None
    assert boxes[1][0] < 100 < boxes[1][2]
    assert sitter.frame.size == (400, 400)


def test_a_photo_that_is_too_large_is_not_read() -> None:
    opener = Opener(None, None, PreprocessParameters(maximum_bytes=10))  # type: ignore[arg-type]
    with pytest.raises(PhotoRefused) as refused:
        look_at(PhotoRef(name="a", key="a", bytes=11, etag=""), opener, None)  # type: ignore[arg-type]
    assert refused.value.reason is PhotoReason.TOO_MANY_BYTES
