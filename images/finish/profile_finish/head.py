"""Where a head is, from a face's five points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from profile_vision import Face

# From the eyes to the chin is this many times from the eyes to the mouth (115 and 68 mm in a mean head; seen to fit
# real and rendered faces within some 5 %). The eyes are half way between chin and crown.
EYES_TO_CHIN = 1.69


@dataclass(frozen=True)
class Head:
    """A head in pixels: height from chin to crown, height of the eye line from the upper edge, middle from the left."""

    height: float
    eyes: float
    middle: float

    @property
    def crown(self) -> float:
        """Height of the crown from the upper edge."""
        return self.eyes - self.height / 2


def head_of(face: Face) -> Head:
    """The head of a face that is upright within some 20 degrees."""
    eyes, mouth = face.points[:2].mean(axis=0), face.points[3:].mean(axis=0)
    down = float(np.linalg.norm(mouth - eyes))
    return Head(height=2 * EYES_TO_CHIN * down, eyes=float(eyes[1]), middle=float((eyes[0] + mouth[0]) / 2))


def mean_head(first: Head, second: Head) -> Head:
    """The mean of two looks at one head, in pixels of the same picture."""
    return Head(
        height=(first.height + second.height) / 2,
        eyes=(first.eyes + second.eyes) / 2,
        middle=(first.middle + second.middle) / 2,
    )
