"""A PNG file without what is not the picture: comments, animation, profiles of megabytes."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What the picture is made of. Everything else is for others.
NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
LARGEST_PROFILE = 8_000_000
LARGEST_EXIF = 200_000


def without_extras(data: bytes) -> bytes:
    """The file with the chunks alone that make up the picture, its colours and its orientation.

    Other files are given back as they are; a file that ends too early still does.
    """
    if not data.startswith(SIGNATURE):
        return data
    parts, place = [SIGNATURE], len(SIGNATURE)
    while place + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        end = place + 12 + length
        if _kept(kind, data[place + 8 : min(end - 4, len(data))]):
            parts.append(data[place:end])
        place = end
        if kind == b"IEND":
            break
    return b"".join(parts)


def _kept(kind: bytes, content: bytes) -> bool:
    if kind == b"iCCP":
        return _unpacks_within(content.partition(b"\0")[2][1:], LARGEST_PROFILE)
    return kind in NEEDED or (kind == b"eXIf" and len(content) <= LARGEST_EXIF)


def _unpacks_within(packed: bytes, most: int) -> bool:
    try:
        return len(zlib.decompressobj().decompress(packed, most + 1)) <= most
    except zlib.error:
        return False
