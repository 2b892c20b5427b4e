"""The rules that turn measures into verdicts, and what is told when too few photos remain."""

from dataclasses import replace

import pytest

from profile_contract.photos import PHOTO_ADVICE, PhotoReason, PhotosWarning, PhotosWarningKind
from profile_contract.stages.preprocess import PreprocessParameters
from profile_preprocess.verdicts import Measures, judge, summary, too_few, two_people, verdict, warnings

GOOD = Measures(
    faces=1, people=1, face_height=300, head_inside=1.0, edge_gap=0.5, eye_seen=0.95, eyes_lightness=0.6, sharpness=60,
    light=-0.4,
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
        ({"enlarged": 2.05}, PhotoReason.FACE_TOO_SMALL),
        ({"head_inside": 0.8}, PhotoReason.HEAD_CUT_OFF),
        ({"edge_gap": -0.1}, PhotoReason.HEAD_CUT_OFF),
        ({"light": -4.0}, PhotoReason.TOO_DARK),
        ({"burnt": 0.45}, PhotoReason.TOO_BRIGHT),
        ({"sharpness": 25.0}, PhotoReason.BLURRED),
        ({"yaw": -62.0}, PhotoReason.FACE_TURNED_AWAY),
        ({"eye_seen": 0.1}, PhotoReason.FACE_TURNED_AWAY),
        ({"eyes_lightness": 0.1}, PhotoReason.FACE_COVERED),
        ({"mouth_covered": 0.75}, PhotoReason.FACE_COVERED),
        ({"mouth_covered": -0.2, "mouth_edges": 0.4}, PhotoReason.FACE_COVERED),
        ({"mouth_covered": 0.75, "yaw": -34.0}, PhotoReason.FACE_COVERED),
        ({"eyes_covered": 0.7}, PhotoReason.FACE_COVERED),
        ({"blocks": 2.7}, PhotoReason.BLURRED),
        ({"fineness": 0.7}, PhotoReason.BLURRED),
    ],
)
def test_each_rule_names_its_reason(change: dict[str, float], reason: PhotoReason) -> None:
    assert judge(replace(GOOD, **change), PreprocessParameters()) is reason  # type: ignore[arg-type]


def test_the_gravest_reason_is_named_first() -> None:
    poor = replace(GOOD, second_face=0.9, sharpness=10.0, light=-6.0)
    assert judge(poor, PreprocessParameters()) is PhotoReason.SEVERAL_PEOPLE


@pytest.mark.parametrize(
    "change",
    [
        {"light": -3.8}, {"burnt": 0.35}, {"blocks": 2.5}, {"fineness": 0.75}, {"sharpness": 46.0},
        {"mouth_covered": 0.6, "mouth_edges": 0.5},
        {"mouth_covered": -0.4, "mouth_edges": 0.1}, {"eyes_covered": 0.5}, {"eyes_lightness": 0.25},
        {"turns": 2}, {"grey": True},
        {"second_face": 0.3}, {"second_body": 0.2}, {"face_height": 96.0}, {"enlarged": 1.95}, {"head_inside": 0.86},
        {"edge_gap": 0.05}, {"eye_seen": 0.55},
    ],
)  # fmt: skip
def test_what_is_good_enough(change: dict[str, float]) -> None:
    assert judge(replace(GOOD, **change), PreprocessParameters()) is PhotoReason.ACCEPTED  # type: ignore[arg-type]


@pytest.mark.parametrize("yaw", [-40.0, 40.0])
def test_the_shapes_of_a_turned_face_say_nothing_about_coverings(yaw: float) -> None:
    turned = replace(GOOD, yaw=yaw, eyes_lightness=0.1, mouth_covered=0.9, eyes_covered=0.9)
    assert judge(turned, PreprocessParameters()) is PhotoReason.ACCEPTED


@pytest.mark.parametrize("yaw", [-30.0, 30.0])
def test_eyes_in_the_shade_of_a_half_turned_face_are_no_sunglasses(yaw: float) -> None:
    assert judge(replace(GOOD, yaw=yaw, eyes_lightness=0.1), PreprocessParameters()) is PhotoReason.ACCEPTED


def test_passers_by_in_the_background_are_not_several_people() -> None:
    assert judge(replace(GOOD, people=3, second_face=0.2, second_body=0.1), PreprocessParameters()) is (
        PhotoReason.ACCEPTED
    )


def test_a_verdict_tells_which_photo_is_repeated() -> None:
    told = verdict("b.jpg", PhotoReason.DUPLICATE, GOOD, "a.jpg")
    assert not told.accepted
    assert told.advice.startswith(PHOTO_ADVICE[PhotoReason.DUPLICATE])
    assert told.advice.endswith("It repeats a.jpg.")
    strange = verdict("b\n.jpg", PhotoReason.DUPLICATE, GOOD, "in/a\n\u202e.jpg")
    assert strange.advice.endswith("It repeats in/a--.jpg.")
    assert strange.name == "b\n.jpg", "by its name a photo is removed"


def test_too_few_names_counts_and_the_most_frequent_reasons_with_advice() -> None:
    reasons = [PhotoReason.BLURRED, PhotoReason.ACCEPTED, PhotoReason.NO_FACE, PhotoReason.BLURRED]
    told = [verdict(f"{n}.jpg", reason, Measures()) for n, reason in enumerate(reasons)]
    text = too_few(told, 5)
    assert text.startswith("1 of 4 photos can be used, at least 5 are needed. 2 x Blurred: ")
    assert PHOTO_ADVICE[PhotoReason.BLURRED] in text
    assert text.index("2 x Blurred") < text.index("1 x NoFace")
    assert summary(told) == "1 of 4 photos accepted (rejected: 2 x Blurred, 1 x NoFace)"


def noted(*measures: Measures, accepted: bool = True) -> list[PhotosWarning]:
    reason = PhotoReason.ACCEPTED if accepted else PhotoReason.BLURRED
    return warnings(measures, [verdict(f"{n}.jpg", reason, one) for n, one in enumerate(measures)])


def told(*measures: Measures, accepted: bool = True) -> list[str]:
    return [warning.message for warning in noted(*measures, accepted=accepted)]


def test_nothing_is_left_out_silently() -> None:
    assert told(GOOD, GOOD) == []
    assert told(replace(GOOD, grey=True), replace(GOOD, grey=True))[0].startswith("No photo has colour")
    assert told(replace(GOOD, grey=True), GOOD)[0].startswith("Half of the photos or more have no colour")
    assert told(replace(GOOD, grey=True), GOOD, GOOD) == []
    assert told(replace(GOOD, yaw=-30.0), replace(GOOD, yaw=25.0))[0].startswith("No photo is taken from the front")
    assert told(replace(GOOD, turns=1), GOOD, replace(GOOD, turns=2))[0].startswith("2 of the accepted photos lay")
    assert told(replace(GOOD, grey=True), accepted=False) == ["1 of 1 photos were left out; each has its reason."]


def test_a_warning_names_its_kind_and_the_photos_that_it_is_about() -> None:
    grey, turned = replace(GOOD, grey=True), replace(GOOD, turns=1)
    assert [(one.kind, one.photos) for one in noted(GOOD, turned, GOOD, turned)] == [
        (PhotosWarningKind.TURNED_UPRIGHT, ["1.jpg", "3.jpg"])
    ]
    assert [(one.kind, one.photos) for one in noted(grey, GOOD)] == [(PhotosWarningKind.LITTLE_COLOUR, ["0.jpg"])]
    assert [one.kind for one in noted(grey, grey)] == [PhotosWarningKind.NO_COLOUR]
    aside = noted(replace(GOOD, yaw=-30.0), replace(GOOD, yaw=25.0))
    assert [(one.kind, one.photos) for one in aside] == [(PhotosWarningKind.NOT_FRONTAL, [])]
    # What was refused is turned for nobody.
    assert [one.kind for one in noted(turned, accepted=False)] == [PhotosWarningKind.LEFT_OUT]
    assert len(noted(*[turned] * 45)[0].photos) == 40


def test_a_long_picture_is_told_what_to_do() -> None:
    refused = verdict("pano.jpg", PhotoReason.NO_FACE, replace(GOOD, faces=0, long=True))
    assert refused.advice.endswith("crop it around your head and shoulders.")
    assert verdict("pano.jpg", PhotoReason.ACCEPTED, replace(GOOD, long=True)).advice == ""


def test_what_is_told_of_two_people() -> None:
    text = two_people(6, 5)
    assert "one is in 6 of them, another in 5" in text
    assert "Which one is meant?" in text


def test_of_two_photos_the_worthier_is_not_the_sharpened_the_grey_or_the_burnt_one() -> None:
    assert replace(GOOD, sharpness=75.0).worth == GOOD.worth
    for worse in ({"grey": True}, {"clipped": 0.2}, {"sharpness": 50.0}, {"face_height": 200.0}):
        assert replace(GOOD, **worse).worth < GOOD.worth
