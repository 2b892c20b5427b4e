"""The print sheet's geometry: exact sizes, nothing beyond the page, nothing upon another."""

from __future__ import annotations

import io
import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from profile_contract.layouts import LAYOUTS, Layout, LayoutName
from profile_contract.stages.finish import FinishOrder, FinishParameters, LayoutFile, Portrait
from profile_contract.stages.order import RequestRef
from profile_finish import sheet
from profile_finish.bands import text_band
from profile_finish.print_sheet import FOOT, GAP, MARGIN, PAGE_HEIGHT, PAGE_WIDTH, places, print_sheet
from profile_finish.references import References
from profile_finish.sheet import Thumbnails
from profile_finish.titles import drawn_at, drawn_title, title_of
from profile_runtime.store.folder import FolderStore

POINTS_PER_MILLIMETRE = 72 / 25.4


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_copies_stand_apart_and_within_the_margins(layout: Layout) -> None:
    found = places(layout)
    lefts, lows = (sorted({place[axis] for place in found}) for axis in (0, 1))
    assert len(found) == len(lefts) * len(lows)
    assert lefts[0] >= MARGIN
    assert lefts[-1] + layout.width_mm <= PAGE_WIDTH - MARGIN + 1e-9
    assert lows[0] >= FOOT + MARGIN
    assert lows[-1] + layout.height_mm <= PAGE_HEIGHT - MARGIN + 1e-9
    assert all(right - left == pytest.approx(layout.width_mm + GAP) for left, right in pairwise(lefts))
    assert all(high - low == pytest.approx(layout.height_mm + GAP) for low, high in pairwise(lows))


def test_a_page_holds_as_many_as_it_can() -> None:
    counts = {name: len(places(LAYOUTS[name])) for name in (LayoutName.RESUME, LayoutName.PRINT, LayoutName.SQUARE)}
    assert counts == {LayoutName.RESUME: 6, LayoutName.PRINT: 1, LayoutName.SQUARE: 2}


def test_a_page_for_each_cut_with_the_picture_in_its_size(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    stream = io.BytesIO()
    Image.new("RGB", (354, 472), "grey").save(stream, "JPEG")
    names = (LayoutName.RESUME, LayoutName.EMPLOYEE_CARD)
    files = [LayoutFile(layout=name, key=f"{name}.jpg", width=354, height=472, bytes=1, checks=[]) for name in names]
    for file in files:
        store.write(file.key, stream.getvalue())
    portrait = Portrait(style="studio-warm", seed=1, rank=1, key="one.png", likeness=90, layouts=files)
    pages = print_sheet(store, [portrait], "Portraits for minji")
    boxes = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", pages)
    size = [round(edge * POINTS_PER_MILLIMETRE, 2) for edge in (PAGE_WIDTH, PAGE_HEIGHT)]
    assert [[round(float(edge), 2) for edge in box] for box in boxes] == [size, size]
    assert print_sheet(store, [portrait], "Portraits for minji") == pages


def test_the_document_says_its_title_and_when_it_was_drawn(tmp_path: Path) -> None:
    drawn = datetime(2026, 3, 2, 18, 30, 5, tzinfo=timezone(timedelta(hours=9)))
    pages = print_sheet(FolderStore(tmp_path), [], "사원증 (Minji)", drawn)
    information = _information(pages)
    assert information["Title"] == "사원증 (Minji)"
    assert information["CreationDate"] == information["ModDate"] == "D:20260302093005+00'00'"
    assert print_sheet(FolderStore(tmp_path), [], "사원증 (Minji)", drawn) == pages


def _information(pages: bytes) -> dict[str, str]:
    """The texts of a PDF's information dictionary: octal escapes and UTF-16 undone."""
    found = {}
    for name, text in re.findall(rb"/(Title|CreationDate|ModDate) \(((?:\\.|[^\\)])*)\)", pages, re.DOTALL):
        raw = re.sub(
            rb"\\([0-7]{3}|.)",
            lambda match: bytes([int(match[1], 8)]) if len(match[1]) == 3 else match[1],
            text,
            flags=re.DOTALL,
        )
        found[name.decode()] = raw.decode("utf-16" if raw.startswith(b"\xfe\xff") else "latin-1")
    return found


def order(**fields: str) -> FinishOrder:
    parameters = FinishParameters(portraits=1, minimum_likeness=0, layouts=[])
    return FinishOrder(
        request=RequestRef(namespace="hr", name="p-1"), digest="d", output="hr.1a2b3c4d-5e6f/requests/p-1/portraits/d/",
        dataset="hr.1a2b3c4d-5e6f/requests/p-1/dataset/d/report.json", styles=[], parameters=parameters, **fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "title", "drawn"),
    [
        ({"title": "Employee card", "drawn_at": "2026-03-02T09:00:00Z"}, "Employee card", "Employee card"),
        ({"title": "사원증", "drawn_at": "2026-03-02T09:00:00Z"}, "사원증", "사원증"),
        # As a Mac writes it.
        ({"title": unicodedata.normalize("NFD", "사원증")}, unicodedata.normalize("NFD", "사원증"), "사원증"),
        ({"title": "תמונה", "drawn_at": "2026-03-02T09:00:00Z"}, "תמונה", "Portraits of 2026-03-02"),
        ({"title": "תמונה"}, "תמונה", "Portraits for p-1"),
        (
            {"title": " \u3000 ", "drawn_at": "2026-03-02T09:00:00Z"},
            "Portraits of 2026-03-02",
            "Portraits of 2026-03-02",
        ),
        ({"title": "  "}, "Portraits for p-1", "Portraits for p-1"),
        ({"drawn_at": "2026-03-02T09:00:00Z"}, "Portraits of 2026-03-02", "Portraits of 2026-03-02"),
        ({"drawn_at": "yesterday"}, "Portraits for p-1", "Portraits for p-1"),
    ],
)
def test_a_document_is_called_as_its_owner_does_or_by_its_day(fields: dict[str, str], title: str, drawn: str) -> None:
    assert (title_of(order(**fields)), drawn_title(order(**fields))) == (title, drawn)


def test_a_time_without_a_zone_is_in_utc() -> None:
    assert drawn_at(order(drawn_at="2026-03-02T09:00:00")) == datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_a_sheet_says_once_that_a_toy_drew_it(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def written_band(text: str, size: int, **more: Any) -> Image.Image:
        written.append(text)
        return text_band(text, size, **more)

    monkeypatch.setattr(sheet, "text_band", written_band)
    references = References(images=[], embeddings=[], ceiling=0.6)
    for toy, times in (("", 0), ("studio-mini", 1)):
        written.clear()
        toyed = order(title="Card").parameters.model_copy(update={"toy_model": toy})
        sheet.contact_sheet(order(title="Card").model_copy(update={"parameters": toyed}), references, [], Thumbnails())
        assert written[0] == "Card"
        assert sum("studio-mini is a small demonstration model" in text for text in written) == times
