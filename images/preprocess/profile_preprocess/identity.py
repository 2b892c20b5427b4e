"""Who the photos are of: the identity that most of them share, not the largest face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profile_vision import cosine

Embedding = NDArray[np.float32]

# SFace cosines of real photos: one person .55 and above, two people up to .45; OpenCV's own limit for 'same' is .363.
# Groups are joined by their mean cosine, which scatters less than single pairs.
SAME_PERSON = 0.45
# A photo belongs to the subject if its cosine to the mean of the subject's photos is at least this. A mean of several
# photos is nearer to each of them than they are to each other, and hardly nearer to other people. Measured on eight
# renders of one person with one to four of another: 0.3 % of the subject rejected, 4 % of the others accepted.
LIKE_SUBJECT = 0.55
# A second person in as many photos as this, per photo of the first, may be the one who is meant.
TIE = 2 / 3
# Two photos are a pair of strangers, not a person who was photographed often.
SMALLEST_RIVAL = 3


@dataclass(frozen=True)
class MainPerson:
    """`shown`: for each photo, whether it shows the subject. `rivals`: for each, whether it shows a person who may as
    well be meant; all False where the subject is clear."""

    shown: list[bool]
    rivals: list[bool]

    @property
    def is_clear(self) -> bool:
        """Whether the photos say who is meant."""
        return not any(self.rivals)


def subject(embeddings: Sequence[Embedding]) -> MainPerson:
    """Who most of the photos show; every photo should be of another moment, or one moment votes many times."""
    if not embeddings:
        return MainPerson([], [])
    table = similarities(embeddings)
    groups = cluster(table, SAME_PERSON)
    ranked = sorted(groups, key=lambda group: (len(group), float(table[np.ix_(group, group)].mean()), -group[0]))
    core, second = ranked[-1], ranked[-2] if len(ranked) > 1 else []
    shown = [likeness_to_core(index, core, embeddings) >= LIKE_SUBJECT for index in range(len(embeddings))]
    # Photos of the subject that stood apart at first are no second person.
    rival = [index for index in second if not shown[index]]
    tie = len(rival) >= max(SMALLEST_RIVAL, TIE * sum(shown))
    return MainPerson(shown, [tie and index in rival for index in range(len(embeddings))])


def likeness_to_core(index: int, core: Sequence[int], embeddings: Sequence[Embedding]) -> float:
    """Cosine between one photo and the mean of the core's other photos; 1.0 if it is the core's only one."""
    others = [embeddings[other] for other in core if other != index]
    if not others:
        return 1.0
    return cosine(embeddings[index], np.mean(others, axis=0))


def similarities(embeddings: Sequence[Embedding]) -> NDArray[np.float64]:
    """Cosine of every pair, (N, N), for embeddings of length 1."""
    rows = np.asarray(embeddings, dtype=np.float64)
    return rows @ rows.T


def cluster(table: NDArray[np.float64], threshold: float) -> list[list[int]]:
    """Average-linkage clustering: join the two groups of highest mean similarity while it is at least `threshold`.

    With at most some dozens of photos the plain cubic algorithm takes less than a millisecond.
    """
    groups = [[index] for index in range(len(table))]
    while len(groups) > 1:
        pairs = [(a, b) for a in range(len(groups)) for b in range(a + 1, len(groups))]
        means = [float(table[np.ix_(groups[a], groups[b])].mean()) for a, b in pairs]
        best = int(np.argmax(means))
        if means[best] < threshold:
            break
        first, second = pairs[best]
        groups[first] = groups[first] + groups.pop(second)
    return [sorted(group) for group in groups]
