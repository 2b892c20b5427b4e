"""Times as documents write them: which texts are times that can be counted with. Pure."""

from __future__ import annotations

import re
from datetime import datetime

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
# A machine without a clock begins in the first; beyond the last, sums with a time might be none any more.
FIRST_YEAR, LAST_YEAR = 1970, 2999


def is_time(text: str) -> bool:
    """Whether it is a time with its zone, of such a year: the 99th of a month has the right form and is no time."""
    try:
        return _TIME.fullmatch(text) is not None and FIRST_YEAR <= datetime.fromisoformat(text).year <= LAST_YEAR
    except ValueError:
        return False


def checked_time(text: str) -> str:
    """The text, if it is a time. Raises ValueError."""
    if not is_time(text):
        raise ValueError("must be a time like 2026-01-02T03:04:05Z")
    return text
