"""Whether a JPEG file is whole: Pillow shows what it can of a broken one, and says nothing."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from .optional import installed
from .picture import NotOpened, Refusal
from .seam import SEAM, broken_step, seam

# Where it is not installed, a broken file is shown as far as it goes.
SIMPLEJPEG = installed("simplejpeg")

START_OF_SCAN, END_OF_IMAGE, QUANTIZATION = 0xDA, 0xD9, 0xDB
# In compressed data a byte FF is followed by 0, or by a restart marker; anything else begins a segment, but for TEM
# (01), which stands alone: the bytes behind it are no length. Of FFs that fill a gap the last one is looked at.
MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd7])")
# Warnings of libjpeg about how a file is written, not about the picture in it.
HARMLESS = ("Invalid SOS parameters for sequential JPEG", "Warning: unknown JFIF revision number")
# Pixels of the blocks in which a scan proceeds (width, height), by the chroma's resolution.
BLOCKS = {"422": (16, 8), "420": (16, 16), "440": (8, 16), "411": (32, 8)}
SPACES = {"Gray": "GRAY", "CMYK": "CMYK", "YCCK": "CMYK"}
# Encoders' tables are smooth: no entry is that many times its largest neighbour, and that much more.
STEP_TIMES, STEP_MORE = 4, 8
ZIGZAG = np.array(
    [
        0, 1, 5, 6, 14, 15, 27, 28, 2, 4, 7, 13, 16, 26, 29, 42, 3, 8, 12, 17, 25, 30, 41, 43, 9, 11, 18, 24, 31, 40,
        44, 53, 10, 19, 23, 32, 39, 45, 52, 54, 20, 22, 33, 38, 46, 51, 55, 60, 21, 34, 37, 47, 50, 56, 59, 61, 35, 36,
        48, 49, 57, 58, 62, 63,
    ]
)  # fmt: skip


def check_jpeg(data: bytes, most_scans: int) -> NDArray[np.uint8] | None:
    """The picture as it is stored (H, W, channels), where it had to be decoded to know that it is whole.

    Raises NotOpened: TooMuchWork for more than `most_scans` passes over the picture, Damaged for what is not whole.

    Damaged is what libjpeg warns of; and what it cannot know: a changed bit that still decodes shifts everything
    behind it, which leaves a seam, and one in a quantization table spoils the whole picture.
    """
    if scans(data, most_scans) > most_scans:
        raise NotOpened(Refusal.TOO_MUCH_WORK, f"more than {most_scans} scans")
    if not all(plausible(table) for table in quantization_tables(data)):
        raise NotOpened(Refusal.DAMAGED, "a quantization table is not smooth")
    if SIMPLEJPEG is None:
        return None
    try:
        _, _, space, sampling = SIMPLEJPEG.decode_jpeg_header(data, strict=False)[:4]
        means = _decoded(data, SPACES.get(space, "RGB"), smallest=True)
    except (ValueError, KeyError) as error:  # KeyError: a kind of colours that simplejpeg has no name for
        raise NotOpened(Refusal.DAMAGED, str(error)) from error
    if seam(means, BLOCKS.get(sampling, (8, 8))) > SEAM:
        raise NotOpened(Refusal.DAMAGED, "there is a seam along the order of its blocks")
    picture = _decoded(data, SPACES.get(space, "RGB"))
    if broken_step(picture, BLOCKS.get(sampling, (8, 8))):
        raise NotOpened(Refusal.DAMAGED, "there is a step along the order of its blocks")
    return picture


def _decoded(data: bytes, space: str, *, smallest: bool = False) -> NDArray[np.uint8]:
    """The picture (H, W, channels), `smallest`: the mean colour of every 8 x 8 pixels.

    Raises ValueError for a file that is not whole.
    """
    least = {"min_height": 1, "min_width": 1} if smallest else {}
    try:
        return np.asarray(SIMPLEJPEG.decode_jpeg(data, space, strict=True, **least))
    except ValueError as error:
        if not str(error).startswith(HARMLESS):
            raise
    return np.asarray(SIMPLEJPEG.decode_jpeg(data, space, strict=False, **least))


def scans(data: bytes, most: int) -> int:
    """How many scans the first picture in the file has; counting ends beyond `most`."""
    count, place = 0, 2
    while count <= most and (segment := MARKER.search(data, place)):
        marker, place = segment[1][0], segment.end()
        if marker == END_OF_IMAGE:
            break
        count += marker == START_OF_SCAN
        place += int.from_bytes(data[place : place + 2], "big")
    return count


def quantization_tables(data: bytes) -> list[NDArray[np.int64]]:
    """The tables (8, 8) before the first scan, coarser steps being larger numbers."""
    tables, place = [], 2
    while segment := MARKER.search(data, place):
        marker, place = segment[1][0], segment.end()
        if marker in (START_OF_SCAN, END_OF_IMAGE):
            break
        length = int.from_bytes(data[place : place + 2], "big")
        if marker == QUANTIZATION:
            tables += _tables(data[place + 2 : place + length])
        place += length
    return tables


def _tables(content: bytes) -> list[NDArray[np.int64]]:
    """The tables of one segment; one that is cut off is left out."""
    tables = []
    while content:
        kind = np.dtype(">u2") if content[0] >> 4 else np.dtype("u1")
        size = 64 * kind.itemsize
        if len(content) < 1 + size:
            break
        steps = np.frombuffer(content[1 : 1 + size], kind).astype(np.int64)
        tables.append(steps[ZIGZAG].reshape(8, 8))
        content = content[1 + size :]
    return tables


def plausible(table: NDArray[np.int64]) -> bool:
    """Whether an encoder may have written this quantization table (8, 8)."""
    wide = np.pad(table, 1)
    around = [wide[1 + y : 9 + y, 1 + x : 9 + x] for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    return bool((table > 0).all() and (table <= STEP_TIMES * np.max(around, axis=0) + STEP_MORE).all())
