"""Whether a JPEG file is whole: Pillow shows what it can of a broken one, and says nothing."""

from __future__ import annotations

import re

from .optional import installed
from .picture import Refusal, Refused

# Where it is not installed, a broken file is shown as far as it goes.
SIMPLEJPEG = installed("simplejpeg")

START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
# In compressed data a byte FF is followed by 0, or by a restart marker; anything else begins a segment.
MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
# Warnings of libjpeg about how a file is written, not about the picture in it.
HARMLESS = ("Invalid SOS parameters for sequential JPEG", "Warning: unknown JFIF revision number")


def check_jpeg(data: bytes, most_scans: int) -> None:
    """Raise Refused: TooMuchWork for more than `most_scans` passes over the picture, Damaged if libjpeg warns."""
    if scans(data, most_scans) > most_scans:
        raise Refused(Refusal.TOO_MUCH_WORK, f"more than {most_scans} scans")
    if SIMPLEJPEG is None:
        return
    try:
        space = SIMPLEJPEG.decode_jpeg_header(data, strict=False)[2]
        same = {"Gray": "GRAY", "CMYK": "CMYK", "YCCK": "CMYK"}
        SIMPLEJPEG.decode_jpeg(data, same.get(space, "RGB"), min_height=1, min_width=1, strict=True)
    except ValueError as error:
        if not str(error).startswith(HARMLESS):
            raise Refused(Refusal.DAMAGED, str(error)) from error


def scans(data: bytes, most: int) -> int:
    """How many scans the first picture in the file has; counting ends beyond `most`."""
    count, place = 0, 2
    while count <= most and (found := MARKER.search(data, place)):
        marker, place = found[1][0], found.end()
        if marker == END_OF_IMAGE:
            break
        count += marker == START_OF_SCAN
        place += int.from_bytes(data[place : place + 2], "big")
    return count
