"""The second pass over faces: what is cut, what is drawn together, what of the picture is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from profile_contract.generation import DetailOrder, DetailOutcome, GenerationItem, GenerationOrder
from profile_contract.picture_size import PictureSize
from profile_contract.stages.order import RequestRef
from profile_contract.style import DetailMode, FaceDetail, Mode, ProfileStyleSpec, Sampler, Title
from profile_draw.detail import FaceCut, FirstPass, SecondPass, cut_around, joints_in, put_back, redraw_faces
from profile_draw.errors import Refused
from profile_draw.rows import Piece, Row, Shape, check, shape_of
from profile_vision.faces import Face
from profile_vision.pixels import BGR, RGB
from properties import examples

FULL = (64, 64)
DETAIL = DetailOrder(strength=0.4, steps=10)


def face(x: float, y: float, wide: float, tall: float) -> Face:
    return Face((x, y, wide, tall), np.zeros((5, 2), np.float32), 0.9)


class Faces:
    """Finds the same faces everywhere, but none in black."""

    def __init__(self, *faces: Face) -> None:
        self.faces = list(faces)

    def find(self, image: BGR) -> list[Face]:
        return self.faces if image.any() else []


def picture(level: int = 100, width: int = 96, height: int = 128) -> RGB:
    return RGB(np.full((height, width, 3), level, np.uint8))


def order(**changes: Any) -> GenerationOrder:
    values: dict[str, Any] = {
        "request": RequestRef(namespace="team", name="minji"),
        "items": [GenerationItem(seed=1, prompt="a person")],
        "width": 96,
        "height": 128,
        "steps": 20,
    }
    return GenerationOrder(**values | changes)


def first(pixels: RGB, row: int = 1, detail: DetailOrder = DETAIL, **changes: Any) -> FirstPass:
    row_drawn = Row(row, row, f"person {row}", negative_prompt="blur")
    shape = shape_of(order(**changes), has_pose=False)
    return FirstPass(Piece(shape, (row_drawn,), detail=detail), row_drawn, pixels)


class Drawing:
    """Draws a grey of its own for each row, whatever is beside it."""

    def __init__(self) -> None:
        self.batches: list[tuple[Shape, list[Row]]] = []

    def __call__(self, shape: Shape, rows: Sequence[Row]) -> np.ndarray:
        self.batches.append((shape, list(rows)))
        return np.stack([np.full((shape.height, shape.width, 3), 150 + row.index, np.uint8) for row in rows])


def redrawn(pictures: Sequence[FirstPass], *faces: Face) -> tuple[list[SecondPass], Drawing]:
    drawing, finder = Drawing(), Faces(*(faces or (face(40, 30, 16, 20),)))
    passes = redraw_faces(pictures, finder, FULL, drawing)  # type: ignore[arg-type]
    return passes, drawing


@examples(100)
@given(
    st.tuples(st.integers(40, 200), st.integers(40, 200)),
    st.tuples(st.floats(-20, 180), st.floats(-20, 180), st.floats(4, 120), st.floats(4, 120)),
)
def test_a_cut_is_a_square_of_the_picture_with_the_face_in_its_middle_where_there_is_room(
    size: tuple[int, int], box: tuple[float, float, float, float]
) -> None:
    (width, height), (x, y, wide, tall) = size, box
    cut = cut_around(face(*box), width, height)
    assert 0 <= cut.left <= width - cut.edge
    assert 0 <= cut.top <= height - cut.edge
    assert cut.edge == min(round(1.8 * max(wide, tall)), width, height)
    middle = (cut.left + cut.middle[0], cut.top + cut.middle[1])
    assert middle == pytest.approx((x + wide / 2, y + tall / 2))
    if 0 < cut.left < width - cut.edge:
        assert cut.middle[0] == pytest.approx(cut.edge / 2, abs=0.51)


@examples(60)
@given(st.integers(8, 60), st.integers(0, 30), st.integers(0, 60), st.floats(0.2, 0.8), st.floats(0.2, 0.8))
def test_beside_the_mask_not_a_pixel_is_changed_and_the_face_is_the_redrawn_one(
    edge: int, left: int, top: int, across: float, down: float
) -> None:
    cut = FaceCut(left, top, edge, (across * edge, down * edge))
    before = RGB(np.random.default_rng(edge).integers(0, 256, (128, 96, 3), dtype=np.uint8))
    kept = before.copy()
    after = put_back(before, cut, picture(7, *FULL))
    inside = np.zeros((128, 96), dtype=bool)
    inside[top : top + edge, left : left + edge] = cut.mask[..., 0] > 0
    assert (before == kept).all()
    assert (after[~inside] == before[~inside]).all()
    assert inside.sum() < edge * edge, "its corners and edges stay as they were"
    middle = top + int(down * edge), left + int(across * edge)
    assert abs(int(after[middle][0]) - 7) <= 1 or cut.mask[int(down * edge), int(across * edge), 0] < 1


def test_the_whole_face_is_seen_as_it_was_redrawn_and_it_fades_without_a_seam() -> None:
    cut = cut_around(face(30, 40, 24, 32), 96, 128)
    mask = cut.mask[..., 0]
    box = mask[40 - cut.top : 72 - cut.top, 30 - cut.left : 54 - cut.left]
    assert box[box.shape[0] // 2, box.shape[1] // 2] == 1
    assert np.median(box) == 1
    assert box.min() > 0.5
    assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0
    steps = max(np.abs(np.diff(mask, axis=0)).max(), np.abs(np.diff(mask, axis=1)).max())
    assert steps < 0.25


def test_rows_without_a_face_or_with_a_large_one_stay_as_they_are_and_say_so() -> None:
    pictures = [first(picture(0)), first(picture(), 2, DetailOrder(strength=0.4, steps=10, below=20))]
    passes, drawing = redrawn(pictures)
    assert [done.outcome for done in passes] == [DetailOutcome.NO_FACE, DetailOutcome.LARGE_ENOUGH]
    assert all((done.pixels == shown.pixels).all() for done, shown in zip(passes, pictures, strict=True))
    assert drawing.batches == []
    # One pixel more is small; and one that already fills what the model draws cannot be enlarged.
    passes, _ = redrawn([first(picture(), 2, DetailOrder(strength=0.4, steps=10, below=21))])
    assert passes[0].outcome is DetailOutcome.REDRAWN
    passes, _ = redrawn([first(picture())], face(30, 30, 30, 36))
    assert passes[0].outcome is DetailOutcome.LARGE_ENOUGH


def test_faces_of_several_rows_are_drawn_together_at_full_size_by_image_to_image_with_the_same_words() -> None:
    other = DetailOrder(strength=0.6, steps=10)
    pictures = [first(picture(0)), first(picture(90), 2), first(picture(80), 3, other), first(picture(70), 4)]
    passes, drawing = redrawn(pictures)
    assert [[row.index for row in rows] for _, rows in drawing.batches] == [[2, 4], [3]]
    shape, (row, _) = drawing.batches[0]
    assert (shape.width, shape.height, shape.steps, shape.mode, shape.strength) == (
        64,
        64,
        10,
        Mode.IMAGE_TO_IMAGE,
        0.4,
    )
    assert shape.guidance == pictures[1].piece.shape.guidance
    assert (row.prompt, row.negative_prompt) == ("person 2", "blur")
    assert row.seed != 2
    assert 0 <= row.seed < 2**63
    assert row.initial_image is not None
    assert row.initial_image.size == FULL
    assert (np.asarray(row.initial_image) == 90).all()
    # Each its own face, where the face is.
    assert [int(done.pixels[40, 48, 0]) for done in passes] == [0, 152, 153, 154]
    assert [int(done.pixels[0, 0, 0]) for done in passes] == [0, 90, 80, 70]


def test_the_pose_is_that_of_the_cut_laid_upon_the_face_that_was_drawn() -> None:
    """The eyes and the nose of a pose that is off by a few pixels, and larger, come where the picture has them."""
    points = np.array([[44, 38], [52, 38], [48, 43], [45, 47], [51, 47]], np.float32)
    drawn = Face((40, 30, 16, 20), points, 0.9)
    pose: list[tuple[float, float] | None] = [None] * 18
    for joint, (x, y) in {14: (43, 42), 15: (53, 42), 0: (48, 48), 1: (48, 80)}.items():
        pose[joint] = (x / 96, y / 128)
    cut = cut_around(drawn, 96, 128)
    placed = joints_in(cut, tuple(pose), drawn, (96, 128))
    pixels = {joint: np.array(place) * cut.edge + (cut.left, cut.top) for joint, place in enumerate(placed) if place}
    assert sorted(pixels) == [0, 1, 14, 15]
    assert np.linalg.norm(pixels[14] - (44, 38)) < 0.3
    assert np.linalg.norm(pixels[15] - (52, 38)) < 0.3
    assert np.linalg.norm(pixels[0] - (48, 43)) < 0.3
    assert pixels[1] == pytest.approx((48, 43 + 32 * 0.81), abs=1)

    posed = first(picture(), 2)
    shape = replace(posed.piece.shape, has_pose=True, control_weight=0.8, control_end=0.7)
    row = replace(posed.row, joints=tuple(pose))
    bare = replace(posed, piece=replace(posed.piece, shape=shape))
    passes, drawing = redrawn([replace(bare, row=row), bare], drawn)
    assert [outcome.outcome for outcome in passes] == [DetailOutcome.REDRAWN] * 2
    (followed, (with_map,)), (free, (without,)) = drawing.batches
    assert (followed.has_pose, followed.control_weight, followed.control_end) == (True, 0.8, 0.7)
    assert (free.has_pose, free.control_weight, free.control_end) == (False, 0, 0)
    assert without.pose is None
    assert with_map.pose is not None
    assert np.asarray(with_map.pose).shape == (64, 64, 3)
    assert np.asarray(with_map.pose).any()


def test_the_largest_face_is_the_persons() -> None:
    passes, _ = redrawn([first(picture())], face(10, 10, 20, 24), face(70, 100, 8, 10))
    assert passes[0].pixels[22, 20, 0] == 151
    assert passes[0].pixels[105, 74, 0] == 100


STYLE = ProfileStyleSpec(title=Title(en="Look"), prompt="{subject}")


def test_a_style_leaves_the_second_pass_to_the_model_unless_it_says_otherwise() -> None:
    plain, told = PictureSize(896, 1152), PictureSize(896, 1152, face_pixels=350)
    always = STYLE.model_copy(update={"detail": FaceDetail(mode=DetailMode.ALWAYS, strength_percent=55, steps=12)})
    never = STYLE.model_copy(update={"detail": FaceDetail(mode=DetailMode.NEVER)})
    assert plain.detail(STYLE) is None
    assert told.detail(STYLE) == DetailOrder(strength=0.4, steps=30, below=350)
    assert plain.detail(always) == told.detail(always) == DetailOrder(strength=0.55, steps=12)
    assert told.detail(never) is None


@pytest.mark.parametrize(
    ("sampler", "percent", "steps"), [(30, 40, 30), (2, 40, 3), (3, 40, 3), (1, 5, 20), (4, 30, 4)]
)
def test_a_sampler_of_few_steps_leaves_one_for_the_face(sampler: int, percent: int, steps: int) -> None:
    detail = FaceDetail(mode=DetailMode.ALWAYS, strength_percent=percent)
    style = STYLE.model_copy(update={"sampler": Sampler(steps=sampler), "detail": detail})
    asked = PictureSize(64, 64).detail(style)
    assert asked == DetailOrder(strength=percent / 100, steps=steps)
    check(order(detail=asked), has_control=False)


def test_what_asks_for_no_second_pass_is_the_same_order_as_ever() -> None:
    assert "detail" not in STYLE.distinction()
    assert "detail" not in order().document()
    assert PictureSize(896, 1152).parameters == [896, 1152, None]
    assert PictureSize(896, 1152, face_pixels=350).parameters == [896, 1152, None, {"face_pixels": 350}]


def test_a_second_pass_of_no_step_is_refused_in_a_sentence() -> None:
    for percent in (4, 96):
        with pytest.raises(ValidationError, match=r"strength_percent\n.* (less|greater) than or equal to"):
            FaceDetail(strength_percent=percent)
    with pytest.raises(Refused, match=r"4 steps at strength 0\.2 leave no step for the second pass over faces: raise"):
        check(order(detail=DetailOrder(strength=0.2, steps=4)), has_control=False)
    check(order(detail=DetailOrder(strength=0.25, steps=4)), has_control=False)
