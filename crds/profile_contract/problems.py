"""What is wrong with a document that a model refused, as one sentence for a person."""

from __future__ import annotations

from pydantic import ValidationError

# So many problems are named at once.
MOST_NAMED = 5


def problems_of(error: ValidationError, *, most: int = MOST_NAMED, below: str = "", whole: str = "") -> str:
    """Field by field, without the values, which may be secret: `a.b: message; c: message`.

    `below` stands before every field, `whole` for the document itself where no field is to blame.
    """
    named = (
        f"{below}{'.'.join(map(str, problem['loc'])) or whole}: {problem['msg']}" for problem in error.errors()[:most]
    )
    return "; ".join(named)
