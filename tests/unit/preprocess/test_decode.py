"""From a file to the photo that is looked at: limits, reasons, reduced size, and the way back into the file."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import PreprocessParameters
from profile_preprocess.decode import REASONS, WORKING_AREA, Frame, PhotoRefused, allowed, decode
from profile_vision.decoding import Decoder, Refusal


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder() as shared:
        yield shared


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def numbered(width: int, height: int) -> Image.Image:
    """Every pixel tells its place: red is x, green is y."""
    y, x = np.mgrid[:height, :width].astype(np.uint8)
    return Image.fromarray(np.stack([x, y, np.zeros_like(x)], axis=2))


def test_every_refusal_has_a_reason() -> None:
    assert set(REASONS) == set(Refusal)
    assert all(str(refusal) == str(reason) for refusal, reason in REASONS.items())


def test_a_request_s_limits_are_the_decoder_s() -> None:
    limits = allowed(PreprocessParameters(maximum_bytes=5, maximum_pixels=6, resolution=2048))
    assert (limits.bytes, limits.pixels, limits.area, limits.shortest_edge) == (5, 6, 4 * 2048**2, 256)
    assert allowed(PreprocessParameters(resolution=256)).area == WORKING_AREA


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", PhotoReason.NOT_AN_IMAGE),
        (encoded(Image.new("RGB", (800, 200))), PhotoReason.TOO_SMALL),
        (encoded(Image.new("RGB", (800, 800)))[:-400], PhotoReason.DAMAGED),
        (encoded(Image.new("L", (10_000, 10_000)), "PNG"), PhotoReason.TOO_MANY_PIXELS),
        (bytes(30_000_001), PhotoReason.TOO_MANY_BYTES),
    ],
)
def test_refused(data: bytes, reason: PhotoReason, decoder: Decoder) -> None:
    with pytest.raises(PhotoRefused) as refused:
        decode(data, PreprocessParameters(), decoder)
    assert refused.value.reason is reason


@pytest.mark.parametrize("size", [(6000, 4000), (8000, 1300), (1600, 4800)])
def test_large_photos_are_looked_at_on_a_copy_of_one_area(size: tuple[int, int], decoder: Decoder) -> None:
    photo = decode(encoded(Image.new("RGB", size)), PreprocessParameters(), decoder)
    height, width = photo.pixels.shape[:2]
    assert 0.99 * WORKING_AREA < height * width <= WORKING_AREA
    assert width / height == pytest.approx(size[0] / size[1], rel=0.01)
    assert photo.frame.scale == pytest.approx(width / size[0])


def test_blue_comes_first(decoder: Decoder) -> None:
    photo = decode(encoded(Image.new("RGB", (300, 300), "red"), "PNG"), PreprocessParameters(), decoder)
    assert photo.pixels[5, 5].tolist() == [0, 0, 255]


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("size", [(250, 256), (256, 250), (256, 256)])
def test_a_part_of_the_turned_photo_is_that_part_of_the_file(
    turns: int, size: tuple[int, int], decoder: Decoder
) -> None:
    data = encoded(numbered(*size), "PNG")
    whole = decoder.open(data)
    assert whole.facts.width == size[0]
    frame = Frame(*(size if turns % 2 == 0 else size[::-1]), (0, 0, *size), turns)
    turned = np.rot90(whole.pixels, turns)
    left, top, width, height = 30, 50, 90, 60
    part = decoder.open(data, box=frame.in_file(left, top, width, height)).pixels
    assert np.array_equal(np.rot90(part, turns), turned[top : top + height, left : left + width])


def test_a_part_of_a_part_of_a_reduced_photo() -> None:
    """A photo shown at half size from (1000, 500) on: its pixels 10 to 20 are the file's 1020 to 1040."""
    frame = Frame(width=400, height=300, box=(1000, 500, 1800, 1100))
    assert frame.scale == 0.5
    assert frame.in_file(10, 20, 10, 30) == (1020, 540, 1040, 600)
    upside_down = Frame(width=400, height=300, box=(1000, 500, 1800, 1100), turns=2)
    assert upside_down.in_file(10, 20, 10, 30) == (1760, 1000, 1780, 1060)


def test_the_scale_of_a_photo_that_lay_on_its_side() -> None:
    assert Frame(width=300, height=400, box=(0, 0, 800, 600), turns=1).scale == 0.5
    assert Frame(width=400, height=300, box=(0, 0, 800, 600), turns=2).scale == 0.5
