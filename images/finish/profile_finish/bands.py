"""The drawing of the contact sheet: bands of one width that are set one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

from profile_vision.lettering import lettering
from profile_vision.pixels import RGB

WIDTH = 1760
MARGIN = 56
INNER = WIDTH - 2 * MARGIN
GAP = 20

PAPER = (250, 249, 246)
INK = (32, 33, 36)
FAINT = (116, 118, 122)
RULE = (222, 220, 214)
GOOD = (38, 120, 84)
POOR = (176, 74, 46)
EMPTY = (232, 230, 225)


@dataclass(frozen=True)
class Card:
    """A picture with text below: `picture` square or None, `title` large, `lines` small, `share` 0 to 1 draws a bar."""

    picture: RGB | None
    title: str
    lines: tuple[str, ...] = ()
    share: float | None = None
    good: bool = True
    faded: bool = False
    badge: str = ""


def text_band(
    text: str, size: int, *, colour: tuple[int, int, int] = INK, above: int = 0, below: int = 0
) -> Image.Image:
    """Text over the page's width, broken between words."""
    font = lettering(size)
    lines = wrapped(text, size, INNER)
    step = round(size * 1.4)
    band = _paper(WIDTH, above + step * len(lines) + below)
    drawing = ImageDraw.Draw(band)
    for number, line in enumerate(lines):
        drawing.text((MARGIN, above + number * step), line, font=font, fill=colour)
    return band


def rule_band(above: int = 24, below: int = 8) -> Image.Image:
    """A thin line across the page."""
    band = _paper(WIDTH, above + 2 + below)
    ImageDraw.Draw(band).rectangle((MARGIN, above, WIDTH - MARGIN, above + 1), fill=RULE)
    return band


def cards_band(cards: Sequence[Card], columns: int, title_size: int) -> Image.Image:
    """Cards in rows of so many columns, all of one height."""
    edge = (INNER - GAP * (columns - 1)) // columns
    drawn = [_card(card, edge, title_size) for card in cards]
    tall = max((picture.height for picture in drawn), default=0)
    rows = -(-len(drawn) // columns)
    band = _paper(WIDTH, rows * (tall + GAP))
    for number, picture in enumerate(drawn):
        row, column = divmod(number, columns)
        band.paste(picture, (MARGIN + column * (edge + GAP), row * (tall + GAP)))
    return band


def stacked(bands: Sequence[Image.Image], above: int, below: int) -> Image.Image:
    """All bands as one page."""
    page = _paper(WIDTH, above + sum(band.height for band in bands) + below)
    down = above
    for band in bands:
        page.paste(band, (0, down))
        down += band.height
    return page


def wrapped(text: str, size: int, width: int) -> list[str]:
    """Text broken between words so that no line is wider than `width` pixels; at least one line."""
    font = lettering(size)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _card(card: Card, edge: int, title_size: int) -> Image.Image:
    """A card as a picture of its own, `edge` pixels wide and as high as its text asks."""
    small = max(13, round(title_size * 0.68))
    lines = [part for line in card.lines for part in wrapped(line, small, edge)]
    bar = 14 if card.share is not None else 0
    title = round(title_size * 1.5) if card.title else 0
    picture = _paper(edge, edge + 10 + bar + title + round(small * 1.4) * len(lines))
    drawing = ImageDraw.Draw(picture)
    picture.paste(_photo(card, edge), (0, 0))
    if card.badge:
        _badge(drawing, card.badge, small)
    down = edge + 10
    if card.share is not None:
        drawing.rounded_rectangle((0, down, edge - 1, down + 5), 2, fill=RULE)
        reach = max(4, round((edge - 1) * min(max(card.share, 0.0), 1.0)))
        drawing.rounded_rectangle((0, down, reach, down + 5), 2, fill=GOOD if card.good else POOR)
        down += bar
    if card.title:
        drawing.text((0, down), card.title, font=lettering(title_size), fill=FAINT if card.faded else INK)
        down += title
    for line in lines:
        drawing.text((0, down), line, font=lettering(small), fill=FAINT)
        down += round(small * 1.4)
    return picture


def _photo(card: Card, edge: int) -> Image.Image:
    """The card's square; pale where it was not delivered."""
    if card.picture is None:
        return Image.new("RGB", (edge, edge), EMPTY)
    image = Image.fromarray(np.ascontiguousarray(card.picture)).resize((edge, edge), Image.Resampling.LANCZOS)
    if not card.faded:
        return image
    grey = ImageEnhance.Color(image).enhance(0.35)
    return Image.blend(grey, Image.new("RGB", grey.size, PAPER), 0.35)


def _badge(drawing: ImageDraw.ImageDraw, text: str, size: int) -> None:
    font = lettering(size)
    wide = round(font.getlength(text))
    drawing.rounded_rectangle((8, 8, 8 + wide + 14, 8 + round(size * 1.5)), 5, fill=INK)
    drawing.text((15, 8 + round(size * 0.75)), text, font=font, fill=PAPER, anchor="lm")


def _paper(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), PAPER)
