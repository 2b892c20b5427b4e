"""Small copies of pictures for the contact sheet, so that the pictures themselves need not stay in memory."""

from __future__ import annotations

import cv2
import numpy as np

from profile_vision.pixels import BGR, RGB, to_rgb

EDGE = 360


class Thumbnails:
    """Squares of 360 pixels by key, the upper middle of each picture."""

    def __init__(self) -> None:
        self._pictures: dict[str, RGB] = {}

    def keep(self, key: str, image: BGR) -> None:
        """Keep a small copy of a picture."""
        self._pictures[key] = square(image, EDGE)

    def get(self, key: str) -> RGB | None:
        """The copy (360, 360, 3), or None if the picture could not be read."""
        return self._pictures.get(key)


def square(image: BGR, edge: int) -> RGB:
    """The largest square of a picture, its middle across and its upper third down, (edge, edge, 3)."""
    height, width = image.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 3
    part = image[top : top + side, left : left + side]
    way = cv2.INTER_AREA if side > edge else cv2.INTER_CUBIC
    return to_rgb(BGR(cv2.resize(part, (edge, edge), interpolation=way).astype(np.uint8)))
