"""Layouts: where the window lies, that the cut has the exact size, what the checklist says, and the quality search."""

import io

import numpy as np
import pytest
from PIL import Image

from profile_contract.framing import Head
from profile_contract.layouts import LAYOUTS, LayoutName
from profile_finish.checklist import POSED, Cutting, Pose, checks
from profile_finish.cutting import GIVE, Window, centred, cut, window_for
from profile_vision import Face
from profile_vision.files import jpeg_within, visibly_marked, within
from profile_vision.heads import head_of
from profile_vision.pixels import BGR

ALL = list(LAYOUTS.values())


def ramp(width: int, height: int) -> BGR:
    """A picture whose blue tells the column and whose green tells the row, as shares of 250."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[:, :, 0] = np.linspace(0, 250, width)
    image[:, :, 1] = np.linspace(0, 250, height)[:, None]
    return BGR(image)


@pytest.mark.parametrize("layout", ALL, ids=lambda layout: layout.name)
def test_the_window_puts_head_and_eyes_where_the_layout_wants_them(layout) -> None:  # type: ignore[no-untyped-def]
    head = Head(height=400, eyes=1500, middle=1500)
    window = window_for(layout, head, 3000, 3000)
    assert 100 * head.height / window.height == pytest.approx(layout.head_share)
    assert 100 * (1 - (head.eyes - window.top) / window.height) == pytest.approx(layout.eye_line)
    assert window.left + window.width / 2 == pytest.approx(head.middle)
    assert window.width / window.height == pytest.approx(layout.width / layout.height)


def test_head_and_eyes_give_way_before_background_is_invented() -> None:
    layout = LAYOUTS[LayoutName.ID_SIZE]
    head = Head(height=400, eyes=350, middle=300)
    exact = Window(0, 0, 1, 400 / 0.72)
    window = window_for(layout, head, 600, 640)
    share = 100 * head.height / window.height
    assert layout.head_share < share <= layout.head_share + GIVE
    assert window.height < exact.height
    assert window.outside(600, 640) == pytest.approx(0, abs=0.001)


def test_how_much_lies_outside() -> None:
    assert Window(-50, 0, 100, 100).outside(1000, 1000) == pytest.approx(0.5)
    assert Window(10, 10, 100, 100).outside(1000, 1000) == 0


@pytest.mark.parametrize("layout", ALL, ids=lambda layout: layout.name)
@pytest.mark.parametrize("size", [(128, 128), (1024, 1024), (896, 1152)])
def test_every_cut_has_the_exact_size(layout, size: tuple[int, int]) -> None:  # type: ignore[no-untyped-def]
    image = ramp(*size)
    for window in (
        centred(layout, *size),
        Window(-0.3 * size[0], -0.2 * size[1], size[0] * 1.5, size[0] * 1.5 * layout.height / layout.width),
    ):
        assert cut(image, window, layout).shape == (layout.height, layout.width, 3)


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


def test_beyond_the_edge_its_colour_goes_on() -> None:
    layout = LAYOUTS[LayoutName.SQUARE]
    image = BGR(np.full((400, 400, 3), (200, 180, 160), dtype=np.uint8))
    assert np.ptp(cut(image, Window(-200, -200, 800, 800), layout), axis=(0, 1)).max() <= 1


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
    poor = Cutting(354, 471, 72, 250_000, head_share=None, eye_line=40, scale=3, outside=0.4)
    assert not any(check.met for check in checks(layout, poor))
    assert {check.measured for check in checks(layout, poor)} >= {"no face found", "x 3.00", "40 %", "250.0"}


def test_the_visible_mark_changes_the_lower_right_corner_only() -> None:
    plain = BGR(np.full((400, 300, 3), 128, dtype=np.uint8))
    changed = (visibly_marked(plain) != plain).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert changed.any()
    assert rows.min() > 370
    assert columns.min() > 150


@pytest.mark.parametrize("name", LayoutName)
def test_cards_and_id_photos_say_how_the_head_is_held(name: LayoutName) -> None:
    layout = LAYOUTS[name]
    rows = ("upright", "head straight", "facing the camera")
    met = {"upright": True, "head straight": True, "facing the camera": True}

    def told(pose: Pose | None) -> dict[str, bool]:
        cutting = Cutting(354, 472, 300, 150_000, head_share=61, eye_line=59, scale=0.8, outside=0.02, pose=pose)
        return {check.name: check.met for check in checks(layout, cutting) if check.name in rows}

    if name not in POSED:
        assert name in {LayoutName.SQUARE, LayoutName.RESUME, LayoutName.PRINT}
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
