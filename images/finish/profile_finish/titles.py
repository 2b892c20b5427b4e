"""What the documents of an order are called, and of when they are. Pure."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from profile_contract.stages.finish import FinishOrder
from profile_vision.lettering import can_be_lettered


def title_of(order: FinishOrder) -> str:
    """The title that the owner gave; without one, what it is and of when."""
    title = order.title.strip()
    if title:
        return title
    drawn = drawn_at(order)
    return f"Portraits of {drawn:%Y-%m-%d}" if drawn else f"Portraits for {order.request.name}"


def drawn_title(order: FinishOrder) -> str:
    """The title for a sheet: one with letters that its typeface lacks is not drawn as empty boxes."""
    # As a Mac writes Hangul, a syllable is several letters, none of which the typeface has.
    title = unicodedata.normalize("NFC", title_of(order))
    return title if can_be_lettered(title) else title_of(order.model_copy(update={"title": ""}))


def drawn_at(order: FinishOrder) -> datetime | None:
    """When the last candidate was drawn, in UTC where no zone is said; None where the order does not tell."""
    try:
        when = datetime.fromisoformat(order.drawn_at)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
