"""From a file to the photo that is looked at: limits, reasons, reduced size, and the way back into the file."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import PhotoRef, PreprocessParameters
from profile_preprocess.cuts import cut_of
from profile_preprocess.decode import (
    REASONS,
    WORKING_AREA,
    Frame,
    Opener,
    Photo,
    PhotoRefused,
    allowed,
    decode,
)
from profile_runtime.store.folder import FolderStore
from profile_vision import colours, opening
from profile_vision.decoding import Box, Decoder, FileFacts, Picture, PictureLimits, Refusal
from profile_vision.framing import Cut
from profile_vision.pixels import BGR


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
    limits = allowed(PreprocessParameters(maximum_bytes=5, maximum_pixels=6), 7)
    assert (limits.bytes, limits.pixels, limits.area, limits.shortest_edge) == (5, 6, 7, 256)


class Watched(Opener):
    """Opens photos in this process, and notes at which sizes they were decoded."""

    def __init__(self, folder: Path, image: Image.Image, resolution: int, monkeypatch: pytest.MonkeyPatch) -> None:
        class HereDecoder(Decoder):
            def open(self, data: bytes, limits: PictureLimits | None = None, box: Box | None = None) -> Picture:
                assert limits is not None
                return opening.Opening().open(data, limits, box)

        def watched(image: Image.Image, *arguments: Any) -> Any:
            self.sizes.append(image.size)
            return colours.layers_of(image, *arguments)

        self.sizes: list[tuple[int, int]] = []
        monkeypatch.setattr(opening, "layers_of", watched)
        store = FolderStore(folder)
        store.write("a.jpg", encoded(image))
        super().__init__(store, HereDecoder(), PreprocessParameters(resolution=resolution))


PHOTO = PhotoRef(name="a.jpg", key="a.jpg", bytes=1, etag="a")


@pytest.mark.parametrize(
    ("size", "read"),
    [
        ((4032, 3024), (2016, 1512)),
        ((4000, 3000), (2000, 1500)),
        ((3024, 4032), (1512, 2016)),
        ((8064, 6048), (2016, 1512)),
        ((6000, 4000), (3000, 2000)),
        ((2000, 1500), (2000, 1500)),
    ],
)
def test_a_phone_s_photo_is_read_at_half_or_quarter_size_at_first(
    size: tuple[int, int], read: tuple[int, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opener = Watched(tmp_path, Image.new("RGB", size), 1024, monkeypatch)
    opener.open(PHOTO)
    assert opener.sizes == [read]


@pytest.mark.parametrize(("size", "resolution"), [((4032, 3024), 128), ((3024, 4032), 1024), ((6000, 4000), 1024)])
def test_the_part_that_is_trained_on_is_cut_from_the_file_s_own_pixels(
    size: tuple[int, int], resolution: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opener = Watched(tmp_path, Image.new("RGB", size), resolution, monkeypatch)
    frame = opener.open(PHOTO).frame
    cut = Cut(frame.width / 4, frame.height / 4, frame.width / 2, frame.height / 2, 64, 48)
    part = opener.part(PHOTO, frame, cut)
    assert opener.sizes[1:] == [size], "decoded whole once, for the cut"
    assert part.shape[1::-1] == pytest.approx((size[0] / 2, size[1] / 2), abs=2)


def test_how_much_a_cut_is_enlarged_is_measured_in_the_file() -> None:
    parameters = PreprocessParameters(resolution=1024)
    looked_at = Frame(width=2000, height=1500, box=(0, 0, 4000, 3000))
    face = (900.0, 500.0, 150.0, 200.0)  # 400 pixels high in the file
    cut = cut_of(looked_at, face, parameters)
    assert (cut.out_width, cut.out_height) == (1152, 896)
    assert cut.scale * looked_at.scale == pytest.approx(0.4 * 896 / 400, rel=0.01)
    small = cut_of(looked_at, (900.0, 500.0, 36.0, 48.0), parameters)
    assert small.scale * looked_at.scale == pytest.approx(0.4 * 896 / 96, rel=0.01), "a face of 96 pixels"


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


@pytest.mark.parametrize("turns", range(-1, 6))
def test_a_turn_is_counter_clockwise_and_changes_no_pixel(turns: int) -> None:
    pixels = BGR(np.random.default_rng(3).integers(0, 255, (20, 30, 3)).astype(np.uint8))
    photo = Photo(pixels, Frame(30, 20, (0, 0, 30, 20)), FileFacts("JPEG", 30, 20, alpha=False, grey=False))
    turned = photo.turned(turns)
    assert (turned.pixels == np.rot90(pixels, turns)).all()
    assert turned.frame.size == turned.pixels.shape[1::-1]
    assert turned.frame.turns == turns % 4
