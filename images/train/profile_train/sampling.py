"""Which examples make up the batch of a step. A function of seed and step alone, so that resuming needs no state."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Hashable, Sequence


def epoch_batches(sizes: Sequence[Hashable], batch: int, seed: int, epoch: int) -> list[list[int]]:
    """Indices of the examples of each batch of an epoch: every example equally often, one size a batch.

    An epoch shows every example once where all sizes fill their batches; otherwise so often that they do, batch times
    at most. To fill up a short batch instead would show a photo alone in its size as often as a whole batch of others.
    """
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, size in enumerate(sizes):
        groups[size].append(index)
    times = batch // math.gcd(batch, *map(len, groups.values()))
    draw = random.Random(f"{seed}/{epoch}")  # noqa: S311 - a shuffle, not a secret
    batches = []
    for members in groups.values():
        order: list[int] = []
        for _ in range(times):
            draw.shuffle(members)
            order += members
        batches += [order[i : i + batch] for i in range(0, len(order), batch)]
    draw.shuffle(batches)
    return batches


def batch_of(sizes: Sequence[Hashable], batch: int, seed: int, step: int) -> list[int]:
    """Indices of the batch of a step, counted from 0 over all epochs."""
    per_epoch = len(epoch_batches(sizes, batch, seed, 0))
    return epoch_batches(sizes, batch, seed, step // per_epoch)[step % per_epoch]


def alone(sizes: Sequence[tuple[int, int]], crops: int) -> list[tuple[int, int]]:
    """The sizes that a single photo has; `sizes` are those of all examples, `crops` after one another of each photo.

    Such a photo has batches of its own: what it shows is learnt apart from the others.
    """
    photos: dict[tuple[int, int], set[int]] = defaultdict(set)
    for index, size in enumerate(sizes):
        photos[size].add(index // crops)
    return [size for size, members in photos.items() if len(members) == 1 < len(sizes) // crops]
