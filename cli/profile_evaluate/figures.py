"""Figures of an evaluation, from what was measured. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from profile_contract.stages.finish import ToneShift
from profile_contract.stages.train import Checkpoint
from profile_contract.style import Tone
from profile_finish.tone import is_met
from profile_vision.likeness import Embedding, cosine

# 97.5th percentile of the normal distribution: two-sided intervals of 95 %.
Z95 = 1.96
# The same percentile of Student's t by degrees of freedom (Abramowitz and Stegun 1964, table 26.10).
STUDENT = {
    1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228, 12: 2.179,
    15: 2.131, 20: 2.086, 30: 2.042, 60: 2.000, 120: 1.980,
}  # fmt: skip


@dataclass(frozen=True)
class Share:
    """How many of how many, with Wilson's interval of 95 % (Wilson 1927)."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """0 to 1; 0 of nothing."""
        return self.hits / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        if not self.of:
            return 0.0, 1.0
        middle = (self.value + Z95**2 / (2 * self.of)) / (1 + Z95**2 / self.of)
        spread = self.value * (1 - self.value) / self.of + Z95**2 / (4 * self.of**2)
        half = Z95 * math.sqrt(spread) / (1 + Z95**2 / self.of)
        return max(0.0, middle - half), min(1.0, middle + half)


def pooled(shares: Sequence[Share]) -> Share:
    """Everybody's together."""
    return Share(sum(share.hits for share in shares), sum(share.of for share in shares))


@dataclass(frozen=True)
class Follows:
    """How a point of the pictures follows the pose maps: Pearson's r in x and y, and the mean distance in pixels."""

    x: float
    y: float
    distance: float
    pairs: int


def follows(wanted: Sequence[tuple[float, float]], seen: Sequence[tuple[float, float] | None]) -> Follows | None:
    """None where fewer than three pictures show the point."""
    pairs = [(a, b) for a, b in zip(wanted, seen, strict=True) if b is not None]
    if len(pairs) < 3:
        return None
    table = np.array(pairs)
    distance = float(np.linalg.norm(table[:, 0] - table[:, 1], axis=1).mean())
    return Follows(_pearson(table[:, :, 0]), _pearson(table[:, :, 1]), distance, len(pairs))


def _pearson(table: NDArray[np.float64]) -> float:
    """r between two columns; 0 where one of them does not vary."""
    if table.std(axis=0).min() < 1e-9:
        return 0.0
    matrix = np.asarray(np.corrcoef(table.T))
    return float(matrix[0, 1])


@dataclass(frozen=True)
class PersonFigures:
    """Likeness figures of one person. Cosines are SFace's; `share` is likeness per ceiling."""

    name: str
    ceiling: float
    adapter: float | None
    """Mean cosine of the portraits with the adapter to the references."""
    base: float | None
    """The same prompts and seeds without the adapter."""
    described: float | None
    """Without the adapter, the person described in words instead of the token."""
    one_face: Share
    eyes: Share
    """Portraits of exactly one face in which both eyes are there."""
    photo_eyes: Share
    """The same of the photos: what a portrait can be asked for."""
    named: Share
    """Portraits that are nearer to this person's mean embedding than to anybody else's."""
    checkpoints: tuple[Checkpoint, ...]
    chosen_step: int
    delivered: float | None = None
    """As `adapter`, of the portraits that were delivered alone."""
    delivered_eyes: Share = Share(0, 0)
    """As `eyes`, of these."""

    @property
    def delivered_share(self) -> float | None:
        """Likeness per ceiling of the portraits that were delivered."""
        return None if self.delivered is None else self.delivered / self.ceiling

    @property
    def share(self) -> float | None:
        return None if self.adapter is None else self.adapter / self.ceiling

    @property
    def gain(self) -> float | None:
        """What the adapter adds to the base model's likeness, in cosine."""
        if self.adapter is None:
            return None
        return self.adapter - (self.base or 0.0)

    @property
    def best_delivered(self) -> bool:
        """Whether no checkpoint was more like the person than the delivered one."""
        measured = {
            checkpoint.step: checkpoint.likeness for checkpoint in self.checkpoints if checkpoint.likeness is not None
        }
        return not measured or measured.get(self.chosen_step) == max(measured.values())

    @property
    def rises(self) -> bool | None:
        """Whether likeness at the delivered checkpoint is above the first one's; None if too few were measured."""
        measured = {
            checkpoint.step: checkpoint.likeness for checkpoint in self.checkpoints if checkpoint.likeness is not None
        }
        if len(measured) < 2 or self.chosen_step not in measured:
            return None
        return measured[self.chosen_step] > measured[min(measured)]


@dataclass(frozen=True)
class StyleFigures:
    """What all people's portraits of one style are like."""

    name: str
    tone: Tone
    share: float | None
    """Mean of likeness per ceiling over the portraits with exactly one face; None where there are none."""
    one_face: Share
    shift: ToneShift | None
    """Against the neutral twins of all people together; None where the style promises neutral light."""
    by_person: Mapping[str, float] = field(default_factory=dict)
    """Person -> mean of likeness per ceiling, of those of whom a portrait shows exactly one face."""


def together(shifts: Sequence[ToneShift]) -> ToneShift | None:
    """One style's tone over several people, each weighted by their pairs; None of nothing."""
    pairs = sum(shift.pairs for shift in shifts)
    if not pairs:
        return None
    first = shifts[0]
    b = sum(shift.pairs * shift.b_shift for shift in shifts) / pairs
    lightness = sum(shift.pairs * shift.l_shift for shift in shifts) / pairs
    changes = [(shift.pairs, shift.likeness_change) for shift in shifts if shift.likeness_change is not None]
    change = sum(n * value for n, value in changes) / sum(n for n, _ in changes) if changes else None
    return ToneShift(
        style=first.style,
        tone=first.tone,
        pairs=pairs,
        b_shift=round(b, 2),
        l_shift=round(lightness, 2),
        likeness_change=None if change is None else round(change, 4),
        met=is_met(first.tone, b, lightness, change),
    )


def centroid(embeddings: Sequence[Embedding]) -> Embedding:
    """The mean direction, of length 1."""
    mean = np.mean(embeddings, axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float32)


def nearest(embedding: Embedding, centroids: Mapping[str, Embedding]) -> str:
    """Whose centroid is nearest."""
    return max(centroids, key=lambda name: cosine(embedding, centroids[name]))


def confusion(
    portraits: Mapping[str, Sequence[Embedding]], centroids: Mapping[str, Embedding]
) -> dict[str, dict[str, int]]:
    """CastMember -> who their portraits look like most -> how many."""
    table = {name: dict.fromkeys(centroids, 0) for name in portraits}
    for name, embeddings in portraits.items():
        for embedding in embeddings:
            table[name][nearest(embedding, centroids)] += 1
    return table


def own_mean(embeddings: Sequence[Embedding]) -> float:
    """Mean cosine between a person's own photos."""
    pairs = [cosine(a, b) for i, a in enumerate(embeddings) for b in embeddings[i + 1 :]]
    return float(np.mean(pairs)) if pairs else 1.0


def mean_or_none(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def mean_difference(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """By how much the second values are above the first on average, and the interval of 95 % (Student's t, paired).

    Of two pairs or more.
    """
    differences = np.array([b - a for a, b in pairs])
    mean = float(differences.mean())
    error = float(differences.std(ddof=1)) / math.sqrt(len(pairs))
    half = _student(len(pairs) - 1) * error
    return mean, mean - half, mean + half


def _student(freedom: int) -> float:
    """The 97.5th percentile of Student's t, from the table; between its rows the wider."""
    return STUDENT[max(row for row in STUDENT if row <= freedom)]
