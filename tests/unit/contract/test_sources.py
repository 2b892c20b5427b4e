"""Which photo is drawn over, how it is framed, and why one cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_contract.candidates import (
    StoreKeys,
    Wanted,
    delivered_of,
    generation_order,
    planned_candidates,
    subject_of,
)
from profile_contract.conditions import Reason
from profile_contract.framing import Head, HeadPlace, Skeleton, relative_to
from profile_contract.photos import PhotoReason
from profile_contract.picture_size import PictureSize
from profile_contract.sources import MOST_SOURCES, Undrawable, check_drawable, sources_of
from profile_contract.stages.generate import Candidate, GenerateReport
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import DatasetImage, DatasetPose, PhotoVerdict, PreprocessReport, WidePicture
from profile_contract.style import ImageToImage, Mode, ProfileStyleSpec, SourceChoice, Title, Tone
from properties import examples

STYLE = ProfileStyleSpec(title=Title(en="Retouched"), prompt="{subject}, {tone}", mode=Mode.IMAGE_TO_IMAGE)
EACH = STYLE.model_copy(update={"image_to_image": ImageToImage(source=SourceChoice.EACH)})
NOISE = STYLE.model_copy(update={"mode": Mode.TEXT_TO_IMAGE})
HEAD = HeadPlace(height=0.5, eyes=0.4, middle=0.5)
# Nose and neck.
JOINTS: Skeleton = ((0.5, 0.45), (0.5, 0.75), *[None] * 16)
FACING = {"yaw": 3.0, "roll": 1.0, "pitch": 4.0, "sharpness": 62.0}


def dataset(measures: dict[str, dict[str, float]], held_out: str = "", wide: bool = True) -> PreprocessReport:
    """A dataset of these photos; each one's widest picture is called after it."""
    images = [
        DatasetImage(
            photo=name,
            image=f"crop/{name}",
            mask="m",
            joints=JOINTS,
            caption="{subject}",
            width=100,
            height=200,
            face_box=(0, 0, 1, 1),
            held_out=name == held_out,
            wide=WidePicture(key=f"wide/{name}", width=10, height=10, head=HEAD, joints=JOINTS) if wide else None,
        )
        for name in measures
    ]
    accepted = PhotoReason.ACCEPTED
    verdicts = [PhotoVerdict(name=n, accepted=True, reason=accepted, measures=m) for n, m in measures.items()]
    refused = PhotoVerdict(name="dim.jpg", accepted=False, reason=PhotoReason.TOO_DARK, advice="Take it by a window.")
    relative = relative_to(Head(height=80, eyes=90, middle=55), JOINTS, 100, 200)
    poses = [DatasetPose(name=f"photo-{number}", joints=relative) for number, _ in enumerate(images, start=1)]
    return PreprocessReport(digest="d", verdicts=[*verdicts, refused], images=images, poses=poses)


def keys(style: ProfileStyleSpec, photo: str | None, report: PreprocessReport) -> list[str]:
    return [source.key for source in sources_of(style, photo, report)]


def test_the_best_photo_faces_the_camera_and_is_sharp() -> None:
    turned, blurred = {**FACING, "yaw": -40.0}, {**FACING, "sharpness": 30.0}
    report = dataset({"turned.jpg": turned, "blurred.jpg": blurred, "facing.jpg": FACING})
    assert keys(STYLE, None, report) == ["wide/facing.jpg"]
    assert keys(NOISE, None, report) == []
    assert keys(EACH, None, report) == ["wide/facing.jpg", "wide/blurred.jpg", "wide/turned.jpg"]


def test_a_photo_whose_head_leaves_no_shoulders_gives_way_to_one_a_little_turned() -> None:
    report = dataset({"close.jpg": FACING, "turned.jpg": {**FACING, "yaw": 12.0}})
    crowded = HEAD.model_copy(update={"height": 0.6})
    close, turned = report.images
    assert close.wide is not None
    wide = close.wide.model_copy(update={"head": crowded})
    report = report.model_copy(update={"images": [close.model_copy(update={"wide": wide}), turned]})
    assert keys(EACH, None, report) == ["wide/turned.jpg", "wide/close.jpg"]


def test_a_photo_that_judges_likeness_is_drawn_over_last() -> None:
    report = dataset({"facing.jpg": FACING, "turned.jpg": {**FACING, "yaw": 40.0}}, held_out="facing.jpg")
    assert keys(STYLE, None, report) == ["wide/turned.jpg"]


@pytest.mark.parametrize("style", [STYLE, EACH])
@pytest.mark.parametrize("name", ["b.jpg", "민지 사진 (1).jpg", "a'b;$(x).jpg"])
def test_a_request_chooses_a_photo_whatever_the_style_says(style: ProfileStyleSpec, name: str) -> None:
    report = dataset({"a.jpg": FACING, name: {**FACING, "yaw": 50.0}})
    assert keys(style, name, report) == [f"wide/{name}"]
    check_drawable("retouch", style, name, report, trains=True)


def test_each_photo_is_drawn_over_once_and_no_more_than_are_delivered() -> None:
    report = dataset({f"{number:02}.jpg": FACING for number in range(MOST_SOURCES + 3)})
    planned = planned_candidates("each", EACH.model_copy(update={"tone": Tone.WARM}), "p/", Wanted("x", 1, 2), report)
    pictures = [candidate for candidate in planned if not candidate.twin]
    assert len({candidate.source for candidate in pictures}) == len(pictures) == MOST_SOURCES
    twin = next(candidate for candidate in planned if candidate.twin)
    assert (twin.source, twin.prompt) == (pictures[0].source, "x, neutral light")
    drawn = GenerateReport(digest="g", candidates=[Candidate(seed=c.seed, key=c.key, twin=c.twin) for c in planned])
    assert delivered_of(EACH, None, drawn) == MOST_SOURCES
    assert delivered_of(EACH, "00.jpg", drawn) is None
    assert delivered_of(STYLE, None, drawn) is None


@pytest.mark.parametrize(
    ("style", "photo", "trains", "reason", "says"),
    [
        (STYLE, "gone.jpg", True, Reason.SOURCE_NOT_FOUND, "gone.jpg, which is not there; these can be used: a.jpg"),
        (STYLE, "dim.jpg", True, Reason.SOURCE_REFUSED, "was refused (TooDark): Take it by a window."),
        (STYLE, "../other/a.jpg", False, Reason.SOURCE_NOT_FOUND, "not there"),
        (STYLE, "A.JPG", True, Reason.SOURCE_NOT_FOUND, "not there"),
        (NOISE, None, False, Reason.NOT_TRAINED, "draws from noise"),
    ],
)
def test_what_cannot_be_drawn_says_why(
    style: ProfileStyleSpec, photo: str | None, trains: bool, reason: Reason, says: str
) -> None:
    with pytest.raises(Undrawable) as refused:
        check_drawable("retouch", style, photo, dataset({"a.jpg": FACING}), trains=trains)
    assert refused.value.reason is reason
    assert says in str(refused.value)


def test_before_photos_were_looked_at_none_is_missed() -> None:
    check_drawable("retouch", STYLE, "gone.jpg", None, trains=True)
    check_drawable("warm", NOISE, "gone.jpg", dataset({"a.jpg": FACING}), trains=True)


def test_a_name_that_a_terminal_would_obey_is_not_repeated() -> None:
    with pytest.raises(Undrawable) as refused:
        check_drawable("retouch", STYLE, "\x1b[2Ja.jpg", dataset({"a.jpg": FACING}), trains=True)
    assert "\x1b" not in str(refused.value)


@examples(100)
@given(st.floats(20, 400), st.floats(-50, 250), st.floats(-50, 150))
def test_the_head_of_an_earlier_dataset_is_told_by_its_joints(tall: float, eyes: float, middle: float) -> None:
    report = dataset({"a.jpg": FACING}, wide=False)
    head = Head(height=tall, eyes=eyes, middle=middle)
    pose = DatasetPose(name="photo-1", joints=relative_to(head, JOINTS, 100, 200))
    (source,) = sources_of(STYLE, None, report.model_copy(update={"poses": [pose]}))
    assert source.key == "crop/a.jpg"
    assert source.head is not None
    seen = source.head.within(100, 200)
    assert (seen.height, seen.eyes, seen.middle) == pytest.approx((tall, eyes, middle), rel=0.01, abs=0.5)


def test_a_dataset_without_joints_is_drawn_over_as_it_is() -> None:
    report = dataset({"a.jpg": FACING}, wide=False).model_copy(update={"poses": []})
    (source,) = sources_of(STYLE, None, report)
    assert (source.head, source.joints) == (None, None)


def test_an_order_frames_the_photo_and_follows_its_own_joints() -> None:
    size = PictureSize(896, 1152, strength_percent=30)
    planned = planned_candidates("retouch", STYLE, "p/", Wanted("woman", 7, 2), dataset({"a.jpg": FACING}))
    order = generation_order(RequestRef(namespace="hr", name="m"), None, STYLE, planned, size=size, grants=StoreKeys())
    assert (order.strength, order.mode, order.adapter) == (0.3, Mode.IMAGE_TO_IMAGE, None)
    for item in order.items:
        assert item.initial_image is not None
        assert item.initial_image.url == "wide/a.jpg"
        assert item.joints == JOINTS
        assert item.framing is not None
        assert item.framing.head == HEAD
        assert item.framing.wanted == HeadPlace.of(size.head, 896, 1152)
    drawn = planned[0].made(size, "s")
    assert (drawn.source, drawn.framing) == ("wide/a.jpg", order.items[0].framing)


def test_a_preview_names_nobody() -> None:
    assert subject_of("sks", "woman", trains=True) == "sks woman"
    assert subject_of("sks", "woman", trains=False) == "woman"
