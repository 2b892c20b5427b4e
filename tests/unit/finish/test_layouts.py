"""Layouts: where the window lies, that the cut has the exact size, what the checklist says, and the quality search."""

import functools
import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from finishing import stripes
from profile_contract.framing import Head, head_in, room_for
from profile_contract.layouts import LAYOUTS, Layout, LayoutName
from profile_finish.checklist import Cutting, Pose, checks
from profile_vision import Face
from profile_vision.files import jpeg_within, visibly_marked, within
from profile_vision.heads import head_of
from profile_vision.pixels import BGR, Mask
from profile_vision.windows import MOST_CONTINUED, Spare, Window, centred, cut, fitted, window_for
from properties import examples

ALL = list(LAYOUTS.values())


def ramp(width: int, height: int) -> BGR:
    """A picture whose blue tells the column and whose green tells the row, as shares of 250."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[:, :, 0] = np.linspace(0, 250, width)
    image[:, :, 1] = np.linspace(0, 250, height)[:, None]
    return BGR(image)


@functools.cache
def backdrop(width: int, height: int) -> BGR:
    """A grey backdrop with grain, darker to the right."""
    grain = np.random.default_rng(3).integers(-2, 3, (height, width, 3))
    image = np.clip(200 - np.linspace(0, 30, width)[None, :, None] + grain, 0, 255)
    return BGR(image.astype(np.uint8))


@functools.cache
def shoulders(width: int, height: int) -> BGR:
    """What is no backdrop anywhere."""
    return BGR(np.random.default_rng(4).integers(0, 255, (height, width, 3)).astype(np.uint8))


def plain(width: int, height: int, body_from: int | None = None) -> tuple[BGR, Mask]:
    """A backdrop and its mask; from a row on somebody's shoulders."""
    image = backdrop(width, height).copy()
    mask = np.zeros((height, width), np.uint8)
    if body_from is not None:
        image[body_from:] = shoulders(width, height)[body_from:]
        mask[body_from:] = 255
    return BGR(image), Mask(mask)


def head_share(window: Window, head: Head) -> float:
    return 100 * head.height / window.height


def eye_line(window: Window, head: Head) -> float:
    return 100 * (1 - (head.eyes - window.top) / window.height)


@pytest.mark.parametrize("layout", ALL, ids=lambda layout: layout.name)
@pytest.mark.parametrize("size", [(128, 128), (896, 1152), (1152, 896)])
def test_a_picture_that_was_framed_for_a_layout_is_cut_as_it_asks(layout: Layout, size: tuple[int, int]) -> None:
    head = head_in(room_for([layout.name], 40), *size)
    window = window_for(layout, head, *plain(*size))
    assert head_share(window, head) == pytest.approx(layout.head_share)
    assert eye_line(window, head) == pytest.approx(layout.eye_line)
    assert window.left + window.width / 2 == pytest.approx(head.middle)
    assert window.width / window.height == pytest.approx(layout.width / layout.height)
    assert window.short == ""
    assert window.outside(*size) == pytest.approx(0, abs=1e-9)


HEADS = st.builds(Head, height=st.floats(20, 1500), eyes=st.floats(10, 1140), middle=st.floats(10, 880))


@examples(200)
@given(st.sampled_from(ALL), HEADS, st.integers(0, 1152))
def test_no_cut_shows_what_is_not_in_the_picture(layout: Layout, head: Head, body_from: int) -> None:
    """Below nothing is continued, beside nothing where the body reaches the edge, whatever the head is."""
    image, mask = plain(896, 1152, body_from)
    window = window_for(layout, head, image, mask)
    assert window.top + window.height <= 1152 + 1e-6
    assert window.width / window.height == pytest.approx(layout.width / layout.height)
    assert window.height <= head.height / (layout.head_share / 100) + 1 or window.height == 1
    if window.top + window.height > body_from + 2 and window.top < 1150:
        assert window.left >= -1e-6
        assert window.left + window.width <= 896 + 1e-6
    assert window.left >= -MOST_CONTINUED * head.height / (layout.head_share / 100) - 1


def test_eye_line_and_middle_give_way_before_the_head_is_larger() -> None:
    layout = LAYOUTS[LayoutName.SQUARE]
    # 58 % of 800 below the eyes would be 464: 455 are there.
    head = Head(height=400, eyes=545, middle=410)
    window = fitted(layout, head, (1000, 1000), Spare())
    assert (head_share(window, head), window.short) == (50, "")
    assert eye_line(window, head) == pytest.approx(100 * 455 / 800)
    aside = fitted(layout, replace(head, eyes=400, middle=380), (1000, 1000), Spare())
    assert (head_share(aside, head), aside.left) == (50, 0)


@pytest.mark.parametrize(
    ("head", "short"),
    [
        (Head(height=400, eyes=800, middle=500), "below"),
        (Head(height=400, eyes=100, middle=500), "above"),
        (Head(height=400, eyes=400, middle=100), "beside"),
        (Head(height=400, eyes=400, middle=900), "beside"),
    ],
)
def test_where_the_picture_ends_too_soon_the_cut_takes_what_there_is(head: Head, short: str) -> None:
    window = fitted(LAYOUTS[LayoutName.SQUARE], head, (1000, 1000), Spare())
    assert window.short == short
    assert head_share(window, head) > 55
    assert window.outside(1000, 1000) == pytest.approx(0, abs=1e-6)


def test_plain_backdrop_is_continued_beside_and_above_as_a_mirror_shows_it() -> None:
    layout = LAYOUTS[LayoutName.SQUARE]
    image, mask = plain(1000, 1000)
    head = Head(height=400, eyes=270, middle=330)
    window = window_for(layout, head, image, mask)
    assert (head_share(window, head), window.short) == (50, "")
    assert (window.left, window.top) == pytest.approx((-70, -66))
    pixels = cut(image, window, layout).astype(float)
    edge = round(70 * layout.width / 800)
    # The same on both sides of the edge, and nowhere a column or row twice.
    assert np.abs(pixels[300:, :edge] - pixels[300:, edge : 2 * edge][:, ::-1]).mean() < 2
    assert stripes(BGR(pixels.astype(np.uint8))) == 0


@pytest.mark.parametrize("what", ["somebody", "a busy backdrop"])
def test_nothing_else_is_continued(what: str) -> None:
    layout = LAYOUTS[LayoutName.SQUARE]
    image, mask = plain(1000, 1000)
    if what == "somebody":
        mask[600:, :30] = 255
    else:
        image[:, :300] = np.random.default_rng(5).integers(60, 200, (1000, 300, 3))
    head = Head(height=400, eyes=400, middle=330)
    window = window_for(layout, head, image, mask)
    assert window.left == 0
    assert head_share(window, head) > 50
    assert window.short == "beside"


@pytest.mark.parametrize("layout", ALL, ids=lambda layout: layout.name)
@pytest.mark.parametrize("size", [(128, 128), (1024, 1024), (896, 1152)])
def test_every_cut_has_the_exact_size(layout: Layout, size: tuple[int, int]) -> None:
    image = ramp(*size)
    assert cut(image, centred(layout, *size), layout).shape == (layout.height, layout.width, 3)


@pytest.mark.parametrize("edge", [300, 2000])
def test_the_cut_shows_what_the_window_frames(edge: int) -> None:
    layout = LAYOUTS[LayoutName.SQUARE]
    window = Window(0.25 * edge, 0.125 * edge, 0.5 * edge, 0.5 * edge)
    found = cut(ramp(edge, edge), window, layout).astype(float)
    middle = layout.height // 2
    assert found[middle, 5, 0] == pytest.approx(250 * 0.25, abs=4)
    assert found[middle, -5, 0] == pytest.approx(250 * 0.75, abs=4)
    assert found[5, middle, 1] == pytest.approx(250 * 0.125, abs=4)
    assert found[-5, middle, 1] == pytest.approx(250 * 0.625, abs=4)


def test_the_head_is_twice_from_eyes_to_chin() -> None:
    points = np.array([[90, 100], [110, 100], [100, 115], [92, 134], [108, 134]], dtype=np.float32)
    head = head_of(Face(box=(80, 70, 40, 90), points=points, score=1.0))
    assert head.eyes == 100
    assert head.middle == 100
    assert head.height == pytest.approx(2 * 1.69 * 34)


def test_the_quality_search_finds_the_best_that_fits() -> None:
    asked: list[int] = []

    def encode(quality: int) -> bytes:
        asked.append(quality)
        return bytes(quality * 10)

    assert within(encode, 733) == (bytes(730), 73)
    assert within(encode, 10_000) == (bytes(950), 95)
    assert within(encode, 5) == (bytes(400), 40)
    assert len(asked) < 25


def test_a_jpeg_keeps_to_its_kilobytes_and_tells_its_dpi() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (472, 354, 3), dtype=np.uint8)
    data, quality = jpeg_within(BGR(noise), 300, 200)
    assert len(data) <= 200_000
    assert 40 < quality < 95
    with Image.open(io.BytesIO(data)) as written:
        assert written.size == (354, 472)
        assert [round(value) for value in written.info["dpi"]] == [300, 300]


def test_the_checklist_says_what_was_met() -> None:
    layout = LAYOUTS[LayoutName.EMPLOYEE_CARD]
    good = Cutting(354, 472, 300, 150_000, 61, 59, scale=0.8, outside=0.02, pose=Pose(2, -4, upright=True))
    told = {check.name: check for check in checks(layout, good)}
    assert [name for name, check in told.items() if not check.met] == ["official identification"]
    assert told["official identification"].measured == "no: synthesised picture"
    assert told["size"].wanted == "354 x 472 px (30 x 40 mm)"
    poor = Cutting(354, 471, 72, 250_000, head_share=None, eye_line=40, scale=3, outside=0.4, short="below")
    assert not any(check.met for check in checks(layout, poor))
    assert {check.measured for check in checks(layout, poor)} >= {"no face found", "x 3.00", "40 %", "250.0"}


def test_the_checklist_says_where_the_picture_ended_too_soon() -> None:
    layout = LAYOUTS[LayoutName.SQUARE]

    def room(share: float, short: str) -> tuple[bool, str]:
        cutting = Cutting(600, 600, 300, 1, head_share=share, eye_line=58, scale=1, outside=0, short=short)
        check = next(check for check in checks(layout, cutting) if check.name == "room around the head")
        return check.met, check.measured

    assert room(50, "") == (True, "enough")
    # Within what is allowed of the head's share.
    assert room(55, "below") == (True, "enough")
    assert room(55.1, "below") == (False, "the picture ends too soon below")
    assert room(70, "beside") == (False, "the picture ends too soon beside")


def test_the_visible_mark_changes_the_lower_right_corner_only() -> None:
    plain = BGR(np.full((400, 300, 3), 128, dtype=np.uint8))
    changed = (visibly_marked(plain) != plain).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert changed.any()
    assert rows.min() > 370
    assert columns.min() > 150


def test_cards_and_id_photos_are_held_beside_a_face() -> None:
    held = {name for name, layout in LAYOUTS.items() if layout.held_beside_face}
    assert held >= {LayoutName.ID_SIZE, LayoutName.EMPLOYEE_CARD, LayoutName.STUDENT_CARD}
    assert not held & {LayoutName.SQUARE, LayoutName.RESUME, LayoutName.PRINT}


@pytest.mark.parametrize("name", LayoutName)
def test_cards_and_id_photos_say_how_the_head_is_held(name: LayoutName) -> None:
    layout = LAYOUTS[name]
    rows = ("upright", "head straight", "facing the camera")
    met = {"upright": True, "head straight": True, "facing the camera": True}

    def told(pose: Pose | None) -> dict[str, bool]:
        cutting = Cutting(354, 472, 300, 150_000, head_share=61, eye_line=59, scale=0.8, outside=0.02, pose=pose)
        return {check.name: check.met for check in checks(layout, cutting) if check.name in rows}

    if not layout.held_beside_face:
        assert told(Pose(0, 0, True)) == {}
        return
    assert told(Pose(-8.0, 14.0, True)) == told(Pose(8.0, -14.0, True)) == met
    assert told(Pose(-8.1, 0, True)) == told(Pose(8.1, 0, True)) == met | {"head straight": False}
    assert told(Pose(0, -14.1, True)) == told(Pose(0, 14.1, True)) == met | {"facing the camera": False}
    assert told(Pose(0, 0, False)) == met | {"upright": False}
    assert told(None) == dict.fromkeys(rows, False)


def test_an_angle_is_shown_without_its_sign() -> None:
    pose = Pose(-6.0, -3.0, upright=True)
    cutting = Cutting(354, 472, 300, 150_000, head_share=61, eye_line=59, scale=0.8, outside=0.02, pose=pose)
    measured = {check.name: check.measured for check in checks(LAYOUTS[LayoutName.ID_SIZE], cutting)}
    assert (measured["head straight"], measured["facing the camera"]) == ("6 degrees", "3 degrees")
