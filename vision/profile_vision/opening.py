"""Bytes to an upright sRGB picture. To be called in the decoder's child process alone: a picture may take it over."""

from __future__ import annotations

import io
import math
import warnings
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from PIL import AvifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from .colours import Layers, layers_of, on_paper
from .damage import check_jpeg
from .optional import installed
from .picture import Box, FileFacts, NotOpened, Picture, PictureLimits, Refusal
from .pixels import RGB
from .png_file import LARGEST_PROFILE, without_extras

PI_HEIF = installed("pi_heif")
if PI_HEIF is not None:
    PI_HEIF.register_heif_opener()

# Registered by being imported; what else Pillow reads stays unknown to this process.
READERS = (AvifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)

# The first bytes of files that, if they cannot be read, are broken rather than something else.
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# A channel that differs from another by less is not colour: JPEG and profiles leave a trace of it in grey pictures.
GREY_LEVELS = 6

# PictureLimits of its own that would refuse whole pictures: for a profile of a megabyte, or more pixels than it likes.
PngImagePlugin.MAX_TEXT_CHUNK = LARGEST_PROFILE
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class _Turn:
    """How the stored picture is turned upright, by its EXIF orientation (1 to 8)."""

    orientation: int

    def size(self, width: int, height: int) -> tuple[int, int]:
        return (height, width) if self.orientation >= 5 else (width, height)

    def stored(self, box: Box, width: int, height: int) -> Box:
        """Where a box of the upright picture of this size lies in the stored one."""
        left, top, right, bottom = box
        if self.orientation in (2, 3, 6, 7):
            left, right = width - right, width - left
        if self.orientation in (3, 4, 7, 8):
            top, bottom = height - bottom, height - top
        return (top, left, bottom, right) if self.orientation >= 5 else (left, top, right, bottom)

    def upright(self, image: Image.Image) -> Image.Image:
        return image.transpose(TURNS[self.orientation]) if self.orientation in TURNS else image


class Opening:
    """Opens pictures one after the other. The last file stays decoded, until another one comes: of a photo that is
    looked at and cut, no part is decoded twice."""

    def __init__(self) -> None:
        self._data, self._sound_within = b"", -1
        self._whole: Image.Image | None = None
        self._turn: _Turn | None = None

    def open(self, data: bytes, limits: PictureLimits, box: Box | None = None) -> Picture:
        """A picture, or its part in `box`, upright, in sRGB, within `limits.area`. Raises NotOpened or MemoryError."""
        if data != self._data:
            self._forget()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._open(data, limits, box)

    def _forget(self) -> None:
        self._data, self._sound_within, self._whole, self._turn = b"", -1, None, None

    def _open(self, data: bytes, limits: PictureLimits, box: Box | None) -> Picture:
        """The picture, whatever libraries warn of."""
        image = _header(data, limits.formats)
        width, height = image.size
        if width * height > limits.pixels:
            raise NotOpened(Refusal.TOO_MANY_PIXELS, f"{width} x {height}")
        if min(width, height) < limits.shortest_edge:
            raise NotOpened(Refusal.TOO_SMALL, f"{width} x {height}")
        self._check(data, image, limits.scans)
        if self._turn is None:  # to look for it, Pillow decodes a PNG
            self._turn = _Turn(_orientation(image))
        turn = self._turn
        upright = turn.size(width, height)
        shown = _inside(box, *upright)
        kind = str(image.format)
        try:
            layers = self._reduced(image, turn.stored(shown, *upright), limits.area)
            alpha = layers.alpha is not None and layers.alpha.getextrema()[0] != 255
            pixels = RGB(np.asarray(turn.upright(on_paper(layers, limits.paper))))
        except MemoryError:
            raise
        except Exception as error:  # readers say in many ways that a file is broken
            raise NotOpened(Refusal.DAMAGED, f"{kind}: {error}") from error
        facts = FileFacts(format=kind, width=upright[0], height=upright[1], alpha=alpha, grey=_is_grey(pixels))
        return Picture(pixels=pixels, facts=facts, box=shown)

    def _check(self, data: bytes, image: Image.Image, scans: int) -> None:
        """Raise NotOpened for a JPEG file that is not whole; to know that, it is decoded. Asked once of a file."""
        if image.format in ("JPEG", "MPO") and scans != self._sound_within:
            decoded = check_jpeg(data, scans)
            if decoded is not None and decoded.shape == (image.height, image.width, 3) and image.mode == "RGB":
                self._whole = Image.fromarray(decoded)
                self._whole.info = image.info
        self._data, self._sound_within = data, scans

    def _reduced(self, image: Image.Image, box: Box, area: int) -> Layers:
        """The part in `box` (pixels as stored) in sRGB, of at most `area` pixels; decoded smaller where the format can,
        unless it was decoded already."""
        width, height = image.size
        wide, high = box[2] - box[0], box[3] - box[1]
        share = min(1.0, math.sqrt(area / (wide * high)))
        size = (max(1, int(wide * share)), max(1, int(high * share)))
        image.draft(None, (math.ceil(width * share), math.ceil(height * share)))
        if image.size != (width, height):
            image.load()
        elif self._whole is not None:
            image = self._whole
        else:
            image.load()
            self._whole = image
        across, down = image.size[0] / width, image.size[1] / height
        part = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
        return layers_of(image, size, part)


def _header(data: bytes, formats: tuple[str, ...]) -> Image.Image:
    """The file as Pillow knows it before it decodes any pixel. Raises NotOpened, MemoryError."""
    try:
        return Image.open(io.BytesIO(without_extras(data)), formats=[name for name in formats if name in Image.OPEN])
    except (MemoryError, NotOpened):
        raise
    except Exception as error:
        broken = data.startswith(SIGNATURES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
        raise NotOpened(Refusal.DAMAGED if broken else Refusal.NOT_AN_IMAGE, type(error).__name__) from error


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 for whatever else stands there. Nothing else of the metadata is read."""
    image.info.pop("xmp", None)
    with suppress(Exception):  # EXIF is written by everybody, and read by a parser that was not made for it
        orientation = image.getexif().get(ORIENTATION, 1)
        return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1
    return 1


def _inside(box: Box | None, width: int, height: int) -> Box:
    """The box, cut to the picture, of one pixel at least."""
    if box is None:
        return (0, 0, width, height)
    left, top = min(max(box[0], 0), width - 1), min(max(box[1], 0), height - 1)
    return (left, top, min(max(box[2], left + 1), width), min(max(box[3], top + 1), height))


def _is_grey(pixels: RGB) -> bool:
    """Whether next to no pixel has a colour."""
    step = max(1, round(math.sqrt(pixels.shape[0] * pixels.shape[1] / 250_000)))
    sample = pixels[::step, ::step].astype(np.int16)
    red, green, blue = (sample[..., channel] for channel in range(3))
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return float(np.mean(spread > GREY_LEVELS)) < 0.001
