"""head_of: where a face's head is, from its five points."""

from __future__ import annotations

import numpy as np

from profile_contract.framing import Head

from .faces import Face

# From the eyes to the chin is this many times from the eyes to the mouth (115 and 68 mm in a mean head; seen to fit
# real and rendered faces within some 5 %). The eyes are half way between chin and crown.
EYES_TO_CHIN = 1.69


def head_of(face: Face) -> Head:
    """The head of a face that is upright within some 20 degrees; a pixel high at least."""
    eyes, mouth = face.points[:2].mean(axis=0), face.points[3:].mean(axis=0)
    down = float(np.linalg.norm(mouth - eyes))
    return Head(height=max(1.0, 2 * EYES_TO_CHIN * down), eyes=float(eyes[1]), middle=float((eyes[0] + mouth[0]) / 2))
