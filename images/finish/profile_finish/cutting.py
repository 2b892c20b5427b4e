"""The cut of a portrait to a layout: where the head is, the window around it, and the window's pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from profile_contract.framing import Head
from profile_contract.layouts import Layout
from profile_vision.pixels import BGR

# Where the cut leaves the picture above or aside, the edge is continued, and smoothed by this share of the layout's
# width: continued rows of pixels look like combed hair otherwise. Below, clothes look better continued as they are.
SMOOTHING = 0.04
# Percentage points that head share and eye line may give way, well within the checklist's tolerance; tried in steps.
GIVE = 2.0
STEPS = 4


def mean_head(first: Head, second: Head) -> Head:
    """The mean of two looks at one head, in pixels of the same picture."""
    return Head(
        height=(first.height + second.height) / 2,
        eyes=(first.eyes + second.eyes) / 2,
        middle=(first.middle + second.middle) / 2,
    )


@dataclass(frozen=True)
class Window:
    """The part of a picture that a layout shows, in pixels of the picture; it may leave the picture."""

    left: float
    top: float
    width: float
    height: float

    def unmapped(self, head: Head, layout: Layout) -> Head:
        """A head that was seen in the cut, in pixels of the picture."""
        scale = self.width / layout.width
        return Head(
            height=head.height * scale, eyes=self.top + head.eyes * scale, middle=self.left + head.middle * scale
        )

    def outside(self, width: int, height: int) -> float:
        """The share of the window that lies outside a picture, 0 to 1."""
        across = max(0.0, min(self.left + self.width, width) - max(self.left, 0.0))
        down = max(0.0, min(self.top + self.height, height) - max(self.top, 0.0))
        return 1 - across * down / (self.width * self.height)


def window_for(layout: Layout, head: Head, width: int, height: int) -> Window:
    """The window that gives the layout its head share and eye line, the head in the middle.

    Where that leaves the picture of `width` x `height` pixels, head share and eye line give way by up to GIVE points:
    a slightly larger head is better than an invented shoulder.
    """
    windows = [_window(layout, head, GIVE * step / STEPS) for step in range(STEPS + 1)]
    return min(windows, key=lambda window: round(window.outside(width, height), 3))


def _window(layout: Layout, head: Head, give: float) -> Window:
    """The window in which head share and eye line give way by so many points."""
    height = head.height / ((layout.head_share + give) / 100)
    width = height * layout.width / layout.height
    top = head.eyes - (1 - (layout.eye_line - give) / 100) * height
    return Window(left=head.middle - width / 2, top=top, width=width, height=height)


def centred(layout: Layout, width: int, height: int) -> Window:
    """The largest window in the middle of a picture in which no face was found."""
    tall = min(float(height), width * layout.height / layout.width)
    wide = tall * layout.width / layout.height
    return Window(left=(width - wide) / 2, top=(height - tall) / 2, width=wide, height=tall)


def cut(image: BGR, window: Window, layout: Layout) -> BGR:
    """The window's pixels at the layout's exact size (H, W, 3); outside the picture its edge is continued."""
    padded, shift = _padded(image, window)
    scale = layout.width / window.width
    reduced = _reduced(padded, scale)
    # After reduction to about the size, one Lanczos step places the window with a fraction of a pixel.
    rest = scale * padded.shape[1] / reduced.shape[1], scale * padded.shape[0] / reduced.shape[0]
    left, top = (window.left + shift[0]) * scale, (window.top + shift[1]) * scale
    move = np.array([[rest[0], 0, rest[0] / 2 - 0.5 - left], [0, rest[1], rest[1] / 2 - 0.5 - top]])
    size = (layout.width, layout.height)
    placed = cv2.warpAffine(reduced, move, size, flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    return _smoothed(BGR(placed.astype(np.uint8)), window, image.shape[1])


def _padded(image: BGR, window: Window) -> tuple[BGR, tuple[int, int]]:
    """The picture continued to hold the window, and by how much it grew to the left and above."""
    height, width = image.shape[:2]
    left, top = max(0, int(np.ceil(-window.left))), max(0, int(np.ceil(-window.top)))
    right = max(0, int(np.ceil(window.left + window.width - width)))
    bottom = max(0, int(np.ceil(window.top + window.height - height)))
    padded = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return BGR(padded.astype(np.uint8)), (left, top)


def _reduced(image: BGR, scale: float) -> BGR:
    """Averaged down to about the wanted scale, or unchanged where it is enlarged."""
    if scale >= 1:
        return image
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return BGR(cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8))


def _smoothed(image: BGR, window: Window, width: int) -> BGR:
    """The cut with its continued edges smoothed; `width` is that of the picture it was cut from."""
    rows, columns = image.shape[:2]
    scale = columns / window.width
    inside = np.zeros((rows, columns), dtype=np.float32)
    left, top = max(0, round(-window.left * scale)), max(0, round(-window.top * scale))
    right = round((width - window.left) * scale)
    inside[top:, left : max(left, right)] = 1
    if inside.all():
        return image
    spread = SMOOTHING * columns
    soft = cv2.GaussianBlur(image, (0, 0), spread, borderType=cv2.BORDER_REPLICATE).astype(np.float32)
    # The seam is crossed within a few pixels, on the outer side only: the portrait itself stays untouched.
    reach = max(3, round(spread)) | 1
    weight = np.maximum(inside, cv2.GaussianBlur(cv2.dilate(inside, np.ones((reach, reach))), (0, 0), reach / 3))
    mixed = image * weight[..., None] + soft * (1 - weight[..., None])
    return BGR(np.clip(np.rint(mixed), 0, 255).astype(np.uint8))
