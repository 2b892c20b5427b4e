"""What orders bring to be drawn after: opened within limits, upright, and never for longer than it is worth."""

from __future__ import annotations

import hashlib
import io
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from predictor_world import png
from profile_contract.generation import ReadGrant
from profile_draw.fitting import fitted_photo
from profile_predictor.engine import Fetched, Refused, Unavailable, pictures
from profile_predictor.engine.pictures import PHOTO, POSE, PictureReader

SIZE = (64, 64)


class OneFile:
    """Whatever is granted, it is this."""

    def __init__(self, content: bytes) -> None:
        self.content, self.limits = content, list[int]()

    def read(self, url: str, limit: int) -> Fetched:
        self.limits.append(limit)
        return Fetched(self.content, url)

    def stamp(self, url: str) -> str:
        return url


@pytest.fixture(scope="module")
def reader() -> Iterator[PictureReader]:
    reader = PictureReader(1)
    yield reader
    reader.close()


def opened(
    reader: PictureReader, kind: str, content: bytes, size: tuple[int, int] = SIZE, sha256: str = ""
) -> np.ndarray:
    read = {"pose": reader.pose, "photo": reader.photo}[kind]
    picture = read(OneFile(content), ReadGrant(url="x", sha256=sha256), size)
    return np.asarray(picture if kind == "pose" else fitted_photo(picture, size))


def saved(picture: Image.Image, kind: str, **how: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **how)
    return stream.getvalue()


def halves(
    left: tuple[int, int, int] = (255, 0, 0), right: tuple[int, int, int] = (0, 0, 255), size: tuple[int, int] = SIZE
) -> Image.Image:
    picture = Image.new("RGB", size, right)
    picture.paste(left, (0, 0, size[0] // 2, size[1]))
    return picture


def test_a_pose_map_is_read_as_it_is(reader: PictureReader) -> None:
    picture = halves()
    assert (opened(reader, "pose", saved(picture, "PNG")) == np.asarray(picture)).all()


def test_a_narrow_pose_map_gets_black_beside_and_a_flat_one_above(reader: PictureReader) -> None:
    tall = opened(reader, "pose", png((32, 64), (255, 255, 255)))
    assert (tall[:, :16] == 0).all()
    assert (tall[:, 48:] == 0).all()
    assert (tall[:, 17:47] == 255).all()
    flat = opened(reader, "pose", png((64, 32), (255, 255, 255)))
    assert (flat[:31] == 0).all()
    assert (flat[33:] == 255).all()


def test_what_is_transparent_in_a_map_is_black(reader: PictureReader) -> None:
    picture = Image.new("RGBA", SIZE, (255, 255, 255, 0))
    picture.paste((0, 255, 0, 255), (0, 0, 32, 64))
    found = opened(reader, "pose", saved(picture, "PNG"))
    assert found[5, 5].tolist() == [0, 255, 0]
    assert found[5, 60].tolist() == [0, 0, 0]
    assert opened(reader, "photo", saved(picture, "PNG"))[5, 60].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", ["pose", "photo"])
def test_sixteen_bits_are_scaled_and_not_cut(reader: PictureReader, kind: str) -> None:
    levels = np.full(SIZE, 128 * 257, np.uint16)
    assert opened(reader, kind, saved(Image.fromarray(levels), "PNG"))[9, 9].tolist() == [128, 128, 128]


def test_an_initial_image_is_upright(reader: PictureReader) -> None:
    """Turned by EXIF as phones do: what is stored at the left is shown above."""
    exif = Image.Exif()
    exif[0x0112] = 6
    found = opened(reader, "photo", saved(halves(), "JPEG", exif=exif.tobytes(), quality=95))
    assert found[5, 32, 0] > 200 > found[60, 32, 0]
    assert found[60, 32, 2] > 200


def test_an_initial_image_is_cut_and_not_stretched_more_of_it_below(reader: PictureReader) -> None:
    picture = Image.linear_gradient("L").resize((64, 128)).convert("RGB")
    found = opened(reader, "photo", saved(picture, "PNG"))[:, 0, 0].astype(int)
    assert found[-1] - found[0] == pytest.approx(128, abs=6)
    assert found[0] == pytest.approx(0.3 * 128, abs=6)


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        ("pose", b"", "the pose map is no readable PNG file"),
        ("pose", b"not a picture", "the pose map is no readable PNG file"),
        ("pose", saved(halves(), "JPEG"), "no readable PNG"),
        ("pose", saved(halves(), "WEBP"), "no readable PNG"),
        ("pose", png()[:60], "no readable PNG"),
        ("pose", png((2100, 2100), 0, "1"), "more than 4300000 pixels"),
        ("photo", saved(halves(), "GIF"), "the initial image is no readable PNG or JPEG or WEBP"),
        ("photo", saved(halves(), "TIFF"), "no readable"),
        ("photo", saved(halves(), "BMP"), "no readable"),
        ("photo", png((4100, 4100), 0, "1"), "more than 16000000 pixels"),
    ],
)
def test_what_is_no_picture_or_too_large_is_refused_by_name(
    reader: PictureReader, kind: str, content: bytes, says: str
) -> None:
    with pytest.raises(Refused, match=says):
        opened(reader, kind, content)


def test_no_more_bytes_are_asked_for_than_are_opened(reader: PictureReader) -> None:
    for read, limits in ((reader.pose, POSE), (reader.photo, PHOTO)):
        files = OneFile(png())
        read(files, ReadGrant(url="x"), SIZE)
        assert files.limits == [limits.bytes]


def test_a_file_must_be_the_one_that_the_order_names(reader: PictureReader) -> None:
    digest = hashlib.sha256(png()).hexdigest()
    assert opened(reader, "pose", png(), sha256=digest).shape == (64, 64, 3)
    with pytest.raises(Refused, match="sha256"):
        opened(reader, "pose", png((64, 63)), sha256=digest)


def scans_repeated(times: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again: a few bytes each, and the whole picture's work."""
    content = saved(halves(size=(1600, 1200)), "JPEG", progressive=True)
    begin = content.rindex(b"\xff\xda")
    return content[:-2] + content[begin:-2] * times + content[-2:]


def test_a_picture_of_very_many_scans_is_refused_at_once(reader: PictureReader) -> None:
    opened(reader, "photo", png())
    started = time.monotonic()
    with pytest.raises(Refused, match="too much time or memory"):
        opened(reader, "photo", scans_repeated(300))
    assert time.monotonic() - started < 3


def test_a_png_that_unpacks_without_end_is_refused(reader: PictureReader) -> None:
    """Its header says 64 x 64; what is packed behind it would fill the memory."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 6, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10_000_000)))
    with pytest.raises(Refused, match="pixels"):
        opened(reader, "pose", content + chunk(b"IEND", b""))


def test_what_takes_too_long_is_ended_and_the_next_picture_opened(
    reader: PictureReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "PHOTO", replace(PHOTO, seconds=0.05, scans=10_000))
    with pytest.raises(Refused, match="too much time"):
        opened(reader, "photo", scans_repeated(3000))
    monkeypatch.undo()
    assert opened(reader, "photo", png()).shape == (64, 64, 3)


def test_pictures_wait_for_each_other_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "PATIENCE_SECONDS", 0.2)
    reader = PictureReader(1)
    taken, release = threading.Event(), threading.Event()

    def hold() -> None:
        with reader._decoder():
            taken.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(10)
    with pytest.raises(Unavailable, match="wait to be opened"):
        opened(reader, "pose", png())
    release.set()
    thread.join()
    assert opened(reader, "pose", png()).shape == (64, 64, 3)
    reader.close()
