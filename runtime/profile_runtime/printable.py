"""printable: a text that strangers wrote, as it may be put on a terminal."""

from __future__ import annotations

import re

# What moves a terminal's cursor, changes its colours or title, or turns the direction of its text, and halves of
# characters, which cannot be written at all. Names of photos and messages of pods are written by strangers.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def printable(text: str) -> str:
    """The text with everything that a terminal would obey shown as its code (`\\x1b`); lines and tabs stay."""
    return UNPRINTABLE.sub(lambda letter: letter[0].encode("unicode_escape", "surrogatepass").decode(), text)
