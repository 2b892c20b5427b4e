"""Photos that are almost the same: a burst, or the same file in two sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_faces import cosine

from .decode import Pixels

# Both must hold: a calm background alone makes hashes alike, and a person looks like himself in every photo.
# 64-bit difference hashes of unrelated pictures differ in about 32 bits, of resized or recompressed ones in up to 4;
# embeddings of one photo in two sizes have cosines above .95.
HASH_DISTANCE = 6
SAME_FACE = 0.93


@dataclass(frozen=True)
class Fingerprint:
    """What duplicates are told by: difference hash (64,) bool, embedding (128,), and how good the photo is."""

    hash: NDArray[np.bool_]
    embedding: NDArray[np.float32]
    goodness: float


def difference_hash(image: Pixels) -> NDArray[np.bool_]:
    """The 64-bit dHash of a BGR picture (N. Krawetz, 'Kind of like that', 2013)."""
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    bits: NDArray[np.bool_] = (grey[:, 1:] > grey[:, :-1]).reshape(-1)
    return bits


def duplicates(photos: Sequence[Fingerprint]) -> list[int | None]:
    """For each photo the index of the better photo that it duplicates, or None if it is to be kept."""
    order = sorted(range(len(photos)), key=lambda index: (-photos[index].goodness, index))
    kept: list[int] = []
    answer: list[int | None] = [None] * len(photos)
    for index in order:
        answer[index] = next((other for other in kept if _same(photos[index], photos[other])), None)
        if answer[index] is None:
            kept.append(index)
    return answer


def _same(a: Fingerprint, b: Fingerprint) -> bool:
    distance = int(np.count_nonzero(a.hash != b.hash))
    return distance <= HASH_DISTANCE and cosine(a.embedding, b.embedding) >= SAME_FACE
