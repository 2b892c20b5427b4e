"""The typeface of everything that is written into pictures and print sheets: Latin, Hangul and Hanja."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import ImageFont

TYPEFACE = Path(__file__).parent / "fonts" / "profile-sheet.ttf"


@cache
def lettering(size: int) -> ImageFont.FreeTypeFont:
    """The typeface at so many pixels. Its layout is plain: Hangul syllables and Latin need no shaping."""
    return ImageFont.truetype(TYPEFACE, size, layout_engine=ImageFont.Layout.BASIC)
