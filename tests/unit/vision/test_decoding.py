"""The decoder: what is damaged, what costs too much, and a child that may be gone and is not believed."""

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
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from opened_pictures import encoded, refusal
from profile_vision.damage import scans
from profile_vision.decoder_process import Gone, _answer
from profile_vision.decoding import Decoder, NotOpened, PictureLimits, Refusal
from profile_vision.png_file import without_extras

PERSON = Path(__file__).resolve().parents[3] / "models" / "people" / "p900006"


def outcome(decoder: Decoder, data: bytes) -> str:
    try:
        decoder.open(data)
    except NotOpened as refused:
        return str(refused.refusal)
    return "opened"


def child(decoder: Decoder) -> int:
    assert decoder._process is not None
    return decoder._process._process.pid


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


def profile_chunk(size: int) -> bytes:
    """A PNG's colour profile that unpacks to so many bytes."""
    content = b"a\0\0" + zlib.compress(b"\0" * size, 9)
    head = struct.pack(">I", len(content)) + b"iCCP" + content
    return head + struct.pack(">I", zlib.crc32(content, zlib.crc32(b"iCCP")))


def test_of_many_colour_profiles_one_is_unpacked(decoder: Decoder, photo: Image.Image) -> None:
    data, chunk = encoded(photo, "PNG"), profile_chunk(7_900_000)
    assert len(without_extras(data[:33] + chunk * 500 + data[33:])) < len(data) + 2 * len(chunk)
    assert decoder.open(data[:33] + chunk * 500 + data[33:], PictureLimits(seconds=5.0)).facts.width == 640


@pytest.mark.parametrize(("size", "kept"), [(8_000_000, True), (8_000_001, False), (30_000_000, False)])
def test_a_colour_profile_that_unpacks_without_end_is_left_out(photo: Image.Image, size: int, *, kept: bool) -> None:
    data = encoded(photo.resize((64, 64)), "PNG")
    grown = data[:33] + profile_chunk(size) + data[33:]
    assert without_extras(grown) == (grown if kept else data)


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
