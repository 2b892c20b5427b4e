"""A PNG file without what is not the picture: comments, animation, profiles of megabytes."""

from __future__ import annotations

import struct
import zlib

from .picture import NotOpened, Refusal

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What the picture is made of. Everything else is for others.
NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
# A second one is against the rules, and thousands of profiles would be unpacked.
ONCE = frozenset({b"iCCP", b"eXIf"})
LARGEST_PROFILE = 8_000_000
LARGEST_EXIF = 200_000


def without_extras(data: bytes) -> bytes:
    """The file with the chunks alone that make up the picture, its colours and its orientation.

    Other files are given back as they are. Raises NotOpened (Damaged) where a chunk is not what its check sum says, or
    the end is missing: a reader that meets a chunk it does not know leaves it out, and shows the rest.
    """
    if not data.startswith(SIGNATURE):
        return data
    parts, place, kind = [SIGNATURE], len(SIGNATURE), b""
    seen: set[bytes] = set()
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", data[place : place + 8].ljust(8, b"\0"))
        end = place + 12 + length
        if end > len(data):
            raise NotOpened(Refusal.DAMAGED, "the file ends too early")
        content = data[place + 8 : end - 4]
        if zlib.crc32(content, zlib.crc32(kind)) != int.from_bytes(data[end - 4 : end], "big"):
            raise NotOpened(Refusal.DAMAGED, "a check sum is wrong")
        if kind not in ONCE & seen and _kept(kind, content):
            parts.append(data[place:end])
        seen.add(kind)
        place = end
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
