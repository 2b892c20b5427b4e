"""Photos out of the store: opened whole to be looked at, and in parts to be cut."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import PhotoRef, PreprocessParameters
from profile_runtime.store.port import Store
from profile_vision.decoding import Box, Decoder, FileFacts, NotOpened, PictureLimits, Refusal
from profile_vision.framing import Cut
from profile_vision.pixels import BGR, to_bgr

# A shorter edge below this leaves no room for a head with 96 pixels of face and shoulders around it.
SHORTEST_EDGE = 256
# Photos are looked at on a copy of this many pixels, whatever their shape: a face of 96 pixels in 60 megapixels is
# still one of 21 then, and the networks look at 640 pixels anyway. A little less than a quarter of 12 megapixels, so
# that a phone's JPEG is read at half its size. What is trained on is cut from the file itself, which is decoded for it.
WORKING_AREA = 2_900_000
# OpenCV's names of quarter turns counter-clockwise.
QUARTER_TURNS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}
# Of the part that is trained on, so many are read at most, or four times the crop's: of a phone's photo all, which are
# then brought to the crop's size at once.
CUT_AREA = 4096 * 4096

REASONS = {
    Refusal.NOT_AN_IMAGE: PhotoReason.NOT_AN_IMAGE,
    Refusal.DAMAGED: PhotoReason.DAMAGED,
    Refusal.TOO_MANY_BYTES: PhotoReason.TOO_MANY_BYTES,
    Refusal.TOO_MANY_PIXELS: PhotoReason.TOO_MANY_PIXELS,
    Refusal.TOO_SMALL: PhotoReason.TOO_SMALL,
    Refusal.TOO_MUCH_WORK: PhotoReason.TOO_MUCH_WORK,
}


class PhotoRefused(Exception):
    """The photo cannot be used; the reason is the verdict's."""

    def __init__(self, reason: PhotoReason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Frame:
    """How a photo is looked at: `box` of the file's upright picture, in its pixels, brought to a size, then turned.

    `width` and `height` are the photo's after `turns` quarter turns counter-clockwise.
    """

    width: int
    height: int
    box: Box
    turns: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    @property
    def scale(self) -> float:
        """The photo's pixels per pixel of the file."""
        return (self.height if self.turns % 2 else self.width) / (self.box[2] - self.box[0])

    def in_file(self, left: float, top: float, width: float, height: float) -> Box:
        """A rectangle of the photo's pixels as a box in the file's pixels, rounded outwards."""
        wide, high = self.width, self.height
        corners = np.array([[left, top], [left + width, top + height]])
        for _ in range(self.turns):  # back, a quarter turn clockwise each time
            corners = np.stack([high - corners[:, 1], corners[:, 0]], axis=1)
            wide, high = high, wide
        # A hair's breadth is no pixel: what was computed to lie at 12.0001 lies at 12.
        x0, y0 = (math.floor(value + 0.01) for value in corners.min(axis=0) / self.scale)
        x1, y1 = (math.ceil(value - 0.01) for value in corners.max(axis=0) / self.scale)
        return (self.box[0] + x0, self.box[1] + y0, self.box[0] + x1, self.box[1] + y1)


@dataclass(frozen=True)
class Photo:
    """A picture without metadata, its place in the file, and what the file was."""

    pixels: BGR
    frame: Frame
    facts: FileFacts

    def turned(self, turns: int) -> Photo:
        """The same, turned by further quarter turns counter-clockwise."""
        way = QUARTER_TURNS.get(turns % 4)
        # NumPy's own turn reads each pixel from afar: it takes several times as long.
        pixels = self.pixels if way is None else BGR(np.asarray(cv2.rotate(self.pixels, way), np.uint8))
        frame = Frame(pixels.shape[1], pixels.shape[0], self.frame.box, (self.frame.turns + turns) % 4)
        return Photo(pixels=pixels, frame=frame, facts=self.facts)


def decode(
    data: bytes,
    limits: PreprocessParameters,
    decoder: Decoder,
    box: Box | None = None,
    area: int = WORKING_AREA,
) -> Photo:
    """Open a photo, or the part of it in `box`, reduced to `area` pixels.

    Raises PhotoRefused with TooManyBytes, NotAnImage, Damaged, TooManyPixels, TooSmall or TooMuchWork.
    """
    try:
        picture = decoder.open(data, allowed(limits, area), box)
    except NotOpened as refused:
        raise PhotoRefused(REASONS[refused.refusal]) from refused
    pixels = to_bgr(picture.pixels)
    return Photo(pixels=pixels, frame=Frame(pixels.shape[1], pixels.shape[0], picture.box), facts=picture.facts)


def allowed(limits: PreprocessParameters, area: int) -> PictureLimits:
    """What the decoder is told of a request's limits; a picture of more than `area` pixels is reduced."""
    return PictureLimits(
        bytes=limits.maximum_bytes,
        pixels=limits.maximum_pixels,
        shortest_edge=SHORTEST_EDGE,
        area=area,
    )


@dataclass(frozen=True)
class Opener:
    """Reads an order's photos and opens them. Raises PhotoRefused, and StoreError where the store fails."""

    store: Store
    decoder: Decoder
    parameters: PreprocessParameters

    def open(self, photo: PhotoRef, box: Box | None = None, area: int = WORKING_AREA) -> Photo:
        """A photo, or the part of it in `box`, of so many pixels at most."""
        if photo.bytes > self.parameters.maximum_bytes:
            raise PhotoRefused(PhotoReason.TOO_MANY_BYTES)
        return decode(self.store.read(photo.key), self.parameters, self.decoder, box, area)

    def part(self, photo: PhotoRef, frame: Frame, cut: Cut) -> BGR:
        """What a cut of the photo's frame shows, as large as the file has it, within CUT_AREA."""
        box = frame.in_file(cut.left, cut.top, cut.width, cut.height)
        return self.open(photo, box, max(CUT_AREA, 4 * self.parameters.resolution**2)).turned(frame.turns).pixels
