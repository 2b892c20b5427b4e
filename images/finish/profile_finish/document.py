"""The likeness report of an order, from what finishing measured."""

from __future__ import annotations

from profile_contract.likeness import LikenessDocument, LikenessReference
from profile_contract.stages.finish import Comparison, FinishOrder, Score, ToneShift

from .references import References


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
        references=[LikenessReference(photo=i.photo, key=i.image, held_out=i.held_out) for i in judges],
        ceiling=references.ceiling,
        minimum_likeness=order.parameters.minimum_likeness,
        scores=scores,
        tones=tones,
        comparisons=comparisons,
    )
