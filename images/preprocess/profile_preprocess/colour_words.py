"""Colours in words, where a word is sure: thresholds lie apart, and what falls between them has none."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

# CIELAB chroma: greys of phones' photos reach 6 in coloured light; what is called by a hue has twice that.
GREY_CHROMA, COLOURED_CHROMA = 6.0, 14.0
# CIE L* of what is white, light, dark, and so dark that no hue is told.
WHITE, LIGHT, DARK, BLACK = 86.0, 62.0, 35.0, 16.0
# Hue angles (degrees of a*, b*) of which nobody doubts the name; between them there is none.
HUES = (
    (-20.0, 46.0, "red"),
    (54.0, 78.0, "orange"),
    (86.0, 104.0, "yellow"),
    (112.0, 172.0, "green"),
    (212.0, 305.0, "blue"),
    (317.0, 332.0, "purple"),
)
# Dark orange and dark yellow are brown; a light red of little chroma is pink, or between pink and orange.
BROWN_BELOW = 58.0
PINK_ABOVE, PINK_CHROMA, PINK_HUE = 50.0, 40.0, 15.0


@dataclass(frozen=True)
class Lab:
    """A colour in CIELAB, D65."""

    lightness: float
    a: float
    b: float

    @property
    def chroma(self) -> float:
        """How far from grey."""
        return float(np.hypot(self.a, self.b))


def lab_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """BGR pixels (..., 3) of a picture in CIELAB, as a list (N, 3)."""
    row = np.ascontiguousarray(pixels.reshape(1, -1, 3)).astype(np.float32) / 255
    return cv2.cvtColor(row, cv2.COLOR_BGR2Lab).reshape(-1, 3).astype(np.float32)


def colour_word(colour: Lab) -> str:
    """What a colour is called; empty where nobody would be sure."""
    chroma = colour.chroma
    if chroma < GREY_CHROMA:
        return _grey(colour.lightness)
    if colour.lightness < BLACK:
        return "dark"
    if chroma < COLOURED_CHROMA:
        return "dark" if colour.lightness < DARK else ""
    angle = (float(np.degrees(np.arctan2(colour.b, colour.a))) - HUES[0][0]) % 360 + HUES[0][0]
    hue = next((name for begin, end, name in HUES if begin <= angle < end), "")
    if hue == "red" and colour.lightness > PINK_ABOVE and chroma < PINK_CHROMA:
        return "pink" if angle < PINK_HUE else ""
    if hue in ("", "orange", "yellow"):
        return "brown" if hue and colour.lightness < BROWN_BELOW else hue
    shade = "light " if colour.lightness > LIGHT and hue != "red" else ""
    return f"{'dark ' if colour.lightness < DARK else shade}{hue}"


def _grey(lightness: float) -> str:
    names = ((WHITE, "white"), (LIGHT, "light grey"), (DARK, "grey"), (BLACK, "dark grey"))
    return next((name for above, name in names if lightness > above), "black")
