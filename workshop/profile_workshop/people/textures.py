"""What skin, hair and cloth look like: numpy pictures in linear light, (H, W, 4) RGBA float32, first row on top."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from profile_workshop.people.assets import Assets, Floats
from profile_workshop.people.identity import HAIR_COLOURS, Person
from profile_workshop.people.shot import Shot

# OpenCV does not tell its results' types.
Texture = NDArray[Any]

MASK_SIZE = 512
LUMINANCE = np.array([0.3, 0.6, 0.1], np.float32)
# Where MakeHuman's logo is printed on shirts: middle and radius, in parts of the texture's edge.
LOGOS = {
    "female_casualsuit01": (0.793, 0.223, 0.095),
    "female_casualsuit02": (0.793, 0.223, 0.095),
    "male_casualsuit04": (0.56, 0.167, 0.085),
}
LIPSTICKS = np.array([[0.40, 0.05, 0.06], [0.35, 0.10, 0.09], [0.30, 0.05, 0.09]], np.float32)
# Skin textures exist for three ages; between these years one fades into the next.
AGES = (("young", 28), ("middleage", 50), ("old", 70))


@lru_cache(maxsize=96)
def read(path: Path, size: int) -> Texture:
    """A texture file, scaled to `size` at most."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise FileNotFoundError(path)
    if pixels.shape[2] == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2BGRA)
    if size != pixels.shape[0]:
        smaller = size < pixels.shape[0]
        pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    texture = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA).astype(np.float32) / 255
    texture[..., :3] = linear(texture[..., :3])
    return texture


def linear(srgb: Texture) -> Texture:
    """IEC 61966-2-1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


class Masks:
    """Where on the body's texture beard and lips are: (MASK_SIZE, MASK_SIZE), 0 to 1."""

    def __init__(self, assets: Assets) -> None:
        lips = cv2.imread(str(assets.lips), cv2.IMREAD_GRAYSCALE)
        if lips is None:
            raise FileNotFoundError(assets.lips)
        share = cv2.resize(lips, (MASK_SIZE, MASK_SIZE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        if share.mean() > 0.5:
            share = 1 - share
        self.lips = np.clip(share * 1.2, 0, 1)
        self.beard = _drawn(assets, _beard_weights(assets.vertices)) * (1 - np.clip(self.lips * 1.5, 0, 1))


def _beard_weights(vertices: Floats) -> Floats:
    """Jaw, upper lip and sideburns of the base mesh (decimetres): (V,), 0 to 1."""
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]

    def ramp(values: Floats, low: float, high: float) -> Floats:
        return np.asarray(np.clip((values - low) / (high - low), 0, 1))

    jaw = (1 - ramp(y, 6.86, 6.98)) * ramp(y, 6.05, 6.3) * ramp(z, 0.35, 0.6)
    height = (1 - ramp(y, 7.15, 7.35)) * ramp(y, 6.4, 6.6)
    side = height * ramp(x, 0.56, 0.66) * ramp(z, 0.3, 0.5) * (1 - ramp(z, 0.75, 0.95))
    return np.asarray(np.clip(jaw + side, 0, 1))


def _drawn(assets: Assets, weights: Floats) -> Texture:
    mask = np.zeros((MASK_SIZE, MASK_SIZE), np.float32)
    polygons = assets.body
    for start, size in zip(polygons.starts, polygons.sizes, strict=True):
        corners = slice(start, start + size)
        strength = float(weights[polygons.corners[corners]].mean())
        if strength > 0.01:
            places = assets.uvs[polygons.uv_corners[corners]] * MASK_SIZE
            places[:, 1] = MASK_SIZE - places[:, 1]
            cv2.fillConvexPoly(mask, np.round(places).astype(np.int32), strength)
    return cv2.GaussianBlur(mask, (0, 0), MASK_SIZE / 200)


def skin(assets: Assets, masks: Masks, person: Person, size: int) -> Texture:
    """The skins of a person's age and ancestry mixed, then made their own: tint, blotches, freckles, moles, beard."""
    draw = np.random.default_rng(person.skin_seed)
    colour = _mixed_skin(assets, person, size, int(draw.integers(0, 2)))
    colour = colour * np.array(person.tint, np.float32) * person.brightness
    colour = _blotched(colour, size, draw)
    colour = _freckled(colour, person, size, draw)
    colour = _bearded(colour, masks, person, size, draw)
    colour = _made_up(colour, masks, person, size, draw)
    return np.dstack([np.clip(colour, 0.004, 0.92), np.ones((size, size), np.float32)]).astype(np.float32)


def _mixed_skin(assets: Assets, person: Person, size: int, variant: int) -> Texture:
    total = np.zeros((size, size, 3), np.float32)
    shares = person.ancestry_shares
    for age, weight in _age_shares(person.age):
        light = sorted(name for name in assets.skins if name.startswith(f"{age}_lightskinned_{person.gender}"))
        # The third (young) or second texture of the light ones is the Asian one.
        asian = [name for name in light if name.endswith("3" if age == "young" else "2")] or light
        european = [name for name in light if name not in asian] or light
        names = {
            "caucasian": european[variant % len(european)],
            "asian": asian[0],
            "african": f"{age}_darkskinned_{person.gender}_diffuse",
        }
        for ancestry, name in names.items():
            # Pigments multiply: mixed as logarithms.
            total += weight * shares[ancestry] * np.log(read(assets.skins[name], size)[..., :3] + 0.003)
    return np.exp(total) - np.float32(0.003)


def _age_shares(years: float) -> list[tuple[str, float]]:
    names = [name for name, _ in AGES]
    middles = [middle for _, middle in AGES]
    shares = [float(np.interp(years, middles, np.eye(len(AGES))[index])) for index in range(len(AGES))]
    return [(name, share) for name, share in zip(names, shares, strict=True) if share > 0]


def _noise(size: int, sigma: float, draw: Generator) -> Texture:
    blurred = cv2.GaussianBlur(draw.normal(size=(size, size)).astype(np.float32), (0, 0), sigma)
    return np.asarray(blurred / blurred.std(), np.float32)


def _blotched(colour: Texture, size: int, draw: Generator) -> Texture:
    grain = 0.035 * (_noise(size, size / 60, draw) + _noise(size, size / 180, draw) + _noise(size, 1.2, draw))
    red = 0.04 * _noise(size, size / 80, draw)
    factor = np.dstack([np.exp(grain + 0.6 * red), np.exp(grain - 0.5 * red), np.exp(grain)])
    return np.asarray(colour * factor, np.float32)


def _freckled(colour: Texture, person: Person, size: int, draw: Generator) -> Texture:
    strength = float(draw.choice([0, 0, 0.5, 1.2] if person.ancestry_shares["caucasian"] > 0.6 else [0, 0, 0.4]))
    if strength:
        spots = cv2.GaussianBlur((draw.random((size, size)) > 0.9965).astype(np.float32), (0, 0), size / 1024 * 1.3)
        darker = np.exp(-strength * 0.28 * np.clip(spots * 6, 0, 1.5))[..., None]
        colour = np.asarray(colour * darker ** np.array([0.6, 1, 1.2], np.float32), np.float32)
    for _ in range(int(draw.integers(0, 6))):
        x, y = int(size * draw.uniform(0.80, 0.97)), int(size * draw.uniform(0.38, 0.66))
        mole = [float(value) for value in colour[y, x] * 0.4]
        colour = np.ascontiguousarray(colour)
        cv2.circle(colour, (x, y), max(1, size // 700), mole, -1, cv2.LINE_AA)
    return colour


def _scaled(mask: Texture, size: int) -> Texture:
    return cv2.resize(mask, (size, size), interpolation=cv2.INTER_LINEAR)[..., None]


def _bearded(colour: Texture, masks: Masks, person: Person, size: int, draw: Generator) -> Texture:
    if not person.beard:
        return colour
    hairs = np.clip(0.55 + 0.6 * draw.normal(size=(size, size)).astype(np.float32), 0, 1)
    density = 0.45 + 0.55 * cv2.GaussianBlur(hairs, (0, 0), 0.7)[..., None]
    share = _scaled(masks.beard, size) * float(np.clip(person.beard * 0.9, 0, 0.85)) * density
    hair = np.array(HAIR_COLOURS[person.hair_colour], np.float32)
    return np.asarray(colour * (1 - share) + np.minimum(hair * 1.2, colour * 0.5) * share, np.float32)


def _made_up(colour: Texture, masks: Masks, person: Person, size: int, draw: Generator) -> Texture:
    lipstick = LIPSTICKS[draw.integers(0, len(LIPSTICKS))]
    share = _scaled(masks.lips, size) * person.makeup * 0.7
    return np.asarray(colour * (1 - share) + np.sqrt(np.maximum(colour, 0)) * lipstick * 1.1 * share, np.float32)


def hair(path: Path, colour: str, strength: float, size: int) -> Texture:
    """A hair texture's strands in another colour: its local contrast is kept, its own colour is not."""
    texture = read(path, size)
    alpha = texture[..., 3]
    brightness = texture[..., :3] @ LUMINANCE
    around = cv2.GaussianBlur(brightness * alpha, (0, 0), size / 20)
    cover = cv2.GaussianBlur(alpha, (0, 0), size / 20)
    mean = float(brightness[alpha > 0.6].mean()) if (alpha > 0.6).any() else 0.1
    contrast = np.clip(brightness / (around / (cover + 1e-3) + 0.15 * mean + 1e-4), 0.25, 2.2)[..., None] ** 0.8
    tinted = np.array(HAIR_COLOURS[colour], np.float32) * strength * contrast
    return np.dstack([np.clip(tinted, 0, 0.9), alpha]).astype(np.float32)


def cloth(path: Path, shot: Shot, size: int) -> Texture:
    texture = read(path, size)
    if shot.wear in LOGOS:
        texture = _without_logo(texture, *LOGOS[shot.wear])
    grey = (texture[..., :3] @ LUMINANCE)[..., None]
    coloured = grey * (1 - shot.wear_saturation) + texture[..., :3] * shot.wear_saturation
    dyed = coloured * np.array(shot.wear_tint, np.float32) * shot.wear_brightness
    return np.dstack([np.clip(dyed, 0.002, 0.85), texture[..., 3:]]).astype(np.float32)


def _without_logo(texture: Texture, x: float, y: float, radius: float) -> Texture:
    """The logo is a trade mark: painted over with the cloth's colour above it."""
    size = texture.shape[0]
    mask = np.zeros((size, size), np.float32)
    cv2.circle(mask, (int(x * size), int(y * size)), int(radius * size), 1, -1)
    share = cv2.GaussianBlur(mask, (0, 0), max(0.8, size / 170))[..., None]
    edge = int((y - radius) * size)
    above = texture[max(0, edge - max(2, size // 85)) : edge, int((x - 0.03) * size) : int((x + 0.03) * size), :3]
    plain = texture.copy()
    plain[..., :3] = texture[..., :3] * (1 - share) + above.reshape(-1, 3).mean(axis=0) * share
    return plain
