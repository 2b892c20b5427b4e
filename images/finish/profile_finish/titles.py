"""What the documents of an order are called, and of when they are. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from profile_contract.stages.finish import FinishOrder


def title_of(order: FinishOrder) -> str:
    """The title that the owner gave; without one, what it is and of when."""
    if order.title:
        return order.title
    drawn = drawn_at(order)
    return f"Portraits of {drawn:%Y-%m-%d}" if drawn else f"Portraits for {order.request.name}"


def drawn_title(order: FinishOrder) -> str:
    """The title for a sheet whose letters are Latin ones alone: another is not drawn as empty boxes."""
    try:
        order.title.encode("latin-1")
    except UnicodeEncodeError:
        return title_of(order.model_copy(update={"title": ""}))
    return title_of(order)


def drawn_at(order: FinishOrder) -> datetime | None:
    """When the last candidate was drawn, in UTC where no zone is said; None where the order does not tell."""
    try:
        when = datetime.fromisoformat(order.drawn_at)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
