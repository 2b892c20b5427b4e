"""The four figures of a look: what it changes of pictures, what it costs a face, whether it shows somebody. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profile_contract.stages.train import LookAtWeight
from profile_vision import cosine
from profile_vision.likeness import Embedding

Values = NDArray[np.float64]

# SFace's cosines of real photos: one person .55 and above, two people up to .45.
ONE_PERSON = 0.55
# The light that a look's pictures share makes strangers more alike: of eight faces that nobody of the pictures is, the
# cosine to the nearest of them rose by up to .10. Whom a look has learnt comes nearer than that.
RISE = 0.12
# A look that goes less than this share of the way is hardly seen.
ENOUGH = 0.6
# Steps of CIELAB, and shares of a channel's spread, below which pictures do not differ: no way is to be gone.
NEAR_COLOUR, NEAR_FEATURES = 3.0, 0.05


@dataclass(frozen=True)
class PictureMeasures:
    """What was measured on a picture. `backdrop` and `skin`: mean CIELAB (3,), None where none is seen; `features`: see
    `LookAtWeight`; `face`: of the largest face, None where none is seen."""

    backdrop: Values | None
    skin: Values | None
    features: Values
    face: Embedding | None


def figures_at(
    weight_percent: int,
    drawn: Sequence[PictureMeasures],
    without: Sequence[PictureMeasures],
    pictures: Sequence[PictureMeasures],
) -> LookAtWeight:
    """The figures at a weight. `drawn` and `without` are of the same seeds, in order; `pictures`: the look's own."""
    faces = [(with_look.face, plain.face) for with_look, plain in zip(drawn, without, strict=True)]
    kept = [cosine(face, plain) for face, plain in faces if face is not None and plain is not None]
    own = [picture.face for picture in pictures if picture.face is not None]
    nearest = [(_nearest(face, own), _nearest(plain, own)) for face, plain in faces]
    seen = [here for here, _ in nearest if here is not None]
    rises = [here - plain for here, plain in nearest if here is not None and plain is not None]
    return LookAtWeight(
        weight_percent=weight_percent,
        backdrop=_share(drawn, without, pictures, "backdrop", NEAR_COLOUR),
        light=_share(drawn, without, pictures, "skin", NEAR_COLOUR),
        features=_share(drawn, without, pictures, "features", NEAR_FEATURES),
        likeness=round(float(np.mean(kept)), 3) if kept else None,
        nearest=round(max(seen), 3) if seen else None,
        rise=round(max(rises), 3) if rises else None,
        # A stranger who was nearly as like without the look is nobody whom it learnt.
        resembling=sum(
            here is not None and here >= ONE_PERSON and (plain is None or here - plain >= RISE)
            for here, plain in nearest
        ),
    )


def _nearest(face: Embedding | None, others: Sequence[Embedding]) -> float | None:
    """The greatest cosine of a face to one of others; None where there is none."""
    if face is None or not others:
        return None
    return max(cosine(face, other) for other in others)


def _share(
    drawn: Sequence[PictureMeasures],
    without: Sequence[PictureMeasures],
    pictures: Sequence[PictureMeasures],
    what: str,
    near: float,
) -> float | None:
    """Which share of the way from pictures without the look to its own the drawn ones went; None for no way."""
    means = [_mean(group, what) for group in (drawn, without, pictures)]
    here, begin, end = means
    if here is None or begin is None or end is None:
        return None
    way = end - begin
    length = float(way @ way)
    return round(float((here - begin) @ way) / length, 3) if length >= near**2 else None


def _mean(group: Sequence[PictureMeasures], what: str) -> Values | None:
    """The mean of one measure over pictures; None where none has it."""
    values = [value for value in (getattr(picture, what) for picture in group) if value is not None]
    return np.mean(values, axis=0, dtype=np.float64) if values else None


def recommended(weights: Sequence[LookAtWeight]) -> int | None:
    """The weight to begin with: of those that resemble nobody and leave faces who they were, the least that goes enough
    of the way, else the one that goes furthest; None where there is none."""
    sound = [row for row in weights if row.resembling == 0 and (row.likeness is None or row.likeness >= ONE_PERSON)]
    if not sound:
        return None
    enough = [row for row in sound if min(_ways(row)) >= ENOUGH]
    best = min(enough, key=lambda row: row.weight_percent) if enough else max(sound, key=lambda row: sum(_ways(row)))
    return best.weight_percent


def _ways(row: LookAtWeight) -> list[float]:
    """How far a look goes in backdrop and in light; where neither says anything, in features."""
    shares = [share for share in (row.backdrop, row.light) if share is not None]
    return shares or [row.features or 0.0]
