"""A picture that was opened, what it may be, and why it was not: the words that the decoder and its process share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .pixels import RGB

# Left, top, right, bottom in pixels.
Box = tuple[int, int, int, int]

# What phones and cameras write, by Pillow's names (the reader of JPEG reads MPO too).
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF")


class Refusal(StrEnum):
    """Why a picture was not opened."""

    # No picture, or in a format that is not read.
    NOT_AN_IMAGE = "NotAnImage"
    # A part of the file is missing or changed.
    DAMAGED = "Damaged"
    TOO_MANY_BYTES = "TooManyBytes"
    TOO_MANY_PIXELS = "TooManyPixels"
    TOO_SMALL = "TooSmall"
    # Too many scans, too much time or memory for what it shows.
    TOO_MUCH_WORK = "TooMuchWork"


class NotOpened(Exception):
    """The picture was not opened: `refusal` says why; `detail`, for logs, what a library said."""

    def __init__(self, refusal: Refusal, detail: str = "") -> None:
        super().__init__(f"{refusal}: {detail}" if detail else str(refusal))
        self.refusal, self.detail = refusal, detail


@dataclass(frozen=True)
class PictureLimits:
    """What a picture may be. `area`: as many pixels are given back at most, larger pictures are reduced to it.

    `scans`: passes over the picture in a progressive JPEG, of which encoders make about ten. `paper`: the grey level, 0
    to 255, on which transparent parts are laid.
    """

    bytes: int = 30_000_000
    pixels: int = 60_000_000
    shortest_edge: int = 1
    area: int = 60_000_000
    scans: int = 100
    seconds: float = 10.0
    memory_megabytes: int = 1000
    formats: tuple[str, ...] = FORMATS
    paper: int = 255


@dataclass(frozen=True)
class FileFacts:
    """What the file was. `width`, `height`: the whole upright picture in its own pixels.

    `alpha`: parts of it were transparent; `grey`: it has no colour.
    """

    format: str
    width: int
    height: int
    alpha: bool
    grey: bool


@dataclass(frozen=True)
class Picture:
    """An upright sRGB picture without metadata, transparency on paper, and read-only.

    `box` is the part of the upright picture that is shown, in the picture's own pixels.
    """

    pixels: RGB
    facts: FileFacts
    box: Box

    @property
    def scale(self) -> float:
        """Its pixels per pixel of the file, 0 to 1."""
        return float(self.pixels.shape[1] / (self.box[2] - self.box[0]))
