"""The decoder: one picture in every encoding, what is damaged, what costs too much, and a child that may be gone."""

import functools
import io
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from profile_vision.damage import scans
from profile_vision.decoder_process import Gone, _answer
from profile_vision.decoding import Decoder, NotOpened, PictureLimits, Refusal
from profile_vision.png_file import without_extras

PERSON = Path(__file__).resolve().parents[3] / "models" / "people" / "p900006"


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder() as shared:
        yield shared


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.open(PERSON / "02.jpg").convert("RGB")


@pytest.fixture(scope="module")
def small(photo: Image.Image) -> Image.Image:
    """The photo at a quarter of its pixels: no encoding is another for a larger one."""
    return photo.resize((320, 320))


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **({"quality": 95} if kind == "JPEG" else {}) | options)
    return out.getvalue()


def refusal(decoder: Decoder, data: bytes, **limits: float) -> Refusal:
    with pytest.raises(NotOpened) as refused:
        decoder.open(data, replace(PictureLimits(), **limits))  # type: ignore[arg-type]
    return refused.value.refusal


def outcome(decoder: Decoder, data: bytes) -> str:
    try:
        decoder.open(data)
    except NotOpened as refused:
        return str(refused.refusal)
    return "opened"


def child(decoder: Decoder) -> int:
    assert decoder._process is not None
    return decoder._process._process.pid


# --- encodings -------------------------------------------------------------------------------------------------


def swapped_profile() -> bytes:
    """sRGB with red and green exchanged: whoever forgets to convert shows green faces."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", data[128:132])[0]
    tags = {bytes(data[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    data[red + 4 : red + 12], data[green + 4 : green + 12] = data[green + 4 : green + 12], data[red + 4 : red + 12]
    return bytes(data)


def in_profile(image: Image.Image, profile: bytes) -> Image.Image:
    target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), target)
    assert converted is not None
    return converted


def grey_profile() -> bytes:
    """Grey of gamma 1.8, as Photoshop's 'Dot Gain' files have it nearly."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(1.8 * 256)) + bytes(2)
    white = b"XYZ " + bytes(4) + struct.pack(">iii", 63190, 65536, 54061)
    text = b"desc" + bytes(4) + struct.pack(">I", 2) + b"g\0" + bytes(78 + 3)
    tags, body, at = b"", b"", 128 + 4 + 12 * 3
    for name, content in ((b"kTRC", curve), (b"wtpt", white), (b"desc", text)):
        tags += name + struct.pack(">II", at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    head = (head + bytes(12) + b"acsp").ljust(68, b"\0") + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", 3) + tags + body


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunk(png: bytes, kind: bytes, content: bytes) -> bytes:
    """The PNG with one more chunk behind its header."""
    return png[:33] + chunk(kind, content) + png[33:]


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """As a camera stores it that was held so."""
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    return image.transpose(back[orientation]) if orientation in back else image


def oriented(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def opaque(image: Image.Image, mode: str) -> Image.Image:
    """With an alpha channel that hardly shows."""
    layered = image.convert(mode)
    alpha = Image.new("L", image.size, 255)
    alpha.paste(254, (0, 0, 1, 1))
    layered.putalpha(alpha)
    return layered


def grey16(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


def rgb16(image: Image.Image) -> bytes:
    """A PNG of 48 bits a pixel, which Pillow cannot write."""
    levels = (np.asarray(image).astype(">u2") * 257).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    head = struct.pack(">IIBBBBB", image.width, image.height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


COLOUR: dict[str, Callable[[Image.Image], bytes]] = {
    "PNG": lambda im: encoded(im, "PNG"),
    "PNG, profile": lambda im: encoded(in_profile(im, swapped_profile()), "PNG", icc_profile=swapped_profile()),
    "PNG, profile and alpha": lambda im: encoded(
        opaque(in_profile(im, swapped_profile()), "RGBA"), "PNG", icc_profile=swapped_profile()
    ),
    "PNG, 48 bits": rgb16,
    "PNG, comment of 3 MB": lambda im: with_chunk(
        encoded(im, "PNG"), b"zTXt", b"a\0\0" + zlib.compress(bytes(3_000_000))
    ),
    "PNG, profile of 20 MB": lambda im: with_chunk(
        encoded(im, "PNG"), b"iCCP", b"a\0\0" + zlib.compress(bytes(20_000_000))
    ),
    "PNG, profile of 2 MB": lambda im: encoded(
        in_profile(im, swapped_profile()), "PNG", icc_profile=swapped_profile().ljust(2_000_000, b"\0")
    ),
    "PNG, broken profile": lambda im: encoded(im, "PNG", icc_profile=b"\0" * 300),
    "PNG, grey profile": lambda im: encoded(im, "PNG", icc_profile=grey_profile()),
    "PNG, animated": lambda im: encoded(im, "PNG", save_all=True, append_images=[im.rotate(90)]),
    "PNG, turned": lambda im: encoded(turned(im, 8), "PNG", exif=oriented(8)),
    "JPEG": lambda im: encoded(im, subsampling=0, quality=100),
    "JPEG, progressive": lambda im: encoded(im, subsampling=0, quality=100, progressive=True),
    "JPEG, profile": lambda im: encoded(
        in_profile(im, swapped_profile()), subsampling=0, quality=100, icc_profile=swapped_profile()
    ),
    "JPEG, turned": lambda im: encoded(turned(im, 6), subsampling=0, quality=100, exif=oriented(6)),
    "JPEG, CMYK": lambda im: encoded(im.convert("CMYK"), subsampling=0, quality=100),
    "JPEG, a film behind it": lambda im: encoded(im, subsampling=0, quality=100) + b"\0\0\0\x18ftypmp42" + bytes(9999),
    "JPEG, two pictures (MPO)": lambda im: encoded(
        im, "MPO", subsampling=0, quality=100, save_all=True, append_images=[im.resize((64, 64))]
    ),
    "WebP": lambda im: encoded(im, "WEBP", lossless=True),
    "WebP, profile and alpha": lambda im: encoded(
        opaque(in_profile(im, swapped_profile()), "RGBA"), "WEBP", lossless=True, icc_profile=swapped_profile()
    ),
    "AVIF": lambda im: encoded(im, "AVIF", quality=100, subsampling="4:4:4"),
    "AVIF, turned": lambda im: encoded(turned(im, 6), "AVIF", quality=100, subsampling="4:4:4", exif=oriented(6)),
}  # fmt: skip
GREY: dict[str, Callable[[Image.Image], bytes]] = {
    "PNG": lambda im: encoded(im.convert("L"), "PNG"),
    "PNG, alpha": lambda im: encoded(opaque(im, "LA"), "PNG"),
    "PNG, 16 bits": lambda im: encoded(grey16(im), "PNG"),
    "PNG, colour profile": lambda im: encoded(im.convert("L"), "PNG", icc_profile=ImageCms.ImageCmsProfile(
        ImageCms.createProfile("sRGB")).tobytes()),
    "PNG, palette": lambda im: encoded(im.convert("L").convert("P"), "PNG"),
    "JPEG": lambda im: encoded(im.convert("L"), quality=100),
    "WebP": lambda im: encoded(im.convert("L").convert("RGB"), "WEBP", lossless=True),
}  # fmt: skip


def difference(pixels: np.ndarray, wanted: Image.Image) -> float:
    return float(np.abs(pixels.astype(int) - np.asarray(wanted.convert("RGB")).astype(int)).mean())


@pytest.mark.parametrize("way", COLOUR)
def test_one_picture_in_every_encoding(way: str, decoder: Decoder, small: Image.Image) -> None:
    opened = decoder.open(COLOUR[way](small))
    assert difference(opened.pixels, small) <= 1.0
    assert not opened.facts.grey
    assert opened.facts.alpha == ("alpha" in way)


@pytest.mark.parametrize("way", GREY)
def test_a_grey_picture_in_every_encoding(way: str, decoder: Decoder, small: Image.Image) -> None:
    opened = decoder.open(GREY[way](small))
    assert difference(opened.pixels, small.convert("L")) <= 1.0
    assert opened.facts.grey


def test_a_grey_profile_is_applied(decoder: Decoder) -> None:
    """Gamma 1.8 to sRGB's: middle grey gets lighter, black and white stay."""
    data = encoded(Image.fromarray(np.full((64, 64), 100, np.uint8)), "PNG", icc_profile=grey_profile())
    level = int(decoder.open(data).pixels[5, 5, 0])
    assert level == pytest.approx(255 * 1.055 * ((100 / 255) ** 1.8) ** (1 / 2.4) - 255 * 0.055, abs=2)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_every_orientation(kind: str, orientation: int, decoder: Decoder, photo: Image.Image) -> None:
    upright = photo.crop((0, 0, 300, 200))
    opened = decoder.open(encoded(turned(upright, orientation), kind, exif=oriented(orientation)))
    assert (opened.facts.width, opened.facts.height) == (300, 200)
    assert difference(opened.pixels, upright) < 4


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist(orientation: int, decoder: Decoder, photo: Image.Image) -> None:
    assert difference(decoder.open(encoded(photo, exif=oriented(orientation))).pixels, photo) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_part_is_a_part_of_the_upright_picture(orientation: int, decoder: Decoder, photo: Image.Image) -> None:
    upright, box = photo.crop((0, 0, 500, 400)), (120, 60, 320, 360)
    data = encoded(turned(upright, orientation), exif=oriented(orientation))
    opened = decoder.open(data, box=box)
    assert opened.box == box
    assert opened.pixels.shape == (300, 200, 3)
    assert difference(opened.pixels, upright.crop(box)) < 4
    assert opened.scale == 1.0


def test_a_part_of_a_large_picture_keeps_its_detail(decoder: Decoder, photo: Image.Image) -> None:
    large = Image.new("RGB", (4000, 1000), "grey")
    large.paste(photo, (3000, 200))
    data, limits = encoded(large), PictureLimits(area=640 * 640)
    whole = decoder.open(data, limits)
    assert whole.pixels.shape[0] * whole.pixels.shape[1] <= 640 * 640
    assert whole.scale == pytest.approx(0.32, abs=0.01)
    assert whole.pixels.shape[1] / whole.pixels.shape[0] == pytest.approx(4, abs=0.02)
    part = decoder.open(data, limits, box=(3000, 200, 3640, 840))
    assert part.scale == 1.0
    assert difference(part.pixels, photo) < 4


@pytest.mark.parametrize("box", [(-50, -50, 9999, 9999), (900, 900, 950, 950), (5, 5, 5, 5)])
def test_a_part_outside_is_cut_to_the_picture(box: tuple[int, int, int, int], decoder: Decoder) -> None:
    opened = decoder.open(encoded(Image.new("RGB", (60, 40))), box=box)
    left, top, right, bottom = opened.box
    assert 0 <= left < right <= 60
    assert 0 <= top < bottom <= 40


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_becomes_white(mode: str, decoder: Decoder) -> None:
    clear = Image.new("RGBA", (300, 300), (10, 10, 10, 0)).convert(mode)
    opened = decoder.open(encoded(clear, "PNG"))
    assert (opened.pixels == 255).all()
    assert opened.facts.alpha


def test_half_transparent_is_half_white(decoder: Decoder) -> None:
    opened = decoder.open(encoded(Image.new("RGBA", (64, 64), (200, 0, 0, 128)), "PNG"))
    assert opened.pixels[9, 9].tolist() == [227, 127, 127]


@pytest.mark.parametrize("mode", ["1", "L", "I;16"])
def test_a_level_that_stands_for_transparent(mode: str, decoder: Decoder) -> None:
    image = Image.new(mode, (64, 64), 0)
    image.paste(Image.new(mode, (32, 64), 40000 if mode == "I;16" else 255), (0, 0))
    opened = decoder.open(encoded(image, "PNG", transparency=0))
    assert (opened.pixels[:, 40:] == 255).all()
    assert opened.facts.alpha


def test_names_do_not_matter_contents_do(decoder: Decoder, photo: Image.Image) -> None:
    for kind in ("GIF", "BMP", "TIFF", "ICO", "PPM", "TGA", "DDS", "PCX"):
        assert refusal(decoder, encoded(photo, kind)) is Refusal.NOT_AN_IMAGE, kind
    for data in (b"", b"<!doctype html>" + b"x" * 3000, b"Dear Sir or Madam", b"\0\0\0\x18ftypheic" + bytes(4000)):
        assert refusal(decoder, data) is Refusal.NOT_AN_IMAGE
    with pytest.raises(NotOpened):
        decoder.open(encoded(photo), PictureLimits(formats=("PNG",)))


# --- damage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3, 0.5, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["JPEG", "progressive", "PNG", "WEBP", "AVIF"])
def test_a_file_that_ends_too_early(kind: str, share: float, decoder: Decoder, small: Image.Image) -> None:
    data = encoded(small, progressive=True) if kind == "progressive" else encoded(small, kind)
    assert refusal(decoder, data[: int(share * len(data))]) in {Refusal.DAMAGED, Refusal.NOT_AN_IMAGE}


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.85, 0.95])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_whose_rest_never_arrived(share: float, progressive: bool, decoder: Decoder, photo: Image.Image) -> None:
    data = encoded(photo, progressive=progressive)
    begin = data[: int(share * len(data))]
    assert refusal(decoder, begin + bytes(len(data) - len(begin))) is Refusal.DAMAGED
    assert refusal(decoder, begin + b"\xff\xd9") is Refusal.DAMAGED


@pytest.mark.parametrize("kind", [b"IDAU", b"iDAT", b"IDAT"])
def test_a_png_of_which_a_chunk_is_spoilt(kind: bytes, decoder: Decoder, photo: Image.Image) -> None:
    """Renamed, a chunk of the picture looks like one for others; changed, it is not what its check sum says."""
    data = encoded(photo, "PNG")
    at = data.rindex(b"IDAT")
    spoilt = data[:at] + kind + data[at + 4 : at + 9] + bytes([data[at + 9] ^ (kind == b"IDAT")]) + data[at + 10 :]
    assert refusal(decoder, spoilt) is Refusal.DAMAGED
    assert refusal(decoder, data[: data.rindex(b"IEND") - 4]) is Refusal.DAMAGED
    assert decoder.open(data).facts.format == "PNG"


def test_a_changed_bit_that_shifts_what_follows_leaves_a_seam(decoder: Decoder, photo: Image.Image) -> None:
    """Most are read to their end without a warning, and have another light or colour from there on."""
    data, chance, shifted = (PERSON / "02.jpg").read_bytes(), random.Random(4), 0  # noqa: S311
    sound = np.asarray(photo).astype(np.int16)
    for _ in range(120):
        changed = bytearray(data)
        changed[chance.randrange(700, len(data))] ^= 1 << chance.randrange(8)
        wrong = np.asarray(Image.open(io.BytesIO(bytes(changed)))) - sound
        if (np.abs(wrong).max(axis=2) > 40).mean() > 0.02:
            shifted += 1
            assert outcome(decoder, bytes(changed)) == "Damaged"
    assert shifted >= 3


@pytest.mark.parametrize("level", [0, 1, 100, 254, 255])
def test_every_level_of_sixteen_bits_is_one_of_eight(level: int, decoder: Decoder) -> None:
    data = encoded(Image.fromarray(np.full((64, 64), 257 * level, np.uint16)), "PNG")
    assert decoder.open(data).pixels[3, 3].tolist() == [level] * 3


def test_an_answer_that_was_interrupted_is_not_taken_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with Decoder() as interrupted:
        small = encoded(Image.new("RGB", (8, 8)))
        interrupted.open(small)
        before = child(interrupted)
        with monkeypatch.context() as patch:
            patch.setattr(type(interrupted._process), "open", _interrupt)
            with pytest.raises(KeyboardInterrupt):
                interrupted.open(small)
        assert interrupted.open(small).facts.width == 8
        assert child(interrupted) != before


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


# --- work ------------------------------------------------------------------------------------------------------


@functools.cache
def progressive_sheet() -> bytes:
    return encoded(Image.new("RGB", (4000, 4000), (120, 110, 100)), progressive=True, quality=60)


def scan_bomb(scans: int) -> bytes:
    """A progressive JPEG whose last pass over the picture is repeated."""
    data = progressive_sheet()
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * scans + b"\xff\xd9"


def test_many_scans_are_refused_before_they_are_decoded(decoder: Decoder) -> None:
    bomb, begun = scan_bomb(4000), time.monotonic()
    assert refusal(decoder, bomb) is Refusal.TOO_MUCH_WORK
    assert time.monotonic() - begun < 2
    assert refusal(decoder, scan_bomb(10), scans=12) is Refusal.TOO_MUCH_WORK
    assert decoder.open(scan_bomb(0), PictureLimits(area=10_000, scans=10)).facts.width == 4000
    assert refusal(decoder, scan_bomb(0), scans=9) is Refusal.TOO_MUCH_WORK


def test_scans_are_not_hidden_behind_a_marker_that_stands_alone(decoder: Decoder) -> None:
    plain = scan_bomb(0)
    last = plain[plain.rfind(b"\xff\xda") : -2]
    # TEM has no length: what stands behind it is the next marker, not the number of bytes to leave out.
    hidden = plain[:-2] + (b"\xff\x01" + last) * 300 + b"\xff\xd9"
    assert scans(hidden, 1000) == scans(plain, 1000) + 300
    assert refusal(decoder, hidden, scans=20) is Refusal.TOO_MUCH_WORK


def test_bytes_that_fill_a_gap_are_passed_in_one_go() -> None:
    begun = time.monotonic()
    assert scans(b"\xff\xd8" + b"\xff" * 3_000_000, 10) == 0
    assert scans(b"\xff\xd8" + b"\xff" * 1000 + b"\xda\x00\x02" + b"\xff\xd9", 10) == 1
    assert time.monotonic() - begun < 5


def test_of_many_colour_profiles_one_is_unpacked(decoder: Decoder, photo: Image.Image) -> None:
    data = encoded(photo, "PNG")
    name = b"a\0\0" + zlib.compress(b"\0" * 7_900_000, 9)
    chunk = struct.pack(">I", len(name)) + b"iCCP" + name + struct.pack(">I", zlib.crc32(name, zlib.crc32(b"iCCP")))
    assert len(without_extras(data[:33] + chunk * 500 + data[33:])) < len(data) + 2 * len(chunk)
    assert decoder.open(data[:33] + chunk * 500 + data[33:], PictureLimits(seconds=5.0)).facts.width == 640


def test_scans_of_a_picture_behind_the_picture_do_not_count(decoder: Decoder, photo: Image.Image) -> None:
    many = encoded(photo.resize((64, 64)), progressive=True) * 20
    assert decoder.open(encoded(photo) + many, PictureLimits(scans=3)).facts.width == 640
    thumbnail = b"Exif\0\0" + encoded(photo.resize((64, 64)), progressive=True) * 9
    assert decoder.open(encoded(photo, exif=thumbnail[:60000]), PictureLimits(scans=3)).facts.width == 640


def test_a_picture_that_takes_too_long_ends_the_child_and_the_next_is_opened(decoder: Decoder) -> None:
    small, bomb = encoded(Image.new("RGB", (64, 64), "red")), scan_bomb(3000)
    decoder.open(small)
    before, begun = child(decoder), time.monotonic()
    assert refusal(decoder, bomb, scans=10_000, seconds=0.2) is Refusal.TOO_MUCH_WORK
    assert time.monotonic() - begun < 3
    assert decoder.open(small).facts.format == "JPEG"
    assert child(decoder) != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def test_a_child_that_was_killed_is_replaced(decoder: Decoder) -> None:
    small = encoded(Image.new("RGB", (64, 64), "red"))
    decoder.open(small)
    before = child(decoder)
    os.kill(before, signal.SIGKILL)
    with pytest.raises(NotOpened) as refused:
        decoder.open(small)
    assert refused.value.refusal is Refusal.DAMAGED
    assert decoder.open(small).pixels[0, 0].tolist() == [254, 0, 0]


def test_too_much_memory_is_a_refusal_and_the_child_goes_on() -> None:
    with Decoder() as small:
        limits = PictureLimits(memory_megabytes=350)
        assert refusal(small, encoded(Image.new("RGBA", (7000, 7000)), "PNG"), memory_megabytes=350) is (
            Refusal.TOO_MUCH_WORK
        )
        assert small.open(encoded(Image.new("RGB", (64, 64))), limits).facts.width == 64


def test_limits_hold_before_anything_is_decoded(decoder: Decoder) -> None:
    begun = time.monotonic()
    assert refusal(decoder, encoded(Image.new("L", (9000, 9000)), "PNG")) is Refusal.TOO_MANY_PIXELS
    assert refusal(decoder, b"x" * 101, bytes=100) is Refusal.TOO_MANY_BYTES
    small = encoded(Image.new("RGB", (200, 90)))
    assert refusal(decoder, small, shortest_edge=91) is Refusal.TOO_SMALL
    assert decoder.open(small, PictureLimits(bytes=len(small), pixels=18_000, shortest_edge=90)).facts.height == 90
    assert refusal(decoder, small, pixels=17_999) is Refusal.TOO_MANY_PIXELS
    assert time.monotonic() - begun < 5


# --- the child is not believed ---------------------------------------------------------------------------------


def test_the_child_knows_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PROFILE_ORDER", "secret")
    with Decoder() as fresh:
        fresh.open(encoded(Image.new("RGB", (8, 8))))
        environment = Path(f"/proc/{child(fresh)}/environ").read_bytes()
    assert b"secret" not in environment


GOOD = {"shape": [4, 6], "box": [0, 0, 6, 4], "format": "JPEG", "width": 6, "height": 4, "alpha": False, "grey": False}


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [40_000, 40_000]}, {"shape": [-1, -1]}, {"shape": [0, 5]}, {"shape": [4]}, {"shape": "xy"},
        {"box": [0, 0, 7, 4]}, {"box": [-1, 0, 6, 4]}, {"box": [3, 0, 3, 4]}, {"width": 10**9}, {"width": "x"},
        {"height": 1e999}, {"refusal": "Nonsense"}, {"refusal": "Damaged"},
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_meant(change: dict[str, object]) -> None:
    with pytest.raises(Gone):
        _answer(json.dumps({**GOOD, **change}).encode(), PictureLimits())


def test_answers_that_are_meant() -> None:
    assert _answer(json.dumps(GOOD).encode(), PictureLimits())[:2] == (4, 6)
    with pytest.raises(NotOpened) as refused:
        _answer(json.dumps({"refusal": "Damaged", "detail": "x" * 999}).encode(), PictureLimits())
    assert (refused.value.refusal, len(refused.value.detail)) == (Refusal.DAMAGED, 200)
    for line in (b"", b"[", b"[]", b"7", b"{}", b"[" * 100_000):
        with pytest.raises(Gone):
            _answer(line, PictureLimits())


def test_only_pillow_and_numpy_are_imported() -> None:
    code = (
        "import sys, profile_vision.decoding; print([m for m in ('cv2', 'torch', 'ultralytics') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_image_that_meets_strangers_photos_reads_heic_and_tells_damage() -> None:
    pinned = (Path(__file__).resolve().parents[3] / "constraints/preprocess.txt").read_text()
    assert "\npi-heif==" in pinned
    assert "\nsimplejpeg==" in pinned


def test_mutations_are_opened_or_refused(decoder: Decoder, small: Image.Image) -> None:
    """300 files with bytes changed, cut out, doubled or zeroed: a picture or a refusal, never anything else."""
    chance = random.Random(5)  # noqa: S311
    whole = [encoded(small, kind) for kind in ("JPEG", "PNG", "WEBP", "AVIF")]
    for _ in range(300):
        data = bytearray(chance.choice(whole))
        for _ in range(chance.randrange(1, 6)):
            at, length = chance.randrange(len(data)), chance.randrange(1, 200)
            way = chance.randrange(4)
            if way == 0:
                data[at] ^= 1 << chance.randrange(8)
            elif way == 1:
                del data[at : at + length]
            elif way == 2:
                data[at:at] = data[at : at + length]
            else:
                data[at : at + length] = bytes(len(data[at : at + length]))
        assert outcome(decoder, bytes(data)) in {"opened", "Damaged", "NotAnImage", "TooManyPixels"}
