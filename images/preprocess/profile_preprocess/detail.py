"""How much of a face a photo really resolves: edges of blocks and big pixels are no detail."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_vision import Face, face_patch, sharpness
from profile_vision.pixels import BGR

# The face is looked at twice as finely as for its sharpness, where the photo has that many pixels.
FINE_WIDTH = 224
# Periods in pixels at which lines of a grid are looked for, as long as the face has enough of them to count.
SHORTEST, LONGEST, STEP, LINES = 3.0, 40.0, 0.1, 8
# Steps are compared with those around them, this many pixels.
AROUND = 31
MOST = 20.0
# One strong edge must not outweigh a grid.
LARGEST_STEP = 8.0


@dataclass(frozen=True)
class Detail:
    """`sharpness`: 0 to 100 at 112 pixels width. `blocks`: steps across a regular grid per steps elsewhere, 1 to 20, 1
    where there is no grid. `fineness`: sharpness at twice that width per sharpness, 1 for smaller faces."""

    sharpness: float
    blocks: float
    fineness: float


def detail(image: BGR, face: Face) -> Detail:
    """Measure a face in a picture."""
    sharp = sharpness(image, face)
    fine = sharpness(image, face, FINE_WIDTH) / max(sharp, 1.0) if face.box[2] >= FINE_WIDTH else 1.0
    return Detail(sharpness=sharp, blocks=blocks(face_patch(image, face)), fineness=fine)


def blocks(patch: BGR) -> float:
    """How strongly a regular grid shows in both directions of a picture: JPEG's blocks, or pixels made larger."""
    grey = cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return min(_grid(np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)) for axis in (0, 1))


def _grid(steps: NDArray[np.float32]) -> float:
    """`steps`: mean differences between neighbouring lines of pixels."""
    count = len(steps)
    if count < SHORTEST * LINES:
        return 1.0
    padded = np.pad(steps, AROUND // 2, mode="reflect" if count > AROUND else "edge")
    relative = steps / (np.convolve(padded, np.ones(AROUND) / AROUND, "valid")[:count] + 0.3)
    periods = np.arange(SHORTEST, min(LONGEST, count / LINES) + STEP, STEP)
    bounded = np.minimum(relative, LARGEST_STEP)
    return max(_contrast(relative, bounded, period) for period in periods)


def _contrast(relative: NDArray[np.float64], bounded: NDArray[np.float64], period: float) -> float:
    """The median step on the lines of the grid of this period whose place fits best, per mean step between them.

    It is asked of 370 periods a photo and direction: NumPy's median, clip and delete would take most of its time.
    """
    begins, lines = np.arange(0, period, 0.5), np.arange(int(len(relative) / period))
    places = np.minimum(np.rint(begins[:, None] + lines * period).astype(np.intp), len(relative) - 1)
    best = places[int(np.argmax(np.add.reduce(bounded[places], axis=1)))]
    between = np.ones(len(relative), dtype=bool)
    between[best] = False
    elsewhere = relative[between]
    step = _median(relative[best])
    return min(step / max(float(np.add.reduce(elsewhere)) / len(elsewhere), 0.05), MOST)


def _median(values: NDArray[np.float64]) -> float:
    """The middle of some values, or half the sum of the two that are."""
    values = np.sort(values)
    middle = len(values) // 2
    return float(values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2)
