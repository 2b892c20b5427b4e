"""Odd photos, made from the cast: what phones, messengers, scanners, print shops and bad luck make of a good photo."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from profile_contract.photos import PhotoReason

PEOPLE = Path(__file__).resolve().parents[2] / "models" / "people"
ME, OTHER, DARK = "p900006", "p900054", "p900011"

ACCEPTED = frozenset({PhotoReason.ACCEPTED})
DAMAGED = frozenset({PhotoReason.DAMAGED})
COVERED = frozenset({PhotoReason.FACE_COVERED, PhotoReason.NO_FACE})
UNSHARP = frozenset({PhotoReason.BLURRED, PhotoReason.FACE_TOO_SMALL, PhotoReason.NO_FACE})
NO_PHOTO = frozenset({PhotoReason.NOT_AN_IMAGE})
NOBODY = frozenset({PhotoReason.NO_FACE})
TOO_LARGE = frozenset({PhotoReason.TOO_MANY_PIXELS})


@dataclass(frozen=True)
class Odd:
    """One odd file, and the verdicts that are right for it."""

    name: str
    make: Callable[[], bytes]
    right: frozenset[PhotoReason]


def file(person: str = ME, number: int = 3) -> bytes:
    """A photo of the cast as it is."""
    return (PEOPLE / person / f"{number:02d}.jpg").read_bytes()


def picture(person: str = ME, number: int = 3) -> Image.Image:
    """A photo of the cast."""
    return Image.open(io.BytesIO(file(person, number))).convert("RGB")


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    image.save(out, kind, **({"quality": 92} if kind == "JPEG" else {}) | options)
    return out.getvalue()


def single() -> list[Odd]:
    """Single files."""
    jpeg, png = encoded(picture()), encoded(picture(), "PNG")
    return [
        *[Odd(f"turned by {angle}", _turned(angle), ACCEPTED) for angle in (90, 180, 270)],
        *[Odd(f"cut at {share} %", _part(jpeg, share), DAMAGED) for share in (2, 20, 50, 80, 99)],
        *[Odd(f"cut at {share} % and closed", _part(jpeg, share, b"\xff\xd9"), DAMAGED) for share in (50, 70, 85, 95)],
        *[Odd(f"zeros from {share} % on", _zeros(jpeg, share), DAMAGED) for share in (30, 60, 90)],
        *[Odd(f"PNG cut at {share} %", _part(png, share), DAMAGED) for share in (10, 50, 90)],
        Odd("scans without end", _scan_bomb, frozenset({PhotoReason.TOO_MUCH_WORK})),
        Odd(
            "200 megapixels", lambda: encoded(Image.new("L", (16320, 12240))), frozenset({PhotoReason.TOO_MANY_PIXELS})
        ),
        Odd("16 bit grey", _grey16, ACCEPTED),
        Odd("CMYK", lambda: encoded(picture().convert("CMYK")), ACCEPTED),
        Odd("AVIF", lambda: encoded(picture(), "AVIF"), ACCEPTED),
        Odd("a PNG named photo.jpg", lambda: png, ACCEPTED),
        Odd("a film behind the photo", lambda: jpeg + bytes(300_000), ACCEPTED),
        Odd("GIF", lambda: encoded(picture(), "GIF"), NO_PHOTO),
        Odd("a web page", lambda: b"<!doctype html>" + b"x" * 3000, NO_PHOTO),
        Odd("nothing", lambda: b"", NO_PHOTO),
        Odd("a panorama", lambda: _on_canvas(9000, 700, 5000, 30), ACCEPTED),
        Odd("a scrolled screenshot", lambda: _on_canvas(900, 9000, 100, 6000), ACCEPTED),
        Odd(
            "a long picture of nobody", lambda: encoded(Image.new("RGB", (9000, 400))), frozenset({PhotoReason.NO_FACE})
        ),
        *[Odd(f"JPEG quality {value}", _recompressed(value), UNSHARP) for value in (1, 5, 10)],
        *[Odd(f"{edge} pixels, enlarged", _pixelated(edge, 640), UNSHARP) for edge in (48, 64, 96)],
        Odd("a thumbnail, enlarged", _pixelated(96, 1600, Image.Resampling.LANCZOS), UNSHARP),
        *[Odd(f"{name} before the mouth", _covered(colour), COVERED) for name, colour in _THINGS.items()],
        *[Odd(f"{stops} stops darker", _darker(stops), ACCEPTED) for stops in (1, 2)],
        Odd("5 stops darker", _darker(5), frozenset({PhotoReason.TOO_DARK})),
        Odd("5 stops darker, dark skin", _darker(5, DARK), frozenset({PhotoReason.TOO_DARK})),
        Odd("2 stops darker, dark skin", _darker(2, DARK), ACCEPTED),
        Odd("blue light", lambda: _in_light((0.5, 0.7, 1.0)), ACCEPTED),
        Odd("candle light", lambda: _in_light((1.0, 0.7, 0.4)), ACCEPTED),
    ]


def turned_set() -> dict[str, bytes]:
    """Ten photos of one person, each lying another way."""
    return {f"{n}.jpg": encoded(picture(ME, n).rotate(90 * (n % 4), expand=True)) for n in range(10)}


def upright_set() -> dict[str, bytes]:
    """The same ten photos upright."""
    return {f"{n}.jpg": encoded(picture(ME, n)) for n in range(10)}


def one_moment_set() -> dict[str, bytes]:
    """Eight copies of one photo, each edited otherwise."""
    image = picture()
    width, height = image.size
    warm = np.clip(np.asarray(image) * np.array([1.12, 1.0, 0.8]) + 12, 0, 255).astype(np.uint8)
    bright = np.clip(np.asarray(image) * 1.35, 0, 255).astype(np.uint8)
    copies = {
        "original": image,
        "mirrored": ImageOps.mirror(image),
        "cropped": image.crop((int(0.08 * width), int(0.05 * height), int(0.95 * width), int(0.97 * height))),
        "grey": image.convert("L").convert("RGB"),
        "warm": Image.fromarray(warm),
        "framed": ImageOps.expand(image, 70, "white"),
        "brighter": Image.fromarray(bright),
        "tilted": image.rotate(5, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128)),
    }
    return {f"{name}.jpg": encoded(copy) for name, copy in copies.items()}


def two_people_set() -> dict[str, bytes]:
    """Six photos each of two people."""
    return {f"{person}-{n}.jpg": file(person, n) for person in (ME, OTHER) for n in range(6)}


def grey_set() -> dict[str, bytes]:
    """Six photos in black and white."""
    return {f"{n}.jpg": encoded(picture(ME, n).convert("L")) for n in range(6)}


def mutations(count: int, seed: int = 11) -> Iterator[tuple[str, bytes, bytes]]:
    """Name, whole file and changed file: bits flipped, bytes zeroed, cut out, doubled, ends cut off."""
    chance = random.Random(seed)  # noqa: S311
    whole = [file(person, number) for person in (ME, OTHER, DARK) for number in (2, 3)]
    whole += [encoded(picture(ME, 3), progressive=True), encoded(picture(ME, 3), "PNG")]
    ways = {"bits flipped": _flipped, "bytes zeroed": _zeroed, "a piece missing": _missing, "a piece doubled": _doubled}
    for _ in range(count):
        data, (name, way) = chance.choice(whole), chance.choice(list(ways.items()))
        changed = bytearray(data)
        for _ in range(chance.choice((1, 3, 12))):
            way(changed, chance)
        if chance.random() < 0.15:
            del changed[int(len(changed) * chance.uniform(0.2, 0.98)) :]
            name = "end cut off"
        yield name, data, bytes(changed)


def _flipped(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(2, len(data))] ^= 1 << chance.randrange(8)


def _zeroed(data: bytearray, chance: random.Random) -> None:
    at, length = chance.randrange(2, len(data)), chance.randrange(1, 400)
    data[at : at + length] = bytes(len(data[at : at + length]))


def _missing(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(2, len(data))
    del data[at : at + chance.randrange(1, 400)]


def _doubled(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(2, len(data))
    data[at:at] = data[at : at + chance.randrange(1, 400)]


def _turned(angle: int) -> Callable[[], bytes]:
    return lambda: encoded(picture().rotate(angle, expand=True))


def _part(data: bytes, percent: int, end: bytes = b"") -> Callable[[], bytes]:
    return lambda: data[: len(data) * percent // 100] + end


def _zeros(data: bytes, percent: int) -> Callable[[], bytes]:
    kept = len(data) * percent // 100
    return lambda: data[:kept] + bytes(len(data) - kept)


def _scan_bomb() -> bytes:
    data = encoded(Image.new("RGB", (7600, 7600), (120, 110, 100)), progressive=True, quality=60)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * 4000 + b"\xff\xd9"


def _grey16() -> bytes:
    return encoded(Image.fromarray(np.asarray(picture().convert("L")).astype(np.uint16) * 257), "PNG")


def _on_canvas(width: int, height: int, left: int, top: int) -> bytes:
    canvas = Image.new("RGB", (width, height), (150, 160, 170))
    canvas.paste(picture(), (left, top))
    return encoded(canvas)


def _recompressed(quality: int) -> Callable[[], bytes]:
    return lambda: encoded(picture(), quality=quality)


def _pixelated(edge: int, size: int, way: Image.Resampling = Image.Resampling.NEAREST) -> Callable[[], bytes]:
    return lambda: encoded(picture().resize((edge, edge), Image.Resampling.LANCZOS).resize((size, size), way))


_THINGS: dict[str, tuple[int, int, int] | None] = {
    "a hand": None, "a blue mask": (40, 60, 120), "a black mask": (20, 20, 20), "a white mask": (235, 235, 235),
    "a green scarf": (40, 120, 60),
}  # fmt: skip


def _covered(colour: tuple[int, int, int] | None) -> Callable[[], bytes]:
    def make() -> bytes:
        image = picture()
        fill = colour or image.getpixel((268, 330))
        ImageDraw.Draw(image).ellipse((225, 318, 420, 450), fill=fill)
        return encoded(image)

    return make


def _darker(stops: float, person: str = ME) -> Callable[[], bytes]:
    def make() -> bytes:
        levels = np.asarray(picture(person)).astype(np.float64) / 255
        linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4) * 2.0**-stops
        back = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
        return encoded(Image.fromarray(np.clip(255 * back + 0.5, 0, 255).astype(np.uint8)))

    return make


def _in_light(gains: tuple[float, float, float]) -> bytes:
    return encoded(Image.fromarray((np.asarray(picture()) * np.array(gains)).astype(np.uint8)))
