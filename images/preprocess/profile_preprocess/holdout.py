"""Which accepted photos are kept from training, to judge likeness by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Fewer photos are needed for training more than for judging.
ENOUGH = 8
SHARE = 0.15
MOST = 3


def held_out(embeddings: Sequence[NDArray[np.float32]]) -> set[int]:
    """Indices of 1 to 3 of at least 8 photos: the most typical ones, so that a chance expression is not the measure."""
    count = len(embeddings)
    if count < ENOUGH:
        return set()
    rows = np.asarray(embeddings, dtype=np.float64)
    typical = (rows @ rows.T).mean(axis=1)
    number = min(max(round(SHARE * count), 1), MOST)
    return set(np.argsort(-typical, kind="stable")[:number].tolist())
