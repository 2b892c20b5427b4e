"""What changes from photo to photo: pose, face, clothes, light, lens and place; drawn from a person and a number."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from profile_workshop.people.identity import Person

MOODS = {"neutral": 0.26, "smile": 0.26, "grin": 0.12, "soft": 0.18, "talk": 0.06, "serious": 0.09, "surprise": 0.03}
LIGHTS = {"studio": 0.2, "window": 0.22, "sun": 0.16, "overcast": 0.18, "indoor": 0.16, "flash": 0.04, "dim": 0.04}
PLACES = {"plain": 0.12, "gradient": 0.12, "room": 0.32, "outdoor": 0.28, "bokeh": 0.05, "wall": 0.11}
# For training pictures: mostly what portraits are, some of everything.
PORTRAIT_MOODS = {"neutral": 0.34, "smile": 0.24, "grin": 0.08, "soft": 0.24, "talk": 0.02, "serious": 0.08}
PORTRAIT_LIGHTS = {"studio": 0.45, "window": 0.2, "sun": 0.08, "overcast": 0.14, "indoor": 0.13}


@dataclass(frozen=True)
class Shot:
    number: int
    seed: int
    yaw: float
    """Degrees the head turns to the picture's right; the body's turn comes on top."""
    pitch: float
    roll: float
    body: float
    arm: float
    camera_pitch: float
    camera_roll: float
    mood: str
    units: dict[str, float]
    """Face units (as ARKit's blend shapes) and their strengths, 0 to 1."""
    gaze: tuple[float, float]
    looks_at_camera: bool
    wear: str
    wear_tint: tuple[float, float, float]
    wear_brightness: float
    wear_saturation: float
    glasses: bool
    light: str
    place: str
    frame: float
    """Height of the picture in heights of the head."""
    focal: float
    """Millimetres on a 36 mm sensor."""
    shift: tuple[float, float]


def photo(person: Person, number: int) -> Shot:
    """A photo as people have on their phones."""
    draw = np.random.default_rng([772, person.seed, number])
    wide = draw.random() < 0.25
    shot = _shot(person, number, draw, moods=MOODS, lights=LIGHTS, yaw=22.0 if wide else 10.0)
    return replace(
        shot, frame=float(draw.uniform(1.45, 2.3)), shift=(float(draw.normal(0, 0.05)), float(draw.normal(0, 0.03)))
    )


def portrait(person: Person, number: int) -> Shot:
    """A picture to train a portrait model on: head and shoulders, framed a little wider than it will be cut."""
    draw = np.random.default_rng([773, person.seed, number])
    wide = draw.random() < 0.3
    shot = _shot(person, number, draw, moods=PORTRAIT_MOODS, lights=PORTRAIT_LIGHTS, yaw=24.0 if wide else 8.0)
    in_suit = draw.random() < 0.3
    return replace(
        shot,
        frame=float(draw.uniform(2.15, 2.4)),
        shift=(float(draw.normal(0, 0.02)), float(draw.normal(0, 0.015))),
        wear=person.wardrobe[2] if in_suit else shot.wear,
        # Phones' short lenses bend faces; a portrait's don't.
        focal=float(draw.choice([35, 50, 70, 85])),
    )


def _shot(
    person: Person, number: int, draw: Generator, *, moods: dict[str, float], lights: dict[str, float], yaw: float
) -> Shot:
    mood = _pick(draw, moods)
    return Shot(
        number=number,
        seed=int(draw.integers(1 << 30)),
        yaw=float(np.clip(draw.normal(0, yaw), -50, 50)),
        pitch=float(draw.normal(0, 5.5)),
        roll=float(draw.normal(0, 4)),
        body=float(np.clip(draw.normal(0, 14), -30, 30)),
        arm=float(draw.uniform(28, 44)),
        camera_pitch=float(np.clip(draw.normal(1, 5), -12, 13)),
        camera_roll=float(draw.normal(0, 1.6)),
        mood=mood,
        units=_units(mood, draw),
        # Mostly at the camera.
        gaze=(float(np.clip(draw.normal(0, 4), -12, 12)), float(np.clip(draw.normal(0, 2.5), -7, 7))),
        looks_at_camera=bool(draw.random() < 0.8),
        wear=person.wardrobe[int(draw.integers(0, 3))] if draw.random() < 0.5 else person.wardrobe[0],
        wear_tint=_colour(draw.dirichlet([3, 3, 3]) * 3),
        wear_brightness=float(draw.uniform(0.35, 1.5)),
        wear_saturation=float(draw.uniform(0, 1.2)),
        glasses=bool(person.wears_glasses and draw.random() < 0.7),
        light=_pick(draw, lights),
        place=_pick(draw, PLACES),
        frame=2.0,
        focal=float(draw.choice([28, 35, 50, 70])),
        shift=(0.0, 0.0),
    )


def _pick(draw: Generator, shares: dict[str, float]) -> str:
    weights = np.array(list(shares.values()))
    return str(draw.choice(list(shares), p=weights / weights.sum()))


def _colour(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


# Face unit -> range of its strength; units of both sides get a little difference.
BOTH_SIDES: dict[str, dict[str, tuple[float, float]]] = {
    "neutral": {"mouthSmile": (0.0, 0.12)},
    "smile": {"mouthSmile": (0.35, 0.7), "cheekSquint": (0.1, 0.4), "eyeSquint": (0.0, 0.25)},
    "soft": {"mouthSmile": (0.15, 0.35)},
    "grin": {
        "mouthSmile": (0.55, 0.85),
        "mouthUpperUp": (0.25, 0.5),
        "mouthLowerDown": (0.1, 0.3),
        "cheekSquint": (0.3, 0.55),
        "eyeSquint": (0.1, 0.35),
    },
    "talk": {},
    "serious": {"browDown": (0.1, 0.45), "mouthPress": (0.0, 0.3), "mouthFrown": (0.0, 0.15)},
    "surprise": {"browOuterUp": (0.3, 0.7), "eyeWide": (0.2, 0.6)},
}
IN_THE_MIDDLE: dict[str, dict[str, tuple[float, float]]] = {
    "grin": {"jawOpen": (0.02, 0.1)},
    "talk": {"jawOpen": (0.08, 0.25), "mouthFunnel": (0.0, 0.3)},
    "surprise": {"browInnerUp": (0.4, 0.8), "jawOpen": (0.1, 0.25)},
}


def _units(mood: str, draw: Generator) -> dict[str, float]:
    units: dict[str, float] = {}
    for name, limits in BOTH_SIDES[mood].items():
        _both(units, name, float(draw.uniform(*limits)), 0.12, draw)
    for name, limits in IN_THE_MIDDLE.get(mood, {}).items():
        units[name] = float(draw.uniform(*limits))
    lids = 0.0 if draw.random() < 0.6 else float(draw.uniform(0, 0.2))
    _both(units, "eyeBlink", lids, 0.02, draw)
    return units


def _both(units: dict[str, float], name: str, strength: float, spread: float, draw: Generator) -> None:
    for side in ("Left", "Right"):
        units[name + side] = float(np.clip(strength + draw.normal(0, spread * strength + 0.01), 0, 1))
