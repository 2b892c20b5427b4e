"""Where the head stands in a candidate: every layout of a request fits around it, whatever the size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from profile_contract.framing import (
    FACE_IN_HEAD,
    FARTHEST,
    JOINTS,
    Head,
    HeadRoom,
    Skeleton,
    head_in,
    placed,
    relative_to,
    room_for,
)
from profile_contract.layouts import LAYOUTS, LayoutName
from properties import examples

SIZES = st.tuples(st.integers(8, 256).map(lambda n: 8 * n), st.integers(8, 256).map(lambda n: 8 * n))
SETS = st.lists(st.sampled_from(LayoutName), min_size=1, max_size=6, unique=True)


@examples(200)
@given(SETS, SIZES, st.integers(25, 60))
def test_every_layout_of_a_request_lies_inside_the_picture(
    layouts: list[LayoutName], size: tuple[int, int], face_percent: int
) -> None:
    width, height = size
    head = head_in(room_for(layouts, face_percent), width, height)
    for layout in (LAYOUTS[name] for name in layouts):
        tall = head.height / (layout.head_share / 100)
        top = head.eyes - (1 - layout.eye_line / 100) * tall
        wide = tall * layout.width_mm / layout.height_mm
        assert top >= 0
        assert top + tall <= height
        assert head.middle - wide / 2 >= 0
        assert head.middle + wide / 2 <= width
    assert head.height * FACE_IN_HEAD <= face_percent / 100 * height + 1e-6


@pytest.mark.parametrize(
    ("layouts", "size", "head_share", "eye_line", "crown"),
    [
        # Head and shoulders, the eyes above the middle: what a portrait photographer frames.
        ([LayoutName.SQUARE], (896, 1152), 36.7, 37.8, 19.5),
        ([LayoutName.SQUARE], (128, 128), 46.2, 41.2, 18.1),
        ([LayoutName.SQUARE], (1152, 896), 46.2, 41.2, 18.1),
        (list(LayoutName), (896, 1152), 36.7, 37.8, 19.5),
        # A passport's alone would be larger than in training: no larger than there.
        ([LayoutName.ID_SIZE], (896, 1152), 51.1, 34.3, 8.8),
    ],
)
def test_the_head_stands_where_the_widest_layout_needs_it(
    layouts: list[LayoutName], size: tuple[int, int], head_share: float, eye_line: float, crown: float
) -> None:
    head = head_in(room_for(layouts, 40), *size)
    shares = [100 * value / size[1] for value in (head.height, head.eyes, head.eyes - head.height / 2)]
    assert shares == pytest.approx([head_share, eye_line, crown], abs=0.1)
    assert head.middle == size[0] / 2


def test_a_wider_layout_needs_more_room_than_a_narrower_one() -> None:
    square, card = (room_for([name], 60) for name in (LayoutName.SQUARE, LayoutName.EMPLOYEE_CARD))
    assert square == HeadRoom(above=84, below=120, aside=100, face=60)
    assert card == HeadRoom(above=67, below=120, aside=63, face=60)
    assert square.covers(card)
    assert not card.covers(square)
    assert square.covers(square.model_copy(update={"face": 40}))
    assert room_for([LayoutName.SQUARE, LayoutName.EMPLOYEE_CARD], 60) == square
    for part in ("above", "below", "aside"):
        assert not square.covers(square.model_copy(update={part: getattr(square, part) + 1}))


POINTS = st.none() | st.tuples(st.floats(-2, 2), st.floats(-2, 2))
SKELETONS = st.lists(POINTS, min_size=JOINTS, max_size=JOINTS).map(tuple)


@examples(100)
@given(SKELETONS, SIZES)
def test_a_skeleton_comes_back_from_a_picture(skeleton: Skeleton, size: tuple[int, int]) -> None:
    head = head_in(room_for([LayoutName.SQUARE], 40), *size)
    again = relative_to(head, placed(skeleton, head, *size), *size)
    for before, after in zip(skeleton, again, strict=True):
        assert (before is None) == (after is None)
        assert after is None or after == pytest.approx(before, abs=0.01)


def test_a_head_is_placed_by_its_eyes_and_what_is_far_away_is_not_seen() -> None:
    head = Head(height=100, eyes=300, middle=200)
    skeleton: Skeleton = ((0.0, 0.0), (0.5, 1.0), (15.0, 15.9), *[None] * 15)
    assert placed(skeleton, head, 400, 1000)[:2] == ((0.5, 0.3), (0.625, 0.4))
    assert placed(skeleton, Head(100, 30, 20), 8, 8)[2] is None


@pytest.mark.parametrize(
    "wrong",
    [
        [[0.5, 0.5]] * 17,
        [[0.5, 0.5]] * 19,
        [[0.5]] * 18,
        [[0.5, 0.5, 0.5]] * 18,
        [[0.5, FARTHEST + 0.1]] * 18,
        [[-FARTHEST - 0.1, 0.5]] * 18,
        [["a", "b"]] * 18,
        "x" * 18,
    ],
)
def test_a_forged_skeleton_is_refused(wrong: object) -> None:
    adapter: TypeAdapter[Skeleton] = TypeAdapter(Skeleton)
    assert len(adapter.validate_python([[0.5, 0.5], *[None] * 17])) == JOINTS
    with pytest.raises(ValidationError):
        adapter.validate_python(wrong)
