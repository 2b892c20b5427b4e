"""Picture files of our own: read from the store, encoded within a size, and marked as made by a model.

Every file that a model drew says so, in a form that machines read, and on demand visibly. Files of strangers are opened
by `profile_vision.decoding`.
"""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageDraw
from PIL.PngImagePlugin import PngInfo

from profile_runtime.store.port import Store

from .lettering import lettering
from .pixels import BGR, RGB, Mask, Pixels, to_bgr, to_rgb

BEST_QUALITY = 95
# Below this JPEG shows blocks in skin: the limit is then reported as not met.
WORST_QUALITY = 40
BYTES_PER_KILOBYTE = 1000
# As wide as the page's lists show a portrait, on screens of two dots a pixel.
THUMBNAIL_WIDTH = 384
THUMBNAIL_QUALITY = 80
# Runs of equal bytes alone are looked for: a quarter of the default's time, and of photographs no more bytes.
FAST_PNG: dict[str, Any] = {"compress_level": 1, "compress_type": zlib.Z_RLE}

SOFTWARE = "Profile Studio"
# IPTC NewsCodes, Digital Source Type: 'created by a model trained on sampled content', and such a one that was made of
# a photo.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COMPOSITE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
STATEMENT = "AI-generated portrait. Not valid for official identification."
PREVIEW_STATEMENT = "AI-generated preview, drawn over a photo without training. Not valid for official identification."
VISIBLE = "AI-generated"


@dataclass(frozen=True)
class Mark:
    """What a file says of itself: how it came to be, by IPTC's words, and the same for people."""

    source_type: str = SOURCE_TYPE
    statement: str = STATEMENT

    @property
    def xmp(self) -> str:
        """An XMP packet (ISO 16684-1) with IPTC's extension schema."""
        return _XMP.format(source_type=self.source_type, software=SOFTWARE, statement=self.statement)

    @property
    def exif(self) -> bytes:
        """EXIF with Software and ImageDescription."""
        tags = Image.Exif()
        tags[_EXIF_SOFTWARE] = SOFTWARE
        tags[_EXIF_DESCRIPTION] = self.statement
        return tags.tobytes()


_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 Iptc4xmpExt:DigitalSourceType="{source_type}" xmp:CreatorTool="{software}">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{statement}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""

_EXIF_SOFTWARE = 0x0131
_EXIF_DESCRIPTION = 0x010E


PORTRAIT = Mark()
RETOUCHED = Mark(COMPOSITE_TYPE)
PREVIEW = Mark(COMPOSITE_TYPE, PREVIEW_STATEMENT)


class Unreadable(Exception):
    """There is something under the key, but it is no picture."""


def read_picture(store: Store, key: str) -> BGR:
    """A picture out of the store. Raises Unreadable, or StoreError (NotFound where nothing is)."""
    return BGR(_decoded(store, key, cv2.IMREAD_COLOR))


def read_mask(store: Store, key: str) -> Mask:
    """A mask out of the store. Raises Unreadable, or StoreError (NotFound where nothing is)."""
    return Mask(_decoded(store, key, cv2.IMREAD_GRAYSCALE))


def _decoded(store: Store, key: str, flags: int) -> Pixels:
    """The pixels of a stored file, as OpenCV's flags say."""
    data = np.frombuffer(store.read(key), dtype=np.uint8)
    try:
        pixels = cv2.imdecode(data, flags)
    except cv2.error:  # nothing in it, or more pixels than OpenCV reads
        pixels = None
    if pixels is None:
        raise Unreadable(key)
    return pixels.astype(np.uint8)


def plain_png(image: BGR | Mask) -> bytes:
    """A PNG without any marking: of a photo, a mask or a pose map, which no model drew."""
    return cv2.imencode(".png", image)[1].tobytes()


def plain_jpeg(image: BGR) -> bytes:
    """A JPEG of the best quality without any marking: of a photo, which no model drew."""
    out = io.BytesIO()
    Image.fromarray(to_rgb(image)).save(out, "JPEG", quality=BEST_QUALITY, subsampling=0)
    return out.getvalue()


@functools.cache
def srgb_profile() -> bytes:
    """The colour profile that says sRGB, in some 600 bytes, the same ones every day: without it a print shop's program
    guesses."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # Year, month, day, hour, minute and second of its making: the first moment that there was such a profile.
    profile[24:36] = struct.pack(">6H", 1999, 10, 18, 0, 0, 0)
    return bytes(profile)


def _said(mark: Mark) -> dict[str, bytes]:
    """What a JPEG or WebP says beside its pixels, as Pillow takes it."""
    return {
        "exif": mark.exif,
        "xmp": mark.xmp.encode(),
        "icc_profile": srgb_profile(),
    }


def jpeg(image: BGR, dpi: int, quality: int, mark: Mark = PORTRAIT) -> bytes:
    """A marked JPEG of a picture, without colour subsampling: red lips and dark hair are what it smears first."""
    out = io.BytesIO()
    Image.fromarray(to_rgb(image)).save(
        out,
        "JPEG",
        quality=quality,
        subsampling=0,
        dpi=(dpi, dpi),
        **_said(mark),
    )
    return out.getvalue()


def png(image: BGR, dpi: int = 300, mark: Mark = PORTRAIT) -> bytes:
    """A marked PNG of a picture."""
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", mark.xmp)
    out = io.BytesIO()
    colours = {"icc_profile": srgb_profile()}
    Image.fromarray(to_rgb(image)).save(out, "PNG", pnginfo=info, exif=mark.exif, dpi=(dpi, dpi), **colours, **FAST_PNG)
    return out.getvalue()


def thumbnail(image: BGR, mark: Mark = PORTRAIT) -> bytes:
    """A marked WebP of a picture, small enough for a page's lists: at most THUMBNAIL_WIDTH pixels wide."""
    picture = Image.fromarray(to_rgb(image))
    height = max(1, round(picture.height * THUMBNAIL_WIDTH / picture.width))
    if picture.width > THUMBNAIL_WIDTH:
        picture = picture.resize((THUMBNAIL_WIDTH, height), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=THUMBNAIL_QUALITY, **_said(mark))
    return out.getvalue()


def jpeg_within(
    image: BGR, dpi: int, kilobytes: int, mark: Mark = PORTRAIT, seal: Callable[[bytes], bytes] = bytes
) -> tuple[bytes, int]:
    """The best JPEG of at most so many kilobytes (of 1000 bytes), and its quality; the smallest if none is. `seal` adds
    what is to stand in the file beside the picture and its mark."""
    return within(lambda quality: seal(jpeg(image, dpi, quality, mark)), kilobytes * BYTES_PER_KILOBYTE)


def within(encode: Callable[[int], bytes], limit: int) -> tuple[bytes, int]:
    """The result of the highest quality (40 to 95) that stays within `limit` bytes, by bisection."""
    best = encode(BEST_QUALITY)
    if len(best) <= limit:
        return best, BEST_QUALITY
    low, high = WORST_QUALITY, BEST_QUALITY
    fitting = encode(low)
    while high - low > 1:
        middle = (low + high) // 2
        tried = encode(middle)
        if len(tried) <= limit:
            low, fitting = middle, tried
        else:
            high = middle
    return fitting, low


def visibly_marked(image: BGR) -> BGR:
    """The picture with 'AI-generated' in its lower right corner, legible on any ground."""
    height, width = image.shape[:2]
    size = max(9, round(0.028 * height))
    picture = Image.fromarray(to_rgb(image))
    drawing = ImageDraw.Draw(picture)
    place = (width - size / 2, height - size / 2)
    drawing.text(
        place,
        VISIBLE,
        font=lettering(size),
        fill="white",
        anchor="rb",
        stroke_width=1,
        stroke_fill="black",
    )
    return to_bgr(RGB(np.asarray(picture)))
