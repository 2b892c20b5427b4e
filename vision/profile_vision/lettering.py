"""The typeface of everything that is written into pictures and print sheets: Latin, Hangul and Hanja."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import ImageFont

TYPEFACE = Path(__file__).parent / "fonts" / "profile-sheet.ttf"
# No character of any typeface: it draws the box that stands for one that is missing.
NO_CHARACTER = "\U0010fffd"


@cache
def lettering(size: int) -> ImageFont.FreeTypeFont:
    """The typeface at so many pixels. Its layout is plain: Hangul syllables and Latin need no shaping."""
    return ImageFont.truetype(TYPEFACE, size, layout_engine=ImageFont.Layout.BASIC)


def can_be_lettered(text: str) -> bool:
    """Whether the typeface has every character of a text."""
    font = lettering(16)
    box = bytes(font.getmask(NO_CHARACTER))
    return all(bytes(font.getmask(character)) != box for character in text)
