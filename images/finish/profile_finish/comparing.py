"""The same start in another light: which pictures stand side by side. Pure.

Every style ranks its own candidates, so the seed that was delivered in one light often was not in the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profile_contract.stages.finish import Score, StyleCandidates
from profile_contract.style import Tone


@dataclass(frozen=True)
class Side:
    """A scored candidate of a style. `showable`: it could be delivered, had there been room."""

    style: str
    tone: Tone
    score: Score
    showable: bool


@dataclass(frozen=True)
class ComparisonRow:
    """What one seed became in looks of different tones, in the order of the styles."""

    seed: int
    sides: tuple[Side, ...]


def compared(
    styles: Sequence[StyleCandidates], ranked: Sequence[Sequence[Score]], showable: Sequence[frozenset[int]]
) -> list[ComparisonRow]:
    """The rows, those with the greatest likeness first. `ranked` and `showable` (seeds) are of the same styles.

    A row holds candidates of one seed, one pose and one photo (others have nothing in common), of two tones at least,
    and one that was delivered at least.
    """
    sides: dict[tuple[int, str, str], list[Side]] = {}
    for style, scores, seeds in zip(styles, ranked, showable, strict=True):
        candidates = {candidate.seed: candidate for candidate in style.candidates if not candidate.twin}
        for score in scores:
            side = Side(style.style, style.tone, score, score.seed in seeds)
            candidate = candidates[score.seed]
            sides.setdefault((score.seed, candidate.pose, candidate.source), []).append(side)
    rows = []
    for (seed, *_), beside in sides.items():
        delivered = [side.score.likeness for side in beside if side.score.delivered]
        if delivered and len({side.tone for side in beside}) > 1:
            best = max((percent for percent in delivered if percent is not None), default=-101)
            rows.append((-best, seed, ComparisonRow(seed, tuple(beside))))
    return [row for _, _, row in sorted(rows, key=lambda ranked: ranked[:2])]
