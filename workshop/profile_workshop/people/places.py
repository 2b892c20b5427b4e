"""Places to stand in front of, drawn: float32 (size, size, 3) RGB in sRGB, 0 to 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

# OpenCV does not tell its results' types.
Backdrop = NDArray[Any]

# Places are drawn at this size and then scaled: they are out of focus anyway.
DRAWN = 256
TINTS = {
    "studio": (1.0, 1.0, 1.0),
    "window": (0.98, 1.0, 1.02),
    "sun": (1.05, 1.0, 0.97),
    "overcast": (0.95, 1.0, 1.05),
    "indoor": (1.1, 0.93, 0.78),
    "flash": (1.0, 1.0, 0.95),
    "dim": (0.85, 0.8, 0.85),
}
LEVELS = {"studio": 1.0, "window": 0.9, "sun": 1.05, "overcast": 1.0, "indoor": 0.85, "flash": 0.45, "dim": 0.4}


def backdrop(place: str, light: str, size: int, draw: Generator) -> Backdrop:
    """One of PAINTERS' places as it looks in one of TINTS' lights."""
    canvas, blur = PAINTERS[place](draw)
    canvas = cv2.GaussianBlur(canvas, (0, 0), blur)
    canvas = canvas * np.array(TINTS[light], np.float32) * np.float32(LEVELS[light] * draw.uniform(0.8, 1.08))
    return np.clip(cv2.resize(canvas, (size, size), interpolation=cv2.INTER_CUBIC), 0, 1)


def studio(colour: tuple[float, float, float], size: int, draw: Generator) -> Backdrop:
    """Seamless paper of a colour (sRGB, 0 to 1), lit from the front and a little darker towards the edges."""
    rows, columns = np.indices((size, size)).astype(np.float32) / size
    distance = np.hypot(columns - draw.uniform(0.35, 0.65), rows - draw.uniform(0.25, 0.55))
    lit = 1.04 - draw.uniform(0.1, 0.32) * distance
    return np.clip(np.array(colour, np.float32) * lit[..., None], 0, 1).astype(np.float32)


def _blank() -> Backdrop:
    return np.zeros((DRAWN, DRAWN, 3), np.float32)


def _colour(draw: Generator, low: float, high: float, saturation: float) -> Backdrop:
    """Mostly warm greys."""
    offsets = np.sort(draw.normal(0, saturation * 0.14, 3))
    if draw.random() < 0.7:
        offsets = offsets[::-1]
    return np.clip(draw.uniform(low, high) + offsets, 0.03, 0.97).astype(np.float32)


def _noise(sigma: float, draw: Generator) -> Backdrop:
    blurred = cv2.GaussianBlur(draw.normal(size=(DRAWN, DRAWN)).astype(np.float32), (0, 0), sigma)
    return np.asarray(blurred / (blurred.std() + 1e-6), np.float32)[..., None]


def _box(canvas: Backdrop, box: tuple[float, float, float, float], colour: Backdrop) -> None:
    """Fill left, top, right, bottom, in parts of the edge."""
    left, top, right, bottom = (int(value * DRAWN) for value in box)
    cv2.rectangle(canvas, (left, top), (right, bottom), [float(value) for value in colour], -1)


def _plain(draw: Generator) -> tuple[Backdrop, float]:
    return _blank() + _colour(draw, 0.2, 0.95, 0.4), 1.0


def _gradient(draw: Generator) -> tuple[Backdrop, float]:
    rows, columns = np.indices((DRAWN, DRAWN)).astype(np.float32) / DRAWN
    near, far = _colour(draw, 0.05, 0.9, 0.35), _colour(draw, 0.05, 0.9, 0.35)
    distance = np.hypot(rows - draw.uniform(0.2, 0.6), columns - draw.uniform(0.3, 0.7))
    return (near + np.clip(distance, 0, 1)[..., None] * (far - near)).astype(np.float32), 1.0


def _wall(draw: Generator) -> tuple[Backdrop, float]:
    canvas = _blank() + _colour(draw, 0.35, 0.85, 0.3)
    canvas *= 1 + 0.05 * _noise(30, draw) + 0.025 * _noise(1, draw)
    if draw.random() < 0.5:
        _bricks(canvas, float(draw.uniform(0.04, 0.09)))
    return canvas, float(draw.uniform(0.6, 3))


def _bricks(canvas: Backdrop, height: float) -> None:
    mortar = canvas[0, 0] * 0.8
    for row in range(int(1 / height) + 1):
        top = row * height
        _box(canvas, (0, top, 1, top + 0.006), mortar)
        for column in range(int(0.5 / height) + 1):
            left = (column + (row % 2) * 0.5) * 2 * height
            _box(canvas, (left, top, left + 0.006, top + height), mortar)


def _room(draw: Generator) -> tuple[Backdrop, float]:
    canvas = _blank() + _colour(draw, 0.45, 0.85, 0.25)
    if draw.random() < 0.6:
        _window(canvas, draw)
    for _ in range(draw.integers(1, 5)):
        left, top = draw.uniform(-0.1, 0.9), draw.uniform(0.05, 0.8)
        box = (left, top, left + draw.uniform(0.08, 0.35), top + draw.uniform(0.08, 0.4))
        _box(canvas, box, _colour(draw, 0.08, 0.8, 0.8))
    if draw.random() < 0.5:
        _bookshelf(canvas, draw)
    if draw.random() < 0.5:
        _box(canvas, (0, draw.uniform(0.75, 0.95), 1, 1), _colour(draw, 0.1, 0.5, 0.4))
    return canvas * (1 + 0.1 * _noise(50, draw)), float(draw.uniform(1.5, 7))


def _window(canvas: Backdrop, draw: Generator) -> None:
    left = draw.uniform(0, 0.8)
    box = (left, draw.uniform(0, 0.2), left + draw.uniform(0.2, 0.4), draw.uniform(0.4, 0.8))
    _box(canvas, box, np.clip(_colour(draw, 0.8, 1, 0.2) * 1.1, 0, 1.2))
    _box(canvas, (left + 0.14, 0, left + 0.155, 0.8), np.array([0.8, 0.78, 0.75], np.float32))


def _bookshelf(canvas: Backdrop, draw: Generator) -> None:
    top, left = draw.uniform(0.25, 0.6), draw.uniform(-0.1, 0.6)
    _box(canvas, (left, top, left + 0.6, top + 0.02), np.array([0.32, 0.2, 0.12], np.float32))
    book = left
    while book < left + 0.58:
        width = draw.uniform(0.012, 0.04)
        _box(canvas, (book, top - draw.uniform(0.1, 0.2), book + width, top), _colour(draw, 0.1, 0.7, 1))
        book += width


def _outdoor(draw: Generator) -> tuple[Backdrop, float]:
    horizon = draw.uniform(0.3, 0.75)
    rows = np.linspace(0, 1, DRAWN, dtype=np.float32)[:, None, None]
    sky = np.array([draw.uniform(0.4, 0.75), draw.uniform(0.6, 0.85), draw.uniform(0.75, 0.98)], np.float32)
    haze = np.array([0.9, 0.93, 0.95], np.float32)
    canvas = np.ascontiguousarray(_blank() + sky + (haze - sky) * np.clip(rows / horizon, 0, 1))
    for _ in range(draw.integers(0, 6)):
        left = draw.uniform(-0.1, 1)
        box = (left, horizon - draw.uniform(0.1, 0.5), left + draw.uniform(0.1, 0.35), horizon + 0.05)
        _box(canvas, box, _colour(draw, 0.25, 0.75, 0.3))
    leaves = np.array([draw.uniform(0.12, 0.35), draw.uniform(0.25, 0.5), draw.uniform(0.08, 0.25)], np.float32)
    crowns = _noise(12, draw) + 0.6 * _noise(4, draw) + (rows - horizon + draw.uniform(-0.2, 0.25)) * 9
    canvas = _over(canvas, leaves * (1 + 0.35 * _noise(3, draw)), crowns)
    ground = _colour(draw, 0.25, 0.65, 0.4) * (1 + 0.08 * _noise(2, draw))
    return _over(canvas, ground, (rows - horizon - 0.1) * 12), float(draw.uniform(1.5, 7))


def _over(below: Backdrop, above: Backdrop, share: Backdrop) -> Backdrop:
    clipped = np.clip(share, 0, 1)
    return np.asarray(below * (1 - clipped) + above * clipped, np.float32)


def _bokeh(draw: Generator) -> tuple[Backdrop, float]:
    canvas = _blank() + _colour(draw, 0.04, 0.2, 0.5)
    for _ in range(draw.integers(15, 50)):
        disc = _blank()
        middle = (int(draw.uniform(0, DRAWN)), int(draw.uniform(0, DRAWN)))
        colour = [float(value) for value in _colour(draw, 0.3, 1, 1.2)]
        cv2.circle(disc, middle, int(draw.uniform(4, 16)), colour, -1, cv2.LINE_AA)
        canvas += disc * np.float32(draw.uniform(0.2, 0.7))
    return canvas, float(draw.uniform(1, 2.5))


PAINTERS: dict[str, Callable[[Generator], tuple[Backdrop, float]]] = {
    "plain": _plain,
    "gradient": _gradient,
    "wall": _wall,
    "room": _room,
    "outdoor": _outdoor,
    "bokeh": _bokeh,
}
