"""A photo is framed before it is drawn over: its head where it is wanted, or larger, and its joints with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_contract.framing import Head, HeadPlace
from profile_contract.generation import SourceFraming
from profile_vision.framing import widest_cut
from profile_vision.pixels import BGR
from profile_vision.windows import framed
from properties import examples

WANTED = HeadPlace(height=0.5, eyes=0.42, middle=0.5)


def photo(width: int, height: int, *, busy: bool = True) -> BGR:
    """Plain grey, or with something in every corner; its columns and rows tell where they stand."""
    grain = np.random.default_rng(3).integers(0, 80, (height, width, 3)) if busy else np.zeros((height, width, 3))
    return BGR((100 + grain).astype(np.uint8))


@examples(60)
@given(st.floats(0.1, 0.6), st.floats(0.2, 0.6), st.floats(0.3, 0.7))
def test_nothing_is_invented_and_the_eyes_are_where_they_are_wanted(tall: float, eyes: float, middle: float) -> None:
    framing = SourceFraming(head=HeadPlace(height=tall, eyes=eyes, middle=middle), wanted=WANTED)
    pixels, window = framed(photo(120, 160), framing, 96, 128)
    assert pixels.shape == (128, 96, 3)
    assert window.outside(120, 160) == pytest.approx(0, abs=1e-6)
    head = framing.head.within(120, 160)
    assert head.height / window.height >= WANTED.height - 1e-6
    (seen, *_) = window.joints(((middle, eyes), *[None] * 17), 120, 160)
    assert seen == pytest.approx(((head.middle - window.left) / window.width, (head.eyes - window.top) / window.height))
    if not window.short:
        assert head.height / window.height == pytest.approx(WANTED.height)
        assert (head.eyes - window.top) / window.height == pytest.approx(WANTED.eyes, abs=0.031)


def test_plain_backdrop_is_continued_above_and_the_body_never() -> None:
    high = SourceFraming(head=HeadPlace(height=0.3, eyes=0.16, middle=0.5), wanted=WANTED)
    _, above = framed(photo(160, 160, busy=False), high, 96, 96)
    assert above.top < 0
    low = SourceFraming(head=HeadPlace(height=0.3, eyes=0.9, middle=0.5), wanted=WANTED)
    _, below = framed(photo(160, 160, busy=False), low, 96, 96)
    assert below.top + below.height <= 160
    assert below.short == "below"


@examples(60)
@given(st.integers(50, 3000), st.integers(50, 3000), st.floats(20, 800), st.floats(0, 1), st.floats(0, 1))
def test_the_widest_cut_lies_in_the_photo_and_is_not_enlarged(
    width: int, height: int, tall: float, eyes: float, middle: float
) -> None:
    head = Head(height=tall, eyes=eyes * height, middle=middle * width)
    cut = widest_cut(width, height, head, 256)
    assert cut.left >= 0
    assert cut.top >= 0
    assert cut.left + cut.width <= width + 1
    assert cut.top + cut.height <= height + 1
    assert cut.out_width * cut.out_height <= 4 * 256**2 * 1.02 + 4 * 256
    assert cut.out_width <= round(cut.width)
    moved = cut.head(head)
    assert (moved.eyes / cut.scale + cut.top, moved.middle / cut.scale + cut.left) == pytest.approx(
        (head.eyes, head.middle), abs=0.01
    )
