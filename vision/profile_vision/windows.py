"""Windows: the parts of a picture that are shown around a head, and their pixels.

A window only crops. Where the picture ends too soon beside or above, plain backdrop may be continued by its own mirror
image; below, where the body would be, never. Then the window takes what there is, and the head comes out larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_contract.framing import Head, Skeleton
from profile_contract.generation import SourceFraming

from .pixels import BGR, Mask

# Percentage points that the eye line may give way, and per cent of the width that the head may stand aside, before the
# head comes out larger: well within what the checklist allows.
EYES_GIVE = 3.0
ASIDE_GIVE = 3.0
# Backdrop is continued by so much of the cut's edge at most.
MOST_CONTINUED = 0.15
# Mask values from here on may be somebody, and so much of the picture's edge beside them may be their hair.
SOMEBODY = 40
HAIR = 0.02
# A backdrop is plain where it differs from an even run of colour by no more grey levels than this, root mean square.
PLAIN = 6.0


class Aiming(Protocol):
    """What a window is to be: its pixels, the head's height and that of the eye line in per cent of its own, as a
    layout says it."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def head_share(self) -> float: ...

    @property
    def eye_line(self) -> float: ...


@dataclass(frozen=True)
class Aim:
    """A window that is no layout's: see Aiming."""

    width: int
    height: int
    head_share: float
    eye_line: float


@dataclass(frozen=True)
class Spare:
    """How far backdrop may be continued beyond a picture's edges, in pixels."""

    left: float = 0.0
    above: float = 0.0
    right: float = 0.0


@dataclass(frozen=True)
class Window:
    """The part of a picture that a layout shows, in pixels of the picture.

    `short`: where the picture ended too soon for the head to be as small as the layout asks (below, above, beside).
    """

    left: float
    top: float
    width: float
    height: float
    short: str = ""

    def joints(self, joints: Skeleton, width: int, height: int) -> Skeleton:
        """A skeleton relative to a picture of so many pixels as one relative to the window."""
        return tuple(
            ((joint[0] * width - self.left) / self.width, (joint[1] * height - self.top) / self.height)
            if joint is not None
            else None
            for joint in joints
        )

    def outside(self, width: int, height: int) -> float:
        """The share of the window that lies outside a picture, 0 to 1."""
        across = max(0.0, min(self.left + self.width, width) - max(self.left, 0.0))
        down = max(0.0, min(self.top + self.height, height) - max(self.top, 0.0))
        return max(0.0, 1 - across * down / (self.width * self.height))


def window_for(layout: Aiming, head: Head, image: BGR, mask: Mask) -> Window:
    """The window that gives the layout its head share and eye line, or as nearly as the picture does.

    `mask`: who is in the picture, of its size.
    """
    height, width = image.shape[:2]
    tall = head.height / (layout.head_share / 100)
    wide = tall * layout.width / layout.height
    asked = Window(head.middle - wide / 2, head.eyes - (1 - layout.eye_line / 100) * tall, wide, tall)
    return fitted(layout, head, (width, height), spare_of(image, mask, asked))


def fitted(layout: Aiming, head: Head, size: tuple[int, int], spare: Spare) -> Window:
    """The largest window no larger than the layout asks that stays in a picture of that width and height, and what is
    spare around it."""
    width, height = size
    aspect = layout.width / layout.height
    above, below = 1 - (layout.eye_line + EYES_GIVE) / 100, (layout.eye_line - EYES_GIVE) / 100
    aside = aspect * (0.5 - ASIDE_GIVE / 100)
    limits = {
        "": head.height / (layout.head_share / 100),
        "below": min((height - head.eyes) / below, height + spare.above),
        "above": (head.eyes + spare.above) / above,
        "beside": min(
            (head.middle + spare.left) / aside,
            (width + spare.right - head.middle) / aside,
            (width + spare.left + spare.right) / aspect,
        ),
    }
    # Of equals, the layout's own wish: nothing is short then.
    short = min(limits, key=lambda name: limits[name])
    tall = max(limits[short], 1.0)
    wide = tall * aspect
    top = head.eyes - (1 - layout.eye_line / 100) * tall
    return Window(
        left=float(np.clip(head.middle - wide / 2, -spare.left, width + spare.right - wide)),
        top=float(np.clip(top, -spare.above, height - tall)),
        width=wide,
        height=tall,
        short=short,
    )


def spare_of(image: BGR, mask: Mask, window: Window) -> Spare:
    """How far the backdrop beside and above a window may be continued: where it is plain, and nobody is."""
    height, width = image.shape[:2]
    rows = slice(max(0, round(window.top)), max(1, min(height, round(window.top + window.height))))
    columns = slice(max(0, round(window.left)), max(1, min(width, round(window.left + window.width))))
    beside, over = round(MOST_CONTINUED * window.width), round(MOST_CONTINUED * window.height)
    turned = image[:, columns].transpose(1, 0, 2), mask[:, columns].T
    return Spare(
        left=_clear(image[rows], mask[rows], beside),
        above=_clear(*turned, over),
        right=_clear(image[rows, ::-1], mask[rows, ::-1], beside),
    )


def _clear(pixels: NDArray[np.uint8], mask: NDArray[np.uint8], most: int) -> float:
    """How many columns from the left are plain backdrop, `most` at most; 0 where what is there is not plain."""
    edge = round(HAIR * max(mask.shape))
    somebody = (mask[:, : most + edge] > SOMEBODY).any(axis=0)
    columns = min(most, max(0, (int(somebody.argmax()) if somebody.any() else most + edge) - edge))
    strip = pixels[:, :columns].astype(np.float64)
    if min(strip.shape[:2]) < 2:
        return 0.0
    down, across = (axis.ravel() for axis in np.mgrid[0 : strip.shape[0], 0 : strip.shape[1]])
    even = np.column_stack([np.ones(len(down)), down, across])
    colours = strip.reshape(-1, 3)
    rest = colours - even @ np.linalg.lstsq(even, colours, rcond=None)[0]
    return float(columns) if np.sqrt((rest**2).mean()) <= PLAIN else 0.0


def centred(layout: Aiming, width: int, height: int) -> Window:
    """The largest window in the middle of a picture in which no face was found."""
    tall = min(float(height), width * layout.height / layout.width)
    wide = tall * layout.width / layout.height
    return Window(left=(width - wide) / 2, top=(height - tall) / 2, width=wide, height=tall)


def cut(image: BGR, window: Window, layout: Aiming) -> BGR:
    """The window's pixels at the layout's exact size (H, W, 3); outside the picture is its mirror image."""
    scale = layout.width / window.width
    reduced = _reduced(image, scale)
    # After reduction to about the size, one Lanczos step places the window with a fraction of a pixel.
    rest = scale * image.shape[1] / reduced.shape[1], scale * image.shape[0] / reduced.shape[0]
    left, top = window.left * scale, window.top * scale
    move = np.array([[rest[0], 0, rest[0] / 2 - 0.5 - left], [0, rest[1], rest[1] / 2 - 0.5 - top]])
    size = (layout.width, layout.height)
    placed = cv2.warpAffine(reduced, move, size, flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101)
    return BGR(placed.astype(np.uint8))


def framed(image: BGR, framing: SourceFraming, width: int, height: int) -> tuple[BGR, Window]:
    """A photo as it is drawn over, (height, width, 3), its head where it is wanted or larger; and what it shows."""
    tall, wide = image.shape[:2]
    wanted = framing.wanted
    aim = Aim(width, height, head_share=100 * wanted.height, eye_line=100 * (1 - wanted.eyes))
    # Nobody is looked for: where somebody reaches the edge it is not plain, and a plain edge is nobody.
    nobody = Mask(np.zeros((tall, wide), dtype=np.uint8))
    window = window_for(aim, framing.head.within(wide, tall), image, nobody)
    return cut(image, window, aim), window


def _reduced(image: BGR, scale: float) -> BGR:
    """Averaged down to about the wanted scale, or unchanged where it is enlarged."""
    if scale >= 1:
        return image
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return BGR(cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8))
