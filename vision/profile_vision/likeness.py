"""Likeness as a figure: cosines between identity embeddings, as a share of the person's own ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Embedding = NDArray[np.float32]


@dataclass(frozen=True)
class Likeness:
    """How much a face is like the references: mean cosine, and per cent of the ceiling, -100 to 100."""

    cosine: float
    percent: int


def cosine(a: Embedding, b: Embedding) -> float:
    """Cosine between two embeddings of any length, -1 to 1."""
    lengths = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(np.dot(a, b)) / lengths if lengths else 0.0


def ceiling(embeddings: Sequence[Embedding]) -> float:
    """Mean pairwise cosine of a person's real photos: what a perfect portrait could reach. 1.0 for fewer than two."""
    pairs = [cosine(a, b) for a, b in combinations(embeddings, 2)]
    return float(np.mean(pairs)) if pairs else 1.0


def likeness(embedding: Embedding, references: Sequence[Embedding], ceiling: float) -> Likeness:
    """Mean cosine to the references, as per cent of the ceiling, clipped to -100..100.

    Raises ValueError without references, or for a ceiling that is not positive: then likeness has no meaning.
    """
    if not references:
        raise ValueError("likeness needs at least one reference embedding")
    if ceiling <= 0:
        raise ValueError(f"the ceiling must be positive, not {ceiling:.3f}: the references show different people")
    mean = float(np.mean([cosine(embedding, reference) for reference in references]))
    return Likeness(cosine=mean, percent=int(np.clip(round(100 * mean / ceiling), -100, 100)))
