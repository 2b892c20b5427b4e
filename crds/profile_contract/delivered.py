"""Delivered portraits as a request's status tells them, from the finisher's report. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .request_status import PortraitStatus
from .stages.finish import FinishReport
from .style_ref import StyleRef

MOST_PORTRAITS = 128


def delivered_portraits(report: FinishReport, style_keys: Sequence[str]) -> list[PortraitStatus]:
    """Portraits or previews in the order in which their styles are asked for, the best of each style first."""
    places = {key: place for place, key in enumerate(style_keys)}
    ordered = sorted(report.portraits, key=lambda portrait: places.get(portrait.style, len(places)))
    return [
        PortraitStatus(
            style=(style := StyleRef.of_key(portrait.style)).name,
            kind=style.kind,
            key=portrait.key,
            seed=portrait.seed,
            rank=portrait.rank,
            likeness=max(-100, min(100, portrait.likeness)),
            layouts={layout.layout: layout.key for layout in portrait.layouts},
            source=portrait.source or None,
            thumbnail=portrait.thumbnail or None,
        )
        for portrait in ordered[:MOST_PORTRAITS]
    ]
