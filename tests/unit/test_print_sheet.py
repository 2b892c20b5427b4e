"""The print sheet's geometry: exact sizes, nothing beyond the page, nothing upon another."""

from __future__ import annotations

import io
import re
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from profile_contract.layouts import LAYOUTS, Layout
from profile_contract.names import LayoutName
from profile_contract.orders import LayoutFile, Portrait
from profile_contract.store import FolderStore
from profile_finisher.print_sheet import FOOT, GAP, MARGIN, PAGE_HEIGHT, PAGE_WIDTH, places, print_sheet

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
