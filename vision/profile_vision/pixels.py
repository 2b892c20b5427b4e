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
    return BGR(np.ascontiguousarray(image[..., ::-1]))


def to_rgb(image: BGR) -> RGB:
    """The same picture for Pillow."""
    return RGB(np.ascontiguousarray(image[..., ::-1]))
