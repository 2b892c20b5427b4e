"""The machine-readable likeness report, likeness.json."""

from __future__ import annotations

from pydantic import Field

from profile_contract.model import Contract
from profile_contract.stages.finish import Comparison, FinishOrder, Score, ToneShift

from .references import References


class Reference(Contract):
    """A photo that likeness was judged by."""

    photo: str
    key: str
    held_out: bool


class LikenessDocument(Contract):
    """What was measured on every candidate of an order, and against what."""

    namespace: str
    name: str
    digest: str
    references: list[Reference]
    ceiling: float = Field(description="Mean SFace cosine between the person's accepted photos: 100 per cent.")
    minimum_likeness: int
    scores: list[Score]
    tones: list[ToneShift]
    comparisons: list[Comparison] = Field(default=[], description="Seeds of delivered portraits in other tones.")


def likeness_document(
    order: FinishOrder,
    references: References,
    scores: list[Score],
    tones: list[ToneShift],
    comparisons: list[Comparison],
) -> LikenessDocument:
    """The report of one order."""
    held_out = [image for image in references.images if image.held_out]
    judges = held_out or references.images
    return LikenessDocument(
        namespace=order.request.namespace,
        name=order.request.name,
        digest=order.digest,
        references=[Reference(photo=i.photo, key=i.image, held_out=i.held_out) for i in judges],
        ceiling=references.ceiling,
        minimum_likeness=order.parameters.minimum_likeness,
        scores=scores,
        tones=tones,
        comparisons=comparisons,
    )
