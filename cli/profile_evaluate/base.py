"""The base model without adapters: does it draw one face, does it follow the pose, do the tone's words work?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from profile_contract.candidates import PictureSize
from profile_contract.stages.finish import ToneShift
from profile_contract.style import TONE_WORDS, ProfileStyleSpec, Tone
from profile_finish.tone import Twins, tone_shift
from profile_runtime.store.port import Store
from profile_vision import FaceReader, MaskReader
from profile_vision.faces import counted
from profile_vision.files import plain_png, read_picture
from profile_vision.framing import Framing
from profile_vision.joints import Joints
from profile_vision.pixels import BGR, to_bgr
from profile_vision.poses import draw, preset_joints
from profile_vision.tone import Colours, colours

from .drawing import WantedPicture, draw_missing
from .figures import Follows, Share, follows

if TYPE_CHECKING:
    from profile_predictor.engine import Engine

PORTRAITS = 48
FOLDER = "base/"
# Poses are the product's own mean person, turned, moved and scaled about as far as people's photos differ.
YAW, SHIFT, SCALE = 35.0, 0.06, 0.12
SUBJECTS = tuple(
    f"{'an' if age == 'old' else 'a'} {age} {origin} {noun}"
    for age in ("young", "middle-aged", "old")
    for origin in ("East Asian", "European", "African")
    for noun in ("woman", "man")
)


@dataclass(frozen=True)
class BaseFigures:
    one_face: Share
    nose: Follows | None
    tones: tuple[ToneShift, ...]
    keys: dict[Tone, tuple[str, ...]]
    """Portraits in the store by tone, and the pose maps' under no tone's name in `pose_keys`."""
    pose_keys: tuple[str, ...]


def poses(count: int, size: int, framing: Framing) -> list[Joints]:
    """The joints of `count` poses in pixels of a square picture; always the same."""
    random = np.random.default_rng(11)
    drawn = []
    for _ in range(count):
        joints = preset_joints(float(random.uniform(-YAW, YAW)), size, framing)
        middle = np.array([0.5, framing.middle], np.float32) * size
        scale, shift = random.uniform(1 - SCALE, 1 + SCALE), random.uniform(-SHIFT, SHIFT, 2) * size
        joints[:, :2] = (joints[:, :2] - middle) * scale + middle + shift
        drawn.append(joints)
    return drawn


def measure_base(
    engine: Engine,
    store: Store,
    styles: Mapping[Tone, ProfileStyleSpec],
    size: PictureSize,
    readers: tuple[FaceReader, MaskReader],
    *,
    framing: Framing,
    portraits: int = PORTRAITS,
) -> BaseFigures:
    """Draw what is missing and measure it.

    `styles`: one for each tone that is measured against its neutral words; a neutral one alone has no tone to measure.
    """
    joints = poses(portraits, size.width, framing)
    pose_keys = tuple(f"{FOLDER}pose-{number:02d}.png" for number in range(portraits))
    for key, pose in zip(pose_keys, joints, strict=True):
        store.write(key, plain_png(to_bgr(draw(pose, size.width, size.height))), "image/png")
    keys: dict[Tone, tuple[str, ...]] = {}
    shifts = []
    for tone, style in styles.items():
        neutral = _wanted(style, Tone.NEUTRAL, pose_keys)
        own = _wanted(style, tone, pose_keys) if tone != Tone.NEUTRAL else []
        draw_missing(engine, store, style, size, [*own, *neutral])
        twins = tuple(portrait.key for portrait in neutral)
        keys.setdefault(Tone.NEUTRAL, twins)
        if own:
            keys[tone] = tuple(portrait.key for portrait in own)
            shifts.append(_shift(store, tone, keys[tone], twins, readers))
    everything = [key for group in keys.values() for key in group]
    seen = {key: _noses(read_picture(store, key), readers[0]) for key in everything}
    return BaseFigures(
        one_face=Share(sum(len(noses) == 1 for noses in seen.values()), len(seen)),
        nose=_nose(joints, keys, seen),
        tones=tuple(shifts),
        keys=keys,
        pose_keys=pose_keys,
    )


def _wanted(style: ProfileStyleSpec, tone: Tone, pose_keys: tuple[str, ...]) -> list[WantedPicture]:
    """The neutral twins of each style are its own: its backdrop stays."""
    text = style.prompt.replace("{tone}", TONE_WORDS[tone])
    return [
        WantedPicture(
            key=f"{FOLDER}{style.tone.value}-{tone.value}-{number:02d}.png".lower(),
            seed=1000 + number,
            prompt=text.replace("{subject}", SUBJECTS[number % len(SUBJECTS)]),
            pose_key=key,
        )
        for number, key in enumerate(pose_keys)
    ]


def _shift(
    store: Store, tone: Tone, own: tuple[str, ...], twins: tuple[str, ...], readers: tuple[FaceReader, MaskReader]
) -> ToneShift:
    """How the portraits differ from their neutral twins."""
    faces, mask = readers

    def seen(key: str) -> Colours:
        picture = read_picture(store, key)
        return colours(picture, next(iter(faces.find(picture)), None), mask.read(picture))

    return tone_shift(tone.value, tone, [Twins(seen(a), seen(b)) for a, b in zip(own, twins, strict=True)])


def _noses(picture: BGR, faces: FaceReader) -> list[tuple[float, float]]:
    return [(float(face.points[2][0]), float(face.points[2][1])) for face in counted(faces.find(picture))]


def _nose(
    joints: list[Joints],
    keys: Mapping[Tone, tuple[str, ...]],
    noses: Mapping[str, list[tuple[float, float]]],
) -> Follows | None:
    """How well noses follow the poses, over the portraits with exactly one face."""
    wanted, seen = [], []
    for group in keys.values():
        for pose, key in zip(joints, group, strict=True):
            wanted.append((float(pose[0, 0]), float(pose[0, 1])))
            seen.append(noses[key][0] if len(noses[key]) == 1 else None)
    return follows(wanted, seen)


def sheet(store: Store, figures: BaseFigures, columns: int = 12) -> BGR:
    """Rows of pose maps, neutral, warm and cool portraits of the same seeds."""
    tones = [figures.keys[tone] for tone in (Tone.NEUTRAL, Tone.WARM, Tone.COOL) if tone in figures.keys]
    rows = [np.hstack([read_picture(store, key) for key in row[:columns]]) for row in (figures.pose_keys, *tones)]
    return BGR(np.asarray(np.vstack(rows), np.uint8))
