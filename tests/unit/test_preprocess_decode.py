"""Limits hold before anything is decoded; what is decoded is upright, sRGB, reduced and without metadata."""

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from profile_contract.names import PhotoReason
from profile_contract.orders import PreprocessParameters
from profile_preprocess.decode import WORKING_EDGE, Refused, decode


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def refusal(data: bytes, **limits: int) -> PhotoReason:
    with pytest.raises(Refused) as refused:
        decode(data, PreprocessParameters(**limits))
    return refused.value.reason


def halves(width: int, height: int) -> Image.Image:
    """Red above, blue below."""
    image = Image.new("RGB", (width, height), "blue")
    image.paste("red", (0, 0, width, height // 2))
    return image


@pytest.mark.parametrize(
    "data",
    [b"", b"Dear Sir or Madam,\nthis is no photo.\n", encoded(halves(400, 400), "GIF")],
    ids=["empty", "text", "GIF"],
)
def test_what_is_no_photo(data: bytes) -> None:
    assert refusal(data) is PhotoReason.NOT_AN_IMAGE


def test_a_photo_whose_end_is_missing() -> None:
    noise = Image.effect_noise((800, 800), 80).convert("RGB")
    whole = encoded(noise)
    assert refusal(whole[: len(whole) // 2]) is PhotoReason.NOT_AN_IMAGE


def test_a_hundred_megapixels_are_refused_by_the_header() -> None:
    data = encoded(Image.new("L", (10_000, 10_000)), "PNG")
    tracemalloc.start()
    try:
        assert refusal(data) is PhotoReason.TOO_MANY_PIXELS
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_too_many_bytes_and_too_few_pixels() -> None:
    data = encoded(halves(300, 300))
    assert refusal(data, maximum_bytes=len(data) - 1) is PhotoReason.TOO_MANY_BYTES
    assert refusal(encoded(halves(800, 200))) is PhotoReason.TOO_SMALL


def test_exif_orientation_is_applied() -> None:
    tags = Image.Exif()
    tags[0x0112] = 3  # upside down
    photo = decode(encoded(halves(400, 600), exif=tags), PreprocessParameters())
    assert photo.pixels.shape == (600, 400, 3)
    assert photo.pixels[10, 10, 0] > 200  # BGR: blue is above now
    assert photo.pixels[-10, 10, 2] > 200


def test_a_sideways_photo_stands_up() -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    assert decode(encoded(halves(400, 600), exif=tags), PreprocessParameters()).pixels.shape == (400, 600, 3)


def test_large_photos_are_decoded_reduced() -> None:
    photo = decode(encoded(halves(6000, 4000)), PreprocessParameters())
    assert max(photo.pixels.shape) == WORKING_EDGE
    assert photo.scale == pytest.approx(WORKING_EDGE / 6000)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_picture_becomes_three_colours(mode: str) -> None:
    source = Image.new("I;16", (300, 300)) if mode == "I;16" else halves(300, 300).convert(mode)
    photo = decode(encoded(source, "JPEG" if mode == "CMYK" else "PNG"), PreprocessParameters())
    assert photo.pixels.shape == (300, 300, 3)
    assert photo.pixels.dtype == np.uint8


def test_what_is_transparent_becomes_white() -> None:
    photo = decode(encoded(Image.new("RGBA", (300, 300), (0, 0, 0, 0)), "PNG"), PreprocessParameters())
    assert (photo.pixels == 255).all()
