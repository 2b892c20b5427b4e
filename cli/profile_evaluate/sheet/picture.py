"""The sheet as one picture: cells in rows and columns under the values of the axes, a part below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from profile_finish.bands import EMPTY, FAINT, INK, PAPER, wrapped
from profile_vision.files import STATEMENT, jpeg
from profile_vision.lettering import lettering
from profile_vision.pixels import RGB, to_bgr

from .axes import Axis
from .cells import Place, SheetPlan
from .measures import CellMeasure

QUALITY, DPI = 92, 150
# JPEG's own limit is 65,500; a picture of more pixels than this opens slowly anywhere.
MOST_PIXELS = 100_000_000
LONGEST_EDGE = 16_000
SMALLEST_CELL = 144
MARGIN, GAP = 28, 6
TITLE, LABEL, SMALL = 22, 17, 13
LABELS_WIDE = 150


def sheet_picture(
    plan: SheetPlan, title: str, pictures: Mapping[Place, RGB], measures: Mapping[Place, CellMeasure]
) -> bytes:
    """The sheet as a marked JPEG. `pictures`: (height, width, 3) by place; all are drawn in the size of the first."""
    height, width = next(iter(pictures.values())).shape[:2]
    cell = _fitting(plan, width, height)
    labels = LABELS_WIDE if plan.axes[1] is not None else 0
    wide = max(2 * MARGIN + labels + plan.length(0) * (cell[0] + GAP), 480)
    legend = [f"{way}: {axis.title}" for way, axis in zip(("across", "down", "parts"), plan.axes, strict=True) if axis]
    heading = wrapped(title, TITLE, wide - 2 * MARGIN)
    facts = wrapped("; ".join(legend), SMALL + 2, wide - 2 * MARGIN)
    notice = wrapped(STATEMENT, SMALL, wide - 2 * MARGIN)
    top = MARGIN + len(heading) * 31 + len(facts) * 21 + 10
    part = (34 if plan.axes[2] is not None else 0) + (28 if plan.axes[0] is not None else 0)
    row = cell[1] + 2 * SMALL + 20
    tall = top + plan.length(2) * (part + plan.length(1) * row + 8) + len(notice) * 18 + MARGIN
    page = Image.new("RGB", (wide, tall), PAPER)
    drawing = ImageDraw.Draw(page)
    _lines(drawing, heading, (MARGIN, MARGIN), TITLE)
    _lines(drawing, facts, (MARGIN, MARGIN + 31 * len(heading)), SMALL + 2, colour=FAINT)
    for place in pictures:
        x, y, z = place
        left = MARGIN + labels + x * (cell[0] + GAP)
        begin = top + z * (part + plan.length(1) * row + 8)
        up = begin + part + y * row
        if (x, y) == (0, 0) and plan.axes[2] is not None:
            _lines(drawing, [f"{plan.axes[2].title}: {_label(plan.axes[2], z)}"], (MARGIN, begin + 4))
        if y == 0 and plan.axes[0] is not None:
            _lines(drawing, wrapped(_label(plan.axes[0], x), LABEL, cell[0])[:1], (left, up - 25))
        if x == 0 and plan.axes[1] is not None:
            _lines(drawing, wrapped(_label(plan.axes[1], y), LABEL, labels - 12)[:6], (MARGIN, up))
        page.paste(_fitted(pictures[place], cell), (left, up))
        _lines(drawing, _captions(measures[place]), (left, up + cell[1] + 3), SMALL, colour=FAINT)
    _lines(drawing, notice, (MARGIN, tall - MARGIN - 18 * len(notice) + 8), SMALL, colour=FAINT)
    return jpeg(to_bgr(RGB(np.asarray(page))), DPI, QUALITY)


def _fitting(plan: SheetPlan, width: int, height: int) -> tuple[int, int]:
    """Width and height of a cell: a picture's own, larger where that is hardly seen, smaller where the sheet would be
    too large."""
    columns, rows = plan.length(0), plan.length(1) * plan.length(2)
    most = min(
        (LONGEST_EDGE - LABELS_WIDE) / columns / width,
        LONGEST_EDGE / rows / height,
        (MOST_PIXELS / (columns * rows * width * height)) ** 0.5,
    )
    scale = min(max(1.0, SMALLEST_CELL / width), 0.9 * most)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _fitted(picture: RGB, cell: tuple[int, int]) -> Image.Image:
    """A picture within a cell, as large as its shape allows."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    scale = min(cell[0] / image.width, cell[1] / image.height)
    ground = Image.new("RGB", cell, EMPTY)
    inner = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    ground.paste(inner, ((cell[0] - inner.width) // 2, (cell[1] - inner.height) // 2))
    return ground


def _label(axis: Axis, number: int) -> str:
    return axis.label(axis.values[number])


def _captions(measure: CellMeasure) -> list[str]:
    """What is said below a picture."""
    if measure.faces != 1:
        first = "no face" if not measure.faces else f"{measure.faces} faces"
    else:
        first = "" if measure.likeness is None else f"likeness {measure.likeness:.0f} %"
    return [text for text in (first, f"L* {measure.lightness:.0f}, b* {measure.b:+.1f}") if text]


def _lines(
    drawing: ImageDraw.ImageDraw,
    lines: Sequence[str],
    place: tuple[int, int],
    size: int = LABEL,
    *,
    colour: tuple[int, int, int] = INK,
) -> None:
    """Lines of text, one below the other."""
    for number, line in enumerate(lines):
        drawing.text((place[0], place[1] + number * round(1.4 * size)), line, font=lettering(size), fill=colour)
