"""Whether two pictures of a face show one moment: one photo cropped, mirrored, filtered and framed, or a burst.

Asked of the face alone, brought to one place and size: what is around it changes with every crop, and a person looks
alike in all photos, but never the same to the pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .likeness import Embedding, cosine
from .pixels import BGR

# Over eight people: no pair of 528 photos of different moments is as like as either of these, 52 of 56 edits of one
# photo are, and 75 of 80 pairs that stand for bursts.
SAME_PIXELS = 0.90
SAME_FACE = 0.955
# Sharpening, noise and compression are no difference.
BLUR = 2.0


@dataclass(frozen=True)
class Fingerprint:
    """What moments are told by: aligned grey face (112, 112), embedding (128,), and how much detail the photo has."""

    face: NDArray[np.float32]
    embedding: Embedding
    detail: float = 0.0


def aligned_grey(aligned: BGR) -> NDArray[np.float32]:
    """An aligned face (112, 112, 3) as it is compared: grey, blurred, of mean 0 and length 1."""
    grey = cv2.GaussianBlur(cv2.cvtColor(aligned, cv2.COLOR_BGR2GRAY).astype(np.float32), (0, 0), BLUR)
    grey = grey - grey.mean()
    unit: NDArray[np.float32] = (grey / max(float(np.linalg.norm(grey)), 1e-6)).astype(np.float32)
    return unit


def same_moment(a: Fingerprint, b: Fingerprint) -> bool:
    """Whether two photos show one moment, one of them mirrored perhaps."""
    if cosine(a.embedding, b.embedding) >= SAME_FACE:
        return True
    likeness = max(float((a.face * b.face).sum()), float((a.face * b.face[:, ::-1]).sum()))
    return likeness >= SAME_PIXELS
