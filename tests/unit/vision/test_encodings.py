"""One picture in every encoding is one picture: colours, profiles, orientations, transparency."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms

from opened_pictures import chunk, encoded, refusal
from profile_vision.decoding import Decoder, NotOpened, PictureLimits, Refusal
from profile_vision.files import jpeg, png
from profile_vision.pixels import BGR


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


def test_every_file_that_a_model_drew_names_its_colours_and_is_the_same_every_day() -> None:
    """Print shops' programs take files without a profile for whatever they are set to."""
    picture = BGR(np.full((64, 64, 3), (40, 90, 200), np.uint8))
    for file in (jpeg(picture, 300, 90), png(picture)):
        profile = Image.open(io.BytesIO(file)).info["icc_profile"]
        named = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        assert named.strip().startswith("sRGB")
        # No hour of its making, by which no two files would be alike.
        assert struct.unpack(">6H", profile[24:36]) == (1999, 10, 18, 0, 0, 0)
        assert len(profile) < 700
    shown = np.asarray(Image.open(io.BytesIO(png(picture))))
    assert shown[0, 0].tolist() == [200, 90, 40]
