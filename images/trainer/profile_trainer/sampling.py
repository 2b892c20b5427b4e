"""Which examples make up the batch of a step. A function of seed and step alone, so that resuming needs no state."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Sequence


def epoch_batches(sizes: Sequence[Hashable], batch: int, seed: int, epoch: int) -> list[list[int]]:
    """Indices of the examples of each batch of an epoch: every example at least once, one size a batch.

    A last batch that is short is filled from the same size's beginning.
    """
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, size in enumerate(sizes):
        groups[size].append(index)
    draw = random.Random(f"{seed}/{epoch}")  # noqa: S311 - a shuffle, not a secret
    batches = []
    for members in groups.values():
        draw.shuffle(members)
        count = -(-len(members) // batch)
        filled = [members[i % len(members)] for i in range(count * batch)]
        batches += [filled[i : i + batch] for i in range(0, len(filled), batch)]
    draw.shuffle(batches)
    return batches


def batch_of(sizes: Sequence[Hashable], batch: int, seed: int, step: int) -> list[int]:
    """Indices of the batch of a step, counted from 0 over all epochs."""
    per_epoch = len(epoch_batches(sizes, batch, seed, 0))
    return epoch_batches(sizes, batch, seed, step // per_epoch)[step % per_epoch]
