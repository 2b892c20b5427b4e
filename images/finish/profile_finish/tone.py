"""The tone that a style promises, against what it drew: its candidates beside neutral twins of the same seeds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from profile_contract.stages.finish import ToneShift
from profile_contract.style import Tone
from profile_vision.tone import Colours

# Wanted shift of mean b* against the neutral twin, by tone; how far lightness and likeness may move (design figures).
WANTED = {Tone.WARM: (2.0, 6.0), Tone.COOL: (-6.0, -2.0), Tone.NEUTRAL: (-2.0, 2.0)}
LIGHTNESS = 4.0
LIKENESS = 0.03
# What a shift of b* below and above the wanted one is to who looks at the portraits.
BESIDE = {
    Tone.WARM: ("less warm", "warmer"),
    Tone.COOL: ("cooler", "less cool"),
    Tone.NEUTRAL: ("cooler", "warmer"),
}


@dataclass(frozen=True)
class Twins:
    """A candidate's colours, its neutral twin's, and how much more the candidate is like the person (a difference of
    cosines), where both show a face."""

    own: Colours
    neutral: Colours
    likeness_change: float | None = None


def tone_shift(style: str, tone: Tone, pairs: Sequence[Twins]) -> ToneShift:
    """The mean shift of candidates against their twins, and whether it is what the tone promises. Needs a pair."""
    b = float(np.mean([pair.own.b - pair.neutral.b for pair in pairs]))
    lightness = float(np.mean([pair.own.lightness - pair.neutral.lightness for pair in pairs]))
    changes = [pair.likeness_change for pair in pairs if pair.likeness_change is not None]
    change = float(np.mean(changes)) if changes else None
    return ToneShift(
        style=style,
        tone=tone,
        pairs=len(pairs),
        b_shift=round(b, 2),
        l_shift=round(lightness, 2),
        likeness_change=None if change is None else round(change, 4),
        met=is_met(tone, b, lightness, change),
    )


def is_met(tone: Tone, b: float, lightness: float, likeness: float | None) -> bool:
    """Whether shifts of b*, L* and cosine against neutral twins are what the tone promises."""
    low, high = WANTED[tone]
    return low <= b <= high and abs(lightness) <= LIGHTNESS and (likeness is None or abs(likeness) <= LIKENESS)


def tone_in_words(shift: ToneShift) -> str:
    """How the tone came out against what was asked for, as people would say it: the figures stand in the report."""
    low, high = WANTED[shift.tone]
    cooler, warmer = BESIDE[shift.tone]
    if shift.b_shift < low:
        words = f"{cooler} than asked"
    elif shift.b_shift > high:
        words = f"{warmer} than asked"
    else:
        words = f"{shift.tone.lower()} tone, as asked"
    if abs(shift.l_shift) > LIGHTNESS:
        words += f"; {'lighter' if shift.l_shift > 0 else 'darker'} than in neutral light"
    if shift.likeness_change is not None and shift.likeness_change < -LIKENESS:
        words += "; less like the person than in neutral light"
    return words
