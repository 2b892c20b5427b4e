"""The sheet of a look: a row a face, a column a weight, and what each column is written above it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from profile_vision.lettering import lettering
from profile_vision.pixels import RGB

# Pixels: of a picture's longer edge, between pictures, and of the line of titles.
EDGE, GAP, TITLE = 256, 8, 32
PAPER, INK = (255, 255, 255), (40, 40, 40)


def sheet(columns: Sequence[tuple[str, Sequence[RGB]]]) -> RGB:
    """Columns of pictures of one size side by side, each under its title: (height, width, 3)."""
    height, width = columns[0][1][0].shape[:2]
    scale = EDGE / max(height, width)
    cell = (round(width * scale), round(height * scale))
    rows = max(len(pictures) for _, pictures in columns)
    size = (GAP + len(columns) * (cell[0] + GAP), TITLE + rows * (cell[1] + GAP))
    paper = Image.new("RGB", size, PAPER)
    drawing = ImageDraw.Draw(paper)
    for place, (title, pictures) in enumerate(columns):
        left = GAP + place * (cell[0] + GAP)
        drawing.text((left, 6), title, fill=INK, font=lettering(TITLE - 14))
        for row, picture in enumerate(pictures):
            shown = Image.fromarray(picture).resize(cell, Image.Resampling.LANCZOS)
            paper.paste(shown, (left, TITLE + row * (cell[1] + GAP)))
    return RGB(np.asarray(paper).copy())
