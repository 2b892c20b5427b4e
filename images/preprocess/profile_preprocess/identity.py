"""Who the photos are of: the identity that most of them share, not the largest face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from profile_faces import cosine

Embedding = NDArray[np.float32]

# SFace cosines of real photos: one person .55 and above, two people up to .45; OpenCV's own limit for 'same' is .363.
# Groups are joined by their mean cosine, which scatters less than single pairs.
SAME_PERSON = 0.45
# A photo belongs to the subject if its cosine to the mean of the subject's photos is at least this. A mean of several
# photos is nearer to each of them than they are to each other, and hardly nearer to other people. Measured on eight
# renders of one person with one to four of another: 0.3 % of the subject rejected, 4 % of the others accepted.
LIKE_SUBJECT = 0.55


def subject(embeddings: Sequence[Embedding]) -> list[bool]:
    """For each photo, whether it shows the subject. Ties between groups go to the one that agrees most with itself."""
    if not embeddings:
        return []
    groups = cluster(similarities(embeddings), SAME_PERSON)
    table = similarities(embeddings)
    core = max(groups, key=lambda group: (len(group), float(table[np.ix_(group, group)].mean()), -group[0]))
    return [likeness_to_core(index, core, embeddings) >= LIKE_SUBJECT for index in range(len(embeddings))]


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
