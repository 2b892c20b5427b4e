"""The print sheet: a photo lab's 10 x 15 cm pages, each full of one cut of one portrait in its exact size."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime

from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from profile_contract.layouts import LAYOUTS, Layout
from profile_contract.stages.finish import LayoutFile, Portrait
from profile_runtime.store.port import Store
from profile_vision.files import SOFTWARE, STATEMENT
from profile_vision.lettering import TYPEFACE

# All lengths in millimetres.
PAGE_WIDTH, PAGE_HEIGHT = 100.0, 150.0
MARGIN, GAP = 6.0, 3.0
CUT_MARK = 2.0
FOOT = 4.0
FOOT_POINTS = 5
FOOT_FONT = "ProfileSheet"

Place = tuple[float, float]


def print_sheet(store: Store, portraits: list[Portrait], title: str, drawn: datetime | None = None) -> bytes:
    """A PDF with a page for each layout of each portrait, dated when they were drawn. Raises StoreError."""
    # Embedded, as photo labs ask for.
    pdfmetrics.registerFont(TTFont(FOOT_FONT, str(TYPEFACE)))
    stream = io.BytesIO()
    # invariant: the same portraits give the same bytes, and no clock is read.
    canvas = Canvas(stream, pagesize=(PAGE_WIDTH * mm, PAGE_HEIGHT * mm), invariant=True)
    if drawn is not None:
        date = drawn.astimezone(UTC).strftime("D:%Y%m%d%H%M%S+00'00'")
        canvas.setDateFormatter(lambda *_: date)
    canvas.setTitle(title)
    canvas.setSubject(STATEMENT)
    canvas.setCreator(SOFTWARE)
    canvas.setKeywords("AI-generated")
    for portrait in portraits:
        for file in portrait.layouts:
            _page(canvas, LAYOUTS[file.layout], store.read(file.key), _foot(portrait, file))
    canvas.save()
    return stream.getvalue()


def places(layout: Layout) -> list[Place]:
    """Lower left corners of the copies that fit a page, the grid in its middle, above the foot line."""
    columns = _fitting(PAGE_WIDTH - 2 * MARGIN, layout.width_mm)
    rows = _fitting(PAGE_HEIGHT - 2 * MARGIN - FOOT, layout.height_mm)
    left = (PAGE_WIDTH - columns * layout.width_mm - (columns - 1) * GAP) / 2
    low = FOOT + (PAGE_HEIGHT - FOOT - rows * layout.height_mm - (rows - 1) * GAP) / 2
    return [
        (left + column * (layout.width_mm + GAP), low + row * (layout.height_mm + GAP))
        for row in range(rows)
        for column in range(columns)
    ]


def _fitting(room: float, size: float) -> int:
    return int((room + GAP) // (size + GAP))


def _page(canvas: Canvas, layout: Layout, data: bytes, foot: str) -> None:
    """A page of one cut: its copies, the marks to cut along, and the foot line."""
    picture = ImageReader(io.BytesIO(data))
    for left, low in places(layout):
        canvas.drawImage(picture, left * mm, low * mm, layout.width_mm * mm, layout.height_mm * mm)
    canvas.setLineWidth(0.25)
    canvas.lines([tuple(value * mm for value in line) for line in _cut_marks(layout)])
    canvas.setFont(FOOT_FONT, FOOT_POINTS)
    canvas.drawCentredString(PAGE_WIDTH / 2 * mm, MARGIN / 2 * mm, foot)
    canvas.showPage()


def _cut_marks(layout: Layout) -> Iterator[tuple[float, float, float, float]]:
    """Short lines beyond the grid, where a cutter is laid on: they never touch a picture."""
    corners = places(layout)
    columns = sorted({edge for left, _ in corners for edge in (left, left + layout.width_mm)})
    rows = sorted({edge for _, low in corners for edge in (low, low + layout.height_mm)})
    for x in columns:
        yield (x, rows[0] - CUT_MARK - 0.5, x, rows[0] - 0.5)
        yield (x, rows[-1] + 0.5, x, rows[-1] + 0.5 + CUT_MARK)
    for y in rows:
        yield (columns[0] - CUT_MARK - 0.5, y, columns[0] - 0.5, y)
        yield (columns[-1] + 0.5, y, columns[-1] + 0.5 + CUT_MARK, y)


def _foot(portrait: Portrait, file: LayoutFile) -> str:
    layout = LAYOUTS[file.layout]
    size = f"{layout.width_mm:g} x {layout.height_mm:g} mm"
    return f"{portrait.style} {portrait.rank}, {file.layout}, {size}. Print at 100 %. {STATEMENT}"
