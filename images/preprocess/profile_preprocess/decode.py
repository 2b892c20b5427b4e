"""Bytes to an upright sRGB picture, within limits that are checked before anything is decoded."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from profile_contract.names import PhotoReason
from profile_contract.orders import PreprocessParameters

Pixels = NDArray[np.uint8]

# What phones and cameras write (the reader of JPEG reads MPO too); PIL's many other readers are left out.
FORMATS = ("JPEG", "PNG", "WEBP")
# A shorter edge below this leaves no room for a head with 96 pixels of face and shoulders around it.
SHORTEST_EDGE = 256
# Photos are looked at on a copy with this longest edge: a face of 96 pixels in 60 megapixels is still one of 20 then,
# and YOLO and YuNet look at 640 pixels anyway. A quarter of a second is saved, and nine tenths of the memory.
WORKING_EDGE = 2048


class Refused(Exception):
    """The photo cannot be used; the reason is the verdict's."""

    def __init__(self, reason: PhotoReason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Photo:
    """An upright picture without metadata: BGR (H, W, 3). `scale` is its size as a share of the uploaded one's."""

    pixels: Pixels
    scale: float


def decode(data: bytes, limits: PreprocessParameters) -> Photo:
    """Decode a photo, reduced to WORKING_EDGE (or twice the training resolution), upright and in sRGB.

    Raises Refused with TooManyBytes, NotAnImage, TooManyPixels or TooSmall; only the header was read until then.
    """
    if len(data) > limits.maximum_bytes:
        raise Refused(PhotoReason.TOO_MANY_BYTES)
    image = _open(data)
    width, height = image.size
    if width * height > limits.maximum_pixels:
        raise Refused(PhotoReason.TOO_MANY_PIXELS)
    if min(width, height) < SHORTEST_EDGE:
        raise Refused(PhotoReason.TOO_SMALL)
    edge = max(WORKING_EDGE, 2 * limits.resolution)
    try:
        upright = _upright(image, edge)
    except (OSError, SyntaxError, ValueError) as error:  # PIL's ways to say that a file is broken
        raise Refused(PhotoReason.NOT_AN_IMAGE) from error
    pixels = np.ascontiguousarray(np.asarray(upright)[:, :, ::-1])
    return Photo(pixels=pixels, scale=max(pixels.shape[:2]) / max(width, height))


def _open(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            # The pixel limit is ours, and is asked next.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise Refused(PhotoReason.TOO_MANY_PIXELS) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise Refused(PhotoReason.NOT_AN_IMAGE) from error


def _upright(image: Image.Image, edge: int) -> Image.Image:
    """Decode at a reduced scale where the format can, apply EXIF orientation and colour profile."""
    image.draft("RGB", (edge, edge))
    image.load()
    image.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    return _srgb(ImageOps.exif_transpose(image))


def _srgb(image: Image.Image) -> Image.Image:
    """Colours as sRGB (phones write Display P3), transparency on white."""
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), layered)
    if profile and image.mode == "RGB":
        image = _converted(image, profile)
    return image.convert("RGB")


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        done = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError):
        return image  # a broken profile is no reason to refuse the photo: its colours are nearly sRGB anyway
    return done or image
