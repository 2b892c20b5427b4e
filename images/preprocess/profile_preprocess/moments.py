"""Repeats among a person's photos: a burst, one file in two sizes, or one photo edited and saved again."""

from __future__ import annotations

from collections.abc import Sequence

from profile_vision.moments import Fingerprint, same_moment


def repeats(photos: Sequence[Fingerprint]) -> list[int | None]:
    """For each photo the index of the one of its moment that is kept, which has more detail; None if it is kept."""
    order = sorted(range(len(photos)), key=lambda index: (-photos[index].detail, index))
    kept: list[int] = []
    answer: list[int | None] = [None] * len(photos)
    for index in order:
        answer[index] = next((other for other in kept if same_moment(photos[index], photos[other])), None)
        if answer[index] is None:
            kept.append(index)
    return answer
