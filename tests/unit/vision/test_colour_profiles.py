"""Colour profiles that strangers wrote: LittleCMS reads them in the decoder's child, within its time and memory."""

from __future__ import annotations

import struct
import time

import numpy as np
import pytest
from PIL import Image, ImageCms

from opened_pictures import encoded, refusal
from profile_vision.decoding import Decoder, Refusal

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
D50 = struct.pack(">iii", 63190, 65536, 54061)
WHITE = (b"wtpt", b"XYZ " + bytes(4) + D50)
BROKEN = {
    "4 MB": SRGB.ljust(4_000_000, b"\0"),
    "says that it has 4 GB": b"\xff" * 4 + SRGB[4:],
    "4 billion tags": SRGB[:128] + b"\xff" * 4 + SRGB[132:],
    "a tag behind the end": SRGB[:136] + b"\xff" * 8 + SRGB[144:],
    "cut off": SRGB[:200],
    "its header alone": SRGB[:128],
}


def profile(*tags: tuple[bytes, bytes]) -> bytes:
    """A profile of a screen, version 4, with these tags."""
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags:
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"lcms", 0x04400000, b"mntr", b"RGB ", b"XYZ ")
    head = (head + bytes(12) + b"acsp").ljust(68, b"\0") + D50
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def cubes(count: int) -> bytes:
    """A chain of so many tables of colours, one behind the other, each of which changes nothing."""
    corners = [float(place >> bit & 1) for place in range(8) for bit in (2, 1, 0)]
    one = b"clut" + bytes(4) + struct.pack(">HH", 3, 3) + bytes([2, 2, 2, *bytes(13)]) + struct.pack(">24f", *corners)
    places = b"".join(struct.pack(">II", 16 + 8 * count + number * len(one), len(one)) for number in range(count))
    return b"mpet" + bytes(4) + struct.pack(">HHI", 3, 3, count) + places + one * count


@pytest.mark.parametrize("name", BROKEN)
def test_a_photo_with_a_broken_profile_is_opened_all_the_same(decoder: Decoder, small: Image.Image, name: str) -> None:
    shown = decoder.open(encoded(small, icc_profile=BROKEN[name])).pixels.astype(int)
    assert np.abs(shown - decoder.open(encoded(small)).pixels).mean() < 1


def test_profiles_with_wrong_bytes_in_them_end_nothing(decoder: Decoder, small: Image.Image) -> None:
    photo, chance = small.resize((32, 32)), np.random.default_rng(7)
    decoder.open(encoded(photo))
    process = decoder._process
    for _ in range(100):
        changed = bytearray(SRGB)
        for _ in range(chance.integers(1, 20)):
            changed[chance.integers(len(changed))] = chance.integers(256)
        assert decoder.open(encoded(photo, icc_profile=bytes(changed))).facts.width == 32
    assert decoder._process is process


def test_a_profile_that_calculates_for_hours_is_given_up_in_time(decoder: Decoder, small: Image.Image) -> None:
    photo = small.resize((32, 32))
    assert decoder.open(encoded(photo, icc_profile=profile((b"D2B0", cubes(2)), WHITE))).facts.width == 32
    endless = encoded(photo, icc_profile=profile((b"D2B0", cubes(30_000)), (b"A2B0", cubes(30_000)), WHITE))
    begin = time.monotonic()
    assert refusal(decoder, endless, seconds=1.0) is Refusal.TOO_MUCH_WORK
    assert time.monotonic() - begin < 8
    assert decoder.open(encoded(photo)).facts.width == 32
