"""A file that is opened again and again, as photos are: looked at, then cut. No part of it is decoded twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from opened_pictures import encoded
from profile_vision import damage, opening
from profile_vision.picture import NotOpened, PictureLimits

NOISE = Image.fromarray(np.random.default_rng(3).integers(0, 255, (300, 400, 3)).astype(np.uint8)).resize((800, 600))
CUT = (101, 33, 601, 433)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """By whom a file was decoded whole, in order."""
    times: list[str] = []
    load, decode = Image.Image.load, damage._decoded

    def by_pillow(image: Image.Image) -> Any:
        if image.size == NOISE.size and getattr(image, "tile", None):
            times.append("pillow")
        return load(image)

    def by_libjpeg(data: bytes, space: str, *, smallest: bool = False) -> Any:
        times.extend([] if smallest else ["libjpeg"])
        return decode(data, space, smallest=smallest)

    monkeypatch.setattr(Image.Image, "load", by_pillow)
    monkeypatch.setattr(damage, "_decoded", by_libjpeg)
    return times


@pytest.mark.parametrize(("kind", "decoder"), [("JPEG", "libjpeg"), ("PNG", "pillow"), ("WEBP", None)])
def test_the_parts_of_a_file_cost_one_decoding(kind: str, decoder: str | None, decoded: list[str]) -> None:
    data, opener = encoded(NOISE, kind), opening.Opening()
    opener.open(data, PictureLimits(area=100_000))
    parts = [opener.open(data, PictureLimits(), box) for box in (CUT, (0, 0, 400, 300))]
    assert decoder is None or decoded == [decoder]
    for part in parts:
        fresh = opening.Opening().open(data, PictureLimits(), part.box)
        assert np.array_equal(part.pixels, fresh.pixels)
        assert part.facts == fresh.facts


def test_a_part_in_the_files_own_size_is_cut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(NOISE, "PNG")
    cut = opening.Opening().open(data, PictureLimits(), CUT).pixels
    left, top, right, bottom = CUT
    assert np.array_equal(cut, np.asarray(NOISE)[top:bottom, left:right])


def test_another_file_is_another_picture() -> None:
    opener, grey = opening.Opening(), Image.new("RGB", NOISE.size, (90, 90, 90))
    for kind in ("JPEG", "PNG"):
        opener.open(encoded(NOISE, kind), PictureLimits())
        assert opener.open(encoded(grey, kind), PictureLimits()).facts.grey


def test_limits_count_for_a_file_that_was_opened_before() -> None:
    opener, data = opening.Opening(), encoded(NOISE, "JPEG", progressive=True)
    opener.open(data, PictureLimits())
    for limits in (PictureLimits(scans=2), PictureLimits(pixels=1000), PictureLimits(shortest_edge=700)):
        with pytest.raises(NotOpened):
            opener.open(data, limits)
