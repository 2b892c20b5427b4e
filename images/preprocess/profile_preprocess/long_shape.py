"""Panoramas and scrolled screenshots: the part with the largest face is the photo."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from profile_vision import Face, FaceReader
from profile_vision.decoding import Box
from profile_vision.pixels import BGR

from .decode import Photo

# Longer shapes are looked at in pieces: brought to the detector's 640 pixels whole, faces in them would vanish.
LONGEST_SHAPE = 3.0
# Pieces are as long as two short edges and overlap by half, so that a face is whole in one of them.
PIECE, STEP = 2, 1
# The part around a face, in heights of its box to each side: head, shoulders and some room.
ROOM = 2.5


def is_long(photo: Photo) -> bool:
    """Whether the photo is more than three times as long as wide, or as wide as high."""
    height, width = photo.pixels.shape[:2]
    return max(height, width) > LONGEST_SHAPE * min(height, width)


def part_with_face(photo: Photo, faces: FaceReader) -> Box | None:
    """The part of a long picture around its largest face, in the file's pixels; None without a face."""
    boxes = [_moved(face, offset) for piece, offset in _pieces(photo) for face in faces.find(piece)]
    if not boxes:
        return None
    x, y, w, h = max(boxes, key=lambda box: box[2] * box[3])
    return photo.frame.in_file(x + w / 2 - ROOM * h, y - ROOM * h / 2, 2 * ROOM * h, 2 * ROOM * h)


def _pieces(photo: Photo) -> Iterator[tuple[BGR, tuple[int, int]]]:
    """Overlapping pieces along the longer edge, each with its upper left corner."""
    height, width = photo.pixels.shape[:2]
    short = min(height, width)
    for start in range(0, max(height, width) - short, STEP * short):
        end = start + PIECE * short
        if width > height:
            yield BGR(np.ascontiguousarray(photo.pixels[:, start:end])), (start, 0)
        else:
            yield BGR(np.ascontiguousarray(photo.pixels[start:end])), (0, start)


def _moved(face: Face, offset: tuple[int, int]) -> tuple[float, float, float, float]:
    x, y, w, h = face.box
    return (x + offset[0], y + offset[1], w, h)
