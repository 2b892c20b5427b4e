"""Whether a style's light is what it promises: its candidates against neutral twins of the same seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_contract.stages.finish import ToneShift
from profile_contract.style import Tone
from profile_vision import Face, FaceReader, MaskReader
from profile_vision.picture import Pixels

from .references import References

# Wanted shift of mean b* against the neutral twin, by tone; how far lightness and likeness may move (design figures).
WANTED = {Tone.WARM: (2.0, 6.0), Tone.COOL: (-6.0, -2.0), Tone.NEUTRAL: (-2.0, 2.0)}
LIGHTNESS = 4.0
LIKENESS = 0.03
# Skin is looked for in the middle of the face's box, away from hair and background.
SKIN_SHARE = 0.6
# Mask values below this are background. A background of less than this share of the picture says nothing.
BACKGROUND = 25
LEAST_BACKGROUND = 0.02


@dataclass(frozen=True)
class Colours:
    """Mean L* and b* of skin and background together, and the cosine to the references where there is a face."""

    lightness: float
    b: float
    cosine: float | None


def colours(image: Pixels, faces: FaceReader, mask: MaskReader, references: References) -> Colours:
    """The mean of the means of skin and background of a BGR picture; of the whole picture where neither is found."""
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2Lab).astype(np.float32)
    found = faces.find(image)
    parts = [lab[_skin(found[0], lab)]] if found else []
    outside = mask.read(image) < BACKGROUND
    if outside.mean() >= LEAST_BACKGROUND:
        parts.append(lab[outside])
    means = np.mean([part.reshape(-1, 3).mean(axis=0) for part in parts or [lab]], axis=0)
    return Colours(lightness=float(means[0]), b=float(means[2]), cosine=_cosine(image, found, faces, references))


def _skin(face: Face, lab: NDArray[np.float32]) -> tuple[slice, slice]:
    height, width = lab.shape[:2]
    x, y, w, h = face.box
    border = (1 - SKIN_SHARE) / 2
    left, top = int(np.clip(x + border * w, 0, width - 1)), int(np.clip(y + border * h, 0, height - 1))
    right, bottom = int(x + (1 - border) * w), int(y + (1 - border) * h)
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def _cosine(image: Pixels, found: list[Face], faces: FaceReader, references: References) -> float | None:
    if not found or not references.embeddings:
        return None
    embedding = faces.embed(image, found[0])
    return float(np.mean([float(np.dot(embedding, reference)) for reference in references.embeddings]))


def tone_shift(style: str, tone: Tone, pairs: Sequence[tuple[Colours, Colours]]) -> ToneShift:
    """The mean shift of pairs (candidate, neutral twin), and whether it is what the tone promises. Needs a pair."""
    b = float(np.mean([own.b - twin.b for own, twin in pairs]))
    lightness = float(np.mean([own.lightness - twin.lightness for own, twin in pairs]))
    changes = [own.cosine - twin.cosine for own, twin in pairs if own.cosine is not None and twin.cosine is not None]
    change = float(np.mean(changes)) if changes else None
    return ToneShift(
        style=style,
        tone=tone,
        pairs=len(pairs),
        b_shift=round(b, 2),
        l_shift=round(lightness, 2),
        likeness_change=None if change is None else round(change, 4),
        met=is_met(tone, b, lightness, change),
    )


def is_met(tone: Tone, b: float, lightness: float, likeness: float | None) -> bool:
    """Whether shifts of b*, L* and cosine against neutral twins are what the tone promises."""
    low, high = WANTED[tone]
    return low <= b <= high and abs(lightness) <= LIGHTNESS and (likeness is None or abs(likeness) <= LIKENESS)
