"""Pixels in memory, 8 bits a channel, in the two orders of colours that libraries have: the types keep them apart."""

from __future__ import annotations

from typing import NewType

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
# (H, W, 3) as Pillow, files, pose maps and the networks that draw have it.
RGB = NewType("RGB", Pixels)
# (H, W, 3) as OpenCV has it, and with it whatever finds, measures or cuts here.
BGR = NewType("BGR", Pixels)
# (H, W), 255 where the person is.
Mask = NewType("Mask", Pixels)


def to_bgr(image: RGB) -> BGR:
    """The same picture for OpenCV."""
    return BGR(_swapped(image))


def to_rgb(image: BGR) -> RGB:
    """The same picture for Pillow."""
    return RGB(_swapped(image))


def _swapped(image: Pixels) -> Pixels:
    """A copy with the first channel last: NumPy takes ten times as long to make it."""
    # The decoder's process knows these types, and has no use for OpenCV.
    import cv2

    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), np.uint8)
