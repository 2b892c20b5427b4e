"""What the contact sheet says about a style's tone: words for people, no figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_contract.stages.finish import Score, ToneShift
from profile_contract.style import Tone
from profile_finish.sheet import StyleSection, tone_text
from profile_finish.tone import is_met, tone_in_words
from properties import examples


def shift(tone: Tone, b: float, lightness: float = 0.0, change: float | None = None) -> ToneShift:
    return ToneShift(
        style="s", tone=tone, pairs=4, b_shift=b, l_shift=lightness, likeness_change=change,
        met=is_met(tone, b, lightness, change),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (shift(Tone.WARM, 4.0, -0.8, 0.004), "warm tone, as asked"),
        (shift(Tone.WARM, 1.9), "less warm than asked"),
        (shift(Tone.WARM, -3.0), "less warm than asked"),
        (shift(Tone.WARM, 7.8, -0.5, 0.048), "warmer than asked"),
        (shift(Tone.COOL, -2.0), "cool tone, as asked"),
        (shift(Tone.COOL, -1.9), "less cool than asked"),
        (shift(Tone.COOL, -6.1), "cooler than asked"),
        (shift(Tone.NEUTRAL, 2.0), "neutral tone, as asked"),
        (shift(Tone.NEUTRAL, 2.1), "warmer than asked"),
        (shift(Tone.NEUTRAL, -2.1), "cooler than asked"),
        (shift(Tone.WARM, 4.0, 4.1), "warm tone, as asked; lighter than in neutral light"),
        (shift(Tone.COOL, -7.0, -4.1), "cooler than asked; darker than in neutral light"),
        (shift(Tone.WARM, 4.0, 0, -0.031), "warm tone, as asked; less like the person than in neutral light"),
        (shift(Tone.WARM, 4.0, 0, 0.031), "warm tone, as asked"),
    ],
)
def test_a_tone_is_told_as_people_say_it(measured: ToneShift, words: str) -> None:
    assert tone_in_words(measured) == words


def test_a_style_without_twins_tells_what_was_delivered_alone() -> None:
    scores = [Score(style="s", seed=seed, key="k", faces=1, likeness=50) for seed in (1, 2)]
    assert tone_text(StyleSection("s", None, scores)) == "0 of 2 candidates delivered"
    warm = StyleSection("s", shift(Tone.WARM, 1.0), scores)
    assert tone_text(warm) == "0 of 2 candidates delivered; less warm than asked"


@examples(100)
@given(st.sampled_from([*Tone]), st.floats(-20, 20), st.floats(-9, 9), st.none() | st.floats(-1, 0.03))
def test_what_is_as_promised_is_told_as_asked_and_nothing_else_is(
    tone: Tone, b: float, lightness: float, change: float | None
) -> None:
    measured = shift(tone, b, lightness, change)
    words = tone_in_words(measured)
    assert (words == f"{tone.lower()} tone, as asked") == measured.met
    assert not any(character.isdigit() or character == "*" for character in words)
