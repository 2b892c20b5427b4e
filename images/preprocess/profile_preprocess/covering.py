"""What may cover a face: whether there is a mouth where the mouth belongs, and eyes where the eyes belong.

Asked of the shapes in a grey picture (histograms of oriented gradients, Dalal and Triggs 2005), by a linear rule that
was fitted on faces with and without things before them: neither the colour of a skin nor that of the light counts.
How it was fitted: `profile_workshop.coverings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_vision import Face
from profile_vision.pixels import BGR

FITTED = Path(__file__).with_name("coverings.npz")

# Faces are compared upright at this size, with the five points here (as YuNet orders them).
WIDTH, HEIGHT = 160, 200
POINTS = np.array([[50, 70], [110, 70], [80, 105], [58, 135], [102, 135]], dtype=np.float32)

Region = tuple[slice, slice]
# Sunglasses are told by their darkness: eyes against cheeks.
EYES: tuple[Region, ...] = (np.s_[60:80, 36:64], np.s_[60:80, 96:124])
CHEEKS: tuple[Region, ...] = (np.s_[95:112, 42:60], np.s_[95:112, 100:118])

# CIE L* of dark skin in enough light: faces are compared as if they had that at least.
LIT = 25.0
# CIE L* per linear light in the darkest part of its scale.
LINEAR_SLOPE = 903.3

# Where lips and teeth have edges, and where eyes have them.
LIPS, BOTH_EYES = np.s_[118:156, 52:108], np.s_[58:84, 30:130]

CELL, DIRECTIONS = 8, 8
# No cell of a block counts for more than this share: one strong edge is not all.
LARGEST_SHARE = 0.3


@dataclass(frozen=True)
class Part:
    """A part of the upright face, and the size (width, height) at which its shapes are read."""

    name: str
    region: Region
    size: tuple[int, int]


MOUTH_PART = Part("mouth", np.s_[92:176, 38:122], (48, 48))
EYES_PART = Part("eyes", np.s_[46:94, 24:136], (64, 32))


@dataclass(frozen=True)
class Covering:
    """`mouth` and `eyes`: about -1 where they are seen, about 1 where something is before them.

    `mouth_edges`: edges in the mouth per edges in the eyes; about 0.8, and next to none in a hand or a mask.
    `eyes_lightness`: of the eyes per lightness of the cheeks (sunglasses: below 0.2).
    """

    mouth: float
    mouth_edges: float
    eyes: float
    eyes_lightness: float


def covering(image: BGR, face: Face) -> Covering:
    """Measure a face in a picture. Means little for faces turned by more than some 35 degrees."""
    upright = upright_face(image, face)
    lightness = cv2.cvtColor(upright.astype(np.float32) / 255, cv2.COLOR_BGR2Lab)[:, :, 0]
    eyes, cheeks = (float(np.median(np.concatenate([lightness[r].ravel() for r in part]))) for part in (EYES, CHEEKS))
    edges = _edges(upright)
    return Covering(
        mouth=_hidden(upright, MOUTH_PART),
        mouth_edges=float(edges[LIPS].mean() / max(edges[BOTH_EYES].mean(), 1e-3)),
        eyes=_hidden(upright, EYES_PART),
        eyes_lightness=_as_if_lit(eyes, cheeks),
    )


def _as_if_lit(eyes: float, cheeks: float) -> float:
    """Lightness of the eyes per lightness of the cheeks, with as much light as brings the cheeks to LIT at least.

    Lightness (0 to 100) falls faster than light in the dark: eyes at a third of the cheeks are at a sixth of them three
    stops darker. Light itself falls alike everywhere.
    """
    gain = max(1.0, _light(LIT) / max(_light(cheeks), 1e-6))
    return _lightness(gain * _light(eyes)) / max(cheeks, LIT)


def _light(lightness: float) -> float:
    """CIE L* (0 to 100) to linear light, 0 to 1."""
    return float(((lightness + 16) / 116) ** 3) if lightness > 8 else lightness / LINEAR_SLOPE


def _lightness(light: float) -> float:
    """Linear light, 0 to 1, to CIE L*."""
    return float(116 * light ** (1 / 3) - 16) if light > 8 / LINEAR_SLOPE else light * LINEAR_SLOPE


def upright_face(image: BGR, face: Face) -> BGR:
    """The face of a picture brought to WIDTH x HEIGHT, its points where POINTS are."""
    move = cv2.estimateAffinePartial2D(face.points, POINTS, method=cv2.LMEDS)[0]
    return BGR(cv2.warpAffine(image, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE).astype(np.uint8))


def shapes(upright: BGR, part: Part) -> NDArray[np.float32]:
    """Histograms of gradients of a part of an upright face, in blocks of 2 x 2 cells, as one row."""
    grey = cv2.cvtColor(upright, cv2.COLOR_BGR2GRAY)[part.region]
    levels = np.sqrt(cv2.resize(grey, part.size, interpolation=cv2.INTER_AREA).astype(np.float32))
    across, down = (cv2.Sobel(levels, cv2.CV_32F, x, 1 - x, ksize=1) for x in (1, 0))
    strength = np.hypot(across, down)
    direction = (np.arctan2(down, across) / np.pi * DIRECTIONS) % DIRECTIONS
    lower = direction.astype(int) % DIRECTIONS
    share = direction - np.floor(direction)
    cells = [
        _by_cell(strength * (np.where(lower == d, 1 - share, 0) + np.where((lower + 1) % DIRECTIONS == d, share, 0)))
        for d in range(DIRECTIONS)
    ]
    table = np.stack(cells, axis=-1)
    blocks = np.concatenate([table[:-1, :-1], table[:-1, 1:], table[1:, :-1], table[1:, 1:]], axis=-1)
    energy = (blocks**2).sum(axis=-1, keepdims=True)
    # Blocks with next to nothing in them stay small: noise is no shape.
    blocks = blocks / np.sqrt(energy + 0.05 * energy.mean() + 1e-3)
    return np.minimum(blocks, LARGEST_SHARE).astype(np.float32).reshape(-1)


def _edges(upright: BGR) -> NDArray[np.float32]:
    """How steep the grey picture is in each place; noise is smoothed away."""
    levels = np.sqrt(cv2.cvtColor(upright, cv2.COLOR_BGR2GRAY).astype(np.float32))
    smooth = cv2.GaussianBlur(levels, (0, 0), 1)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, x, 1 - x, ksize=1) for x in (1, 0))
    steep: NDArray[np.float32] = np.hypot(across, down).astype(np.float32)
    return steep


def _by_cell(values: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = values.shape
    sums: NDArray[np.float64] = values.reshape(height // CELL, CELL, width // CELL, CELL).sum(axis=(1, 3))
    return sums


def _hidden(upright: BGR, part: Part) -> float:
    weights = _fitted()[part.name]
    return float(shapes(upright, part) @ weights[:-1] + weights[-1])


@cache
def _fitted() -> dict[str, NDArray[np.float32]]:
    with np.load(FITTED, allow_pickle=False) as file:
        return {part.name: file[part.name].astype(np.float32) for part in (MOUTH_PART, EYES_PART)}
