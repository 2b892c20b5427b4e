"""Which accepted photos are kept from training, to judge likeness by."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Fewer photos are needed for training more than for judging.
ENOUGH = 8
SHARE = 0.15
MOST = 3


def held_out(embeddings: Sequence[NDArray[np.float32]], seed: str) -> set[int]:
    """Indices of 1 to 3 of at least 8 photos, drawn at random, of moments that are as different as may be.

    The most typical ones would flatter whoever is judged, and be missed in training. Each after the first is one of the
    half of all others that are least like those drawn: photos of one occasion judge no more than one of them does.
    `seed`: what stands for the photos, so that the same ones are drawn of the same photos.
    """
    count = len(embeddings)
    if count < ENOUGH:
        return set()
    rows = np.asarray(embeddings, dtype=np.float64)
    likeness = rows @ rows.T
    draw = random.Random(seed)  # noqa: S311 - a choice, not a secret
    drawn = [draw.randrange(count)]
    while len(drawn) < min(max(round(SHARE * count), 1), MOST):
        nearest = likeness[:, drawn].max(axis=1)
        others = sorted(set(range(count)) - set(drawn), key=lambda index: float(nearest[index]))
        drawn.append(draw.choice(others[: (len(others) + 1) // 2]))
    return set(drawn)
