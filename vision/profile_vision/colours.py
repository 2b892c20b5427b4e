"""Pillow's modes to sRGB: colours by the file's own profile, transparency apart until the end."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

# The colours of a profile, by what stands in its header, and the mode that it converts.
SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


@dataclass(frozen=True)
class Layers:
    """A picture in sRGB, and its alpha channel where it has one (mode L)."""

    colours: Image.Image
    alpha: Image.Image | None = None


def layers_of(image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Layers:
    """The part of a loaded picture in `box`, brought to `size`, in sRGB. Raises what Pillow raises."""
    profile = image.info.get("icc_profile")
    plain = _plain(image)
    left, top, right, bottom = map(round, box)
    if all(float(edge).is_integer() for edge in box) and size == (right - left, bottom - top):
        # What resizing gives, too, but slowly.
        plain = plain.crop((left, top, right, bottom)) if plain.size != size else plain
    elif plain.size != size or box != (0.0, 0.0, *map(float, plain.size)):
        plain = plain.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    alpha = plain.getchannel("A") if plain.mode in ("LA", "RGBA") else None
    colours = plain.convert(plain.mode.removesuffix("A")) if alpha is not None else plain
    return Layers(colours=in_srgb(colours, profile), alpha=alpha)


def on_paper(layers: Layers, level: int) -> Image.Image:
    """The picture on paper of a grey level, 0 to 255, RGB."""
    if layers.alpha is None:
        return layers.colours
    paper = Image.new("RGB", layers.colours.size, (level, level, level))
    return Image.composite(layers.colours, paper, layers.alpha)


def in_srgb(colours: Image.Image, profile: bytes | None) -> Image.Image:
    """A picture of mode L, RGB or CMYK in sRGB, by its profile if that fits."""
    if profile:
        # A broken profile is no reason to refuse a photo: its colours are nearly sRGB anyway.
        with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            mode = SPACES.get(source.profile.xcolor_space.strip())
            if mode == "RGB" and colours.mode == "L":
                colours = colours.convert("RGB")
            if mode == colours.mode:
                target = ImageCms.createProfile("sRGB")
                converted = ImageCms.profileToProfile(colours, source, target, outputMode="RGB")
                if converted is not None:
                    return converted
    return colours.convert("RGB")


def _plain(image: Image.Image) -> Image.Image:
    """The picture in a mode that can be resized: L, LA, RGB, RGBA or CMYK."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I"):
        return _sixteen_bits(image)
    if image.mode in ("1", "L") and "transparency" in image.info:
        return image.convert("LA")
    if image.mode in ("P", "PA", "RGB") and image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("La", "RGBa"):
        return image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    return image if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK") else image.convert("RGB")


def _sixteen_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits as 8 bits; a grey value that stands for transparent becomes that."""
    levels = np.asarray(image)
    grey = np.empty(levels.shape, dtype=np.uint8)
    for row in range(0, len(levels), 256):  # in strips: a whole picture of 32 bits would be four times as large
        strip = levels[row : row + 256].astype(np.int64).clip(0, 65535)
        grey[row : row + 256] = (strip + 128) // 257
    picture = Image.fromarray(grey)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        picture.putalpha(Image.fromarray(np.where(levels == clear, 0, 255).astype(np.uint8)))
    return picture
