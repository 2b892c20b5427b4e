"""The likeness report, likeness.json: what was measured on every candidate of an order, and against what."""

from __future__ import annotations

from pydantic import Field

from .model import Tolerant
from .stages.finish import Comparison, Score, ToneShift


class ShownLikeness(Tolerant):
    """What the page shows of the report; those of older versions hold no comparisons."""

    tones: list[ToneShift] = []
    comparisons: list[Comparison] = Field(default=[], description="Seeds of delivered portraits in other tones.")


class LikenessReference(Tolerant):
    """A photo that likeness was judged by."""

    photo: str
    key: str
    held_out: bool


class LikenessDocument(ShownLikeness):
    """The whole report of one order."""

    namespace: str
    name: str
    digest: str
    references: list[LikenessReference]
    ceiling: float = Field(description="Mean SFace cosine between the person's accepted photos: 100 per cent.")
    minimum_likeness: int
    scores: list[Score]
