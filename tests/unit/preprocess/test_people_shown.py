"""Which pictures a look may be learnt from: many people's, whatever light they are in."""

from dataclasses import replace

import numpy as np
import pytest

from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import LookPictures, PhotoRef, PreprocessParameters
from profile_preprocess.decode import Frame
from profile_preprocess.look import Look, Sitter
from profile_preprocess.people_shown import PeopleShown, in_any_light, people_shown
from profile_preprocess.verdicts import Measures
from profile_vision import Face
from profile_vision.moments import Fingerprint

WANTED = LookPictures(minimum=4)
PHOTO = PhotoRef(name="a.jpg", key="a.jpg", bytes=1, etag="1")
FRAME = Frame(64, 64, (0, 0, 64, 64))

GOOD = Measures(
    faces=1, people=1, face_height=300, head_inside=1.0, edge_gap=0.5, eye_seen=0.95, eyes_lightness=0.6, sharpness=60,
    light=-0.4,
)  # fmt: skip


def person(number: int, pictures: int, spread: float) -> list[np.ndarray]:
    """Embeddings around one of several orthogonal directions; of spread .4, two have a cosine of about .86."""
    generator = np.random.default_rng(number)
    noise = generator.normal(size=(pictures, 128))
    rows = np.eye(128)[number] + spread * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return [(row / np.linalg.norm(row)).astype(np.float32) for row in rows]


def sitter(measures: Measures, reason: PhotoReason) -> Sitter:
    face = Face((8.0, 8.0, 16.0, 16.0), np.zeros((5, 2), np.float32), 0.9)
    print_ = Fingerprint(face=np.zeros((8, 8), np.float32), embedding=person(0, 1, 0.1)[0], detail=1.0)
    joints = np.zeros((17, 3), np.float32)
    return Sitter(PHOTO, reason, measures, face=face, joints=joints, fingerprint=print_, frame=FRAME)


def test_people_are_told_apart_and_counted() -> None:
    people = people_shown([*person(0, 4, 0.4), *person(1, 3, 0.4), *person(2, 1, 0.4)])
    assert people == PeopleShown(pictures=8, people=3, most_frequent=4)
    assert people.hindrance(WANTED) == ""
    assert people_shown([]) == PeopleShown(0, 0, 0)


def test_a_look_of_one_person_is_a_person_and_refused() -> None:
    text = people_shown(person(0, 6, 0.4)).hindrance(WANTED)
    assert "the 6 pictures show one person (SFace, a cosine of 0.45 and more)" in text
    assert "a look must not be a person" in text


@pytest.mark.parametrize(("most", "others", "refused"), [(4, 4, False), (5, 4, True), (8, 2, True)])
def test_nobody_may_be_in_more_than_half_of_the_pictures(most: int, others: int, refused: bool) -> None:
    strangers = [face for number in range(1, others + 1) for face in person(number, 1, 0.3)]
    text = people_shown([*person(0, most, 0.4), *strangers]).hindrance(WANTED)
    assert bool(text) is refused
    if refused:
        assert f"one person is in {most} of the {most + others} pictures" in text
        assert "until nobody is in more than 50 % of them" in text


def test_two_people_are_too_few() -> None:
    text = people_shown([*person(0, 4, 0.4), *person(1, 4, 0.4)]).hindrance(WANTED)
    assert "show 2 people" in text
    assert "3 people at least" in text


@pytest.mark.parametrize("light", [{"light": -5.0}, {"burnt": 0.6}])
def test_the_light_of_a_look_is_not_wrong_but_all_else_is(light: dict[str, float]) -> None:
    measures = replace(GOOD, **light)  # type: ignore[arg-type]
    reason = PhotoReason.TOO_DARK if "light" in light else PhotoReason.TOO_BRIGHT
    assert in_any_light(sitter(measures, reason), PreprocessParameters()).reason is PhotoReason.ACCEPTED
    blurred = replace(measures, sharpness=10.0)
    assert in_any_light(sitter(blurred, reason), PreprocessParameters()).reason is PhotoReason.BLURRED
    # What was refused for another reason stays refused, and its measures are those that were taken.
    repeat = sitter(measures, PhotoReason.DUPLICATE)
    assert in_any_light(repeat, PreprocessParameters()) is repeat
    assert in_any_light(sitter(measures, reason), PreprocessParameters()).measures == measures
    nobody = Look(PHOTO, PhotoReason.NO_FACE)
    assert in_any_light(nobody, PreprocessParameters()) is nobody
