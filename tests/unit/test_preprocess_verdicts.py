"""The rules that turn measures into verdicts, and what is told when too few photos remain."""

from dataclasses import replace

import pytest

from profile_contract.names import PHOTO_ADVICE, PhotoReason
from profile_contract.orders import PreprocessParameters
from profile_preprocess.verdicts import Measures, judge, summary, too_few, verdict

GOOD = Measures(
    faces=1, people=1, face_height=300, head_inside=1.0, edge_gap=0.5, eye_seen=0.95, eyes_lightness=0.6,
    mouth_colour=6, sharpness=60, lightness=50, highlights=75,
)  # fmt: skip


def test_a_good_photo_is_accepted() -> None:
    assert judge(GOOD, PreprocessParameters()) is PhotoReason.ACCEPTED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"faces": 0}, PhotoReason.NO_FACE),
        ({"second_face": 0.8}, PhotoReason.SEVERAL_PEOPLE),
        ({"second_body": 0.6}, PhotoReason.SEVERAL_PEOPLE),
        ({"face_height": 95.0}, PhotoReason.FACE_TOO_SMALL),
        ({"head_inside": 0.8}, PhotoReason.HEAD_CUT_OFF),
        ({"edge_gap": -0.1}, PhotoReason.HEAD_CUT_OFF),
        ({"highlights": 20.0}, PhotoReason.TOO_DARK),
        ({"burnt": 0.5}, PhotoReason.TOO_BRIGHT),
        ({"sharpness": 25.0}, PhotoReason.BLURRED),
        ({"yaw": -62.0}, PhotoReason.FACE_TURNED_AWAY),
        ({"eye_seen": 0.1}, PhotoReason.FACE_TURNED_AWAY),
        ({"eyes_lightness": 0.1}, PhotoReason.FACE_COVERED),
        ({"mouth_colour": 40.0}, PhotoReason.FACE_COVERED),
    ],
)
def test_each_rule_names_its_reason(change: dict[str, float], reason: PhotoReason) -> None:
    assert judge(replace(GOOD, **change), PreprocessParameters()) is reason  # type: ignore[arg-type]


def test_the_gravest_reason_is_named_first() -> None:
    poor = replace(GOOD, second_face=0.9, sharpness=10.0, highlights=5.0)
    assert judge(poor, PreprocessParameters()) is PhotoReason.SEVERAL_PEOPLE


def test_colours_of_a_turned_face_say_nothing_about_sunglasses() -> None:
    assert judge(replace(GOOD, yaw=40.0, eyes_lightness=0.1), PreprocessParameters()) is PhotoReason.ACCEPTED


def test_passers_by_in_the_background_are_not_several_people() -> None:
    assert judge(replace(GOOD, people=3, second_face=0.2, second_body=0.1), PreprocessParameters()) is (
        PhotoReason.ACCEPTED
    )


def test_a_verdict_tells_which_photo_is_repeated() -> None:
    told = verdict("b.jpg", PhotoReason.DUPLICATE, {}, "a.jpg")
    assert not told.accepted
    assert told.advice.startswith(PHOTO_ADVICE[PhotoReason.DUPLICATE])
    assert told.advice.endswith("It repeats a.jpg.")


def test_too_few_names_counts_and_the_most_frequent_reasons_with_advice() -> None:
    reasons = [PhotoReason.BLURRED, PhotoReason.ACCEPTED, PhotoReason.NO_FACE, PhotoReason.BLURRED]
    told = [verdict(f"{n}.jpg", reason, {}) for n, reason in enumerate(reasons)]
    text = too_few(told, 5)
    assert text.startswith("1 of 4 photos can be used, at least 5 are needed. 2 x Blurred: ")
    assert PHOTO_ADVICE[PhotoReason.BLURRED] in text
    assert text.index("2 x Blurred") < text.index("1 x NoFace")
    assert summary(told) == "1 of 4 photos accepted (rejected: 2 x Blurred, 1 x NoFace)"
