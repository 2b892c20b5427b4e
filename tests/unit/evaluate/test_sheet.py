"""Axes of a sheet as they are typed, the cells that come of them, and what a cell is drawn with."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from profile_cli.errors import CommandError
from profile_contract.look_ref import LookRef
from profile_contract.picture_size import PictureSize
from profile_contract.style import ProfileStyleSpec, SamplerName, Title
from profile_evaluate.sheet.axes import MOST_CELLS, MOST_VALUES, Axis, check_axes, parse_axis
from profile_evaluate.sheet.cells import NOBODY, CellSetting, SheetPlan
from profile_evaluate.sheet.command import document
from profile_evaluate.sheet.measures import CellMeasure
from profile_evaluate.sheet.picture import sheet_picture
from profile_vision.pixels import RGB
from properties import examples

BASE = CellSetting(base_model="mini", style="plain", adapter="minji", seed=7, pose="frontal")
PLAIN = ProfileStyleSpec(title=Title(en="Plain"), prompt="portrait of {subject} in an office, {tone}")
STYLES = {"plain": PLAIN}


# --- axes ---


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("seed: 1-4", (1, 2, 3, 4)),
        ("seed: 5, 7-8, 1", (5, 7, 8, 1)),
        ("steps: 10-30 (+10)", (10, 20, 30)),
        ("steps: 10-35(+10)", (10, 20, 30)),
        ("weight: 0-100 [5]", (0, 25, 50, 75, 100)),
        ("weight: 0, 150", (0, 150)),
        ("guidance: 1.5, 3", (15, 30)),
        ("guidance: 1-2 (+0.5)", (10, 15, 20)),
        ("strength: 5 , 95", (5, 95)),
        ("control: 0, 200", (0, 200)),
        ('prompt: office, "garden, at night"', ("office", "garden, at night")),
        ("sampler: Euler, DPM++2M", ("Euler", "DPM++2M")),
        ("base-model: a, b", ("a", "b")),
    ],
)
def test_an_axis_is_read_as_the_webui_writes_it(text: str, values: tuple[int | str, ...]) -> None:
    assert parse_axis(text).values == values


def test_a_looks_axis_names_its_look() -> None:
    axis = parse_axis("look:rim-light: 0, 60")
    assert (axis.kind, axis.name, axis.values) == ("look", "rim-light", (0, 60))
    assert axis.title == "rim-light, weight in %"


def test_values_are_shown_as_they_were_typed() -> None:
    axis = parse_axis("guidance: 1.5, 3")
    assert [axis.label(value) for value in axis.values] == ["1.5", "3"]


REFUSED = {
    "": "write WHAT: VALUE",
    "weight": "write WHAT: VALUE",
    "colour: red": "'colour: red' is no axis",
    "weight:": "lacks a value: write weight: 0, 50, 100",
    "weight: 10,,20": "lacks a value",
    "weight: 151": "whole numbers from 0 to 150 are wanted",
    "weight: -1": "'-1' is no value of the axis weight",
    "weight: ten": "'ten' is no value of the axis weight: numbers are wanted, such as 0, 50, 100",
    "weight: NaN": "is no value",
    "weight: Infinity": "is no value",
    "seed: 1.5": "whole numbers",
    "seed: 9223372036854775808": "whole numbers",
    "guidance: 1.55": "steps of 0.1",
    "guidance: 0.9": "from 1 to 30",
    "steps: 30-10": "a range goes upwards",
    "steps: 1-9 (+0)": "a range goes upwards",
    "strength: 4": "from 5 to 95",
    "seed: 1-1000000000000": f"more than {MOST_VALUES} values",
    "seed: 1-5 [1000000000000]": "whole numbers",
    "seed: 3, 1-4": "says a value twice",
    "sampler: Euler, Heun": "the axis sampler knows Euler, DPM++2M, DPM++2MKarras",
    "look: 0, 30": "write look:NAME: 0, 30, 60",
    'prompt: "a, b': "close each quotation",
    "prompt: " + "x" * 201: "more than 200 letters",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_axis_is_told_what_to_write(text: str) -> None:
    with pytest.raises(CommandError) as refused:
        parse_axis(text)
    assert REFUSED[text] in str(refused.value)


@examples(150)
@given(st.text(max_size=60), st.sampled_from(["", "seed:", "guidance: ", "look:a:", "prompt:"]))
def test_whatever_is_typed_there_is_a_sentence_or_an_axis(text: str, head: str) -> None:
    try:
        axis = parse_axis(head + text)
    except CommandError:
        return
    assert 1 <= len(axis.values) <= MOST_VALUES


def test_a_sheet_is_bounded_and_its_axes_differ() -> None:
    check_axes([parse_axis("seed: 1-16"), parse_axis("weight: 1-16")])
    with pytest.raises(CommandError, match=f"make 272 pictures; a sheet has {MOST_CELLS} at most"):
        check_axes([parse_axis("seed: 1-16"), parse_axis("weight: 1-17")])
    with pytest.raises(CommandError, match="two axes change the same"):
        check_axes([parse_axis("seed: 1"), parse_axis("seed: 2")])
    check_axes([parse_axis("look:a: 1"), parse_axis("look:b: 2")])


# --- cells ---


def changed(text: str, base: CellSetting = BASE) -> CellSetting:
    axis = parse_axis(text)
    return base.changed(axis, axis.values[-1])


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("steps: 10, 11", "steps", 11),
        ("guidance: 1, 2.5", "guidance_tenths", 25),
        ("strength: 30", "strength_percent", 30),
        ("control: 55", "control_weight_percent", 55),
        ("sampler: DPM++2M", "sampler", SamplerName.DPM),
    ],
)
def test_sampling_of_an_axis_goes_before_the_recipes(text: str, field: str, value: object) -> None:
    recipe = PictureSize(160, 160, 20, 15, 100, 100, strength_percent=40)
    size = changed(text).size(recipe)
    assert getattr(size, field) == value
    others = {
        "width",
        "height",
        "steps",
        "guidance_tenths",
        "strength_percent",
        "control_weight_percent",
        "sampler",
    } - {field}
    assert all(getattr(size, other) == getattr(recipe, other) for other in others)


def test_words_are_searched_in_the_prompt_and_replaced() -> None:
    assert changed("prompt: an office, a garden").styled(STYLES).prompt == "portrait of {subject} in a garden, {tone}"
    with pytest.raises(CommandError, match="does not hold 'a beach', the first value"):
        changed("prompt: a beach, a garden").styled(STYLES)


def test_looks_of_an_axis_stand_beside_those_of_the_style() -> None:
    styles = {"plain": PLAIN.model_copy(update={"adapters": [LookRef(name="film", weight_percent=40)]})}
    assert changed("look:rim: 70").styled(styles).adapters == [
        LookRef(name="film", weight_percent=40),
        LookRef(name="rim", weight_percent=70),
    ]
    assert changed("look:film: 0").styled(styles).adapters is None
    four = BASE
    for name in "abcd":
        four = changed(f"look:{name}: 10", four)
    with pytest.raises(CommandError, match="3 looks at most"):
        four.styled(STYLES)


def test_a_weight_is_the_persons_own() -> None:
    assert changed("weight: 30").styled(STYLES).adapter_weight_percent == 30
    assert BASE.styled(STYLES).adapter_weight_percent == PLAIN.adapter_weight_percent
    assert changed("adapter: none").adapter == NOBODY


def test_what_no_style_can_say_is_told_in_a_sentence() -> None:
    long = {"plain": PLAIN.model_copy(update={"prompt": "an office " * 90})}
    with pytest.raises(CommandError, match="nothing can be drawn with these values"):
        changed("prompt: an office, a very long and winding garden").styled(long)


def plan(*texts: str) -> SheetPlan:
    axes: list[Axis | None] = [parse_axis(text) for text in texts]
    axes += [None] * (3 - len(axes))
    return SheetPlan((axes[0], axes[1], axes[2]), BASE)


def test_cells_go_across_then_down_then_by_parts() -> None:
    cells = plan("seed: 1-2", "weight: 0, 50", "steps: 5, 6").cells
    assert [cell.place for cell in cells[:5]] == [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1)]
    last = cells[-1].setting
    assert (last.seed, last.weight, dict(last.sampling)) == (2, 50, {"steps": 6})
    assert plan().cells[0].setting == BASE


# --- what is written ---


def test_the_figures_say_each_cells_values() -> None:
    grid = plan("seed: 1-2", "guidance: 1.5, 3")
    measures = {cell.place: CellMeasure(1, 50.0 + cell.place[0], 60.0, -3.0) for cell in grid.cells}
    written = document(grid, {cell.place: f"cells/{cell.place}.png" for cell in grid.cells}, measures)
    cells = written["cells"]
    assert isinstance(cells, list)
    assert cells[3] == {
        "values": {"seed": "2", "guidance": "3"},
        "file": "cells/(1, 1, 0).png",
        "faces": 1, "likeness": 51.0, "lightness": 60.0, "b": -3.0,
    }  # fmt: skip
    assert written["axes"] == [{"what": "seed", "values": ["1", "2"]}, {"what": "guidance", "values": ["1.5", "3"]}]


def drawn(grid: SheetPlan, edge: int) -> Image.Image:
    """The sheet of plain cells, each of its own colour."""
    colour = {cell.place: 40 + 60 * cell.place[0] + 20 * cell.place[1] for cell in grid.cells}
    pictures = {place: RGB(np.full((edge, edge, 3), value % 256, np.uint8)) for place, value in colour.items()}
    measures = {cell.place: CellMeasure(1, 50.0, 60.0, -3.0) for cell in grid.cells}
    return Image.open(io.BytesIO(sheet_picture(grid, "title", pictures, measures)))


def test_every_cell_stands_in_its_column_and_row() -> None:
    grey = np.asarray(drawn(plan("seed: 1-3", "weight: 0, 50"), 160).convert("L")).astype(int)
    for x in range(3):
        for y in range(2):
            rows, columns = np.nonzero(abs(grey - (40 + 60 * x + 20 * y)) <= 2)
            middle = np.median(columns), np.median(rows)
            assert abs(middle[0] - (28 + 150 + x * 166 + 80)) < 4, (x, y)
            assert abs(middle[1] - (28 + 31 + 21 + 10 + 28 + y * 206 + 80)) < 12, (x, y)


@pytest.mark.parametrize("edge", [64, 2048])
def test_small_pictures_are_enlarged_and_large_sheets_bounded(edge: int) -> None:
    small = drawn(plan("seed: 1-16", "weight: 1-2"), edge)
    assert small.width >= 16 * 144
    assert small.width * small.height <= 100_000_000
    assert small.width <= 16_384
