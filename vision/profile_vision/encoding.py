"""Files with dpi and marking, within a size limit."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from . import marking
from .picture import Pixels

BEST_QUALITY = 95
# Below this JPEG shows blocks in skin: the limit is then reported as not met.
WORST_QUALITY = 40
BYTES_PER_KILOBYTE = 1000


def jpeg(image: Pixels, dpi: int, quality: int) -> bytes:
    """A marked JPEG of a BGR picture, without colour subsampling: red lips and dark hair are what it smears first."""
    out = io.BytesIO()
    _picture(image).save(
        out,
        "JPEG",
        quality=quality,
        subsampling=0,
        dpi=(dpi, dpi),
        exif=marking.exif(),
        xmp=marking.XMP.encode(),
    )
    return out.getvalue()


def png(image: Pixels, dpi: int = 300) -> bytes:
    """A marked PNG of a BGR picture."""
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", marking.XMP)
    out = io.BytesIO()
    _picture(image).save(out, "PNG", pnginfo=info, exif=marking.exif(), dpi=(dpi, dpi))
    return out.getvalue()


def jpeg_within(image: Pixels, dpi: int, kilobytes: int) -> tuple[bytes, int]:
    """The best JPEG of at most so many kilobytes (of 1000 bytes), and its quality; the smallest if none is."""
    return within(lambda quality: jpeg(image, dpi, quality), kilobytes * BYTES_PER_KILOBYTE)


def within(encode: Callable[[int], bytes], limit: int) -> tuple[bytes, int]:
    """The result of the highest quality (40 to 95) that stays within `limit` bytes, by bisection."""
    best = encode(BEST_QUALITY)
    if len(best) <= limit:
        return best, BEST_QUALITY
    low, high = WORST_QUALITY, BEST_QUALITY
    found = encode(low)
    while high - low > 1:
        middle = (low + high) // 2
        tried = encode(middle)
        if len(tried) <= limit:
            low, found = middle, tried
        else:
            high = middle
    return found, low


def _picture(image: Pixels) -> Image.Image:
    return Image.fromarray(image[:, :, ::-1].copy())
