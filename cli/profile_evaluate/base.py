"""The base model without adapters: does it draw one face, does it follow the pose, do the tone's words work?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from profile_contract.framing import Head, Skeleton, placed
from profile_contract.generation import POSE_LINE
from profile_contract.picture_size import PictureSize
from profile_contract.stages.finish import ToneShift
from profile_contract.style import TONE_WORDS, ProfileStyleSpec, Tone
from profile_finish.tone import Twins, tone_shift
from profile_runtime.store.port import Store
from profile_vision import Face, FaceReader, MaskReader
from profile_vision.faces import counted
from profile_vision.files import read_picture
from profile_vision.pixels import BGR, to_bgr
from profile_vision.poses import pose_map, preset
from profile_vision.tone import Colours, colours

from .drawing import WantedPicture, draw_missing
from .figures import Follows, Share, follows

if TYPE_CHECKING:
    from profile_predictor.engine import Engine

PORTRAITS = 48
FOLDER = "base/"
# Poses are the product's own mean person, turned, moved and scaled about as far as people's photos differ.
YAW, SHIFT, SCALE = 35.0, 0.06, 0.12
# OpenPose's joints.
NOSE, EYES = 0, (14, 15)
SUBJECTS = tuple(
    f"{'an' if age == 'old' else 'a'} {age} {origin} {noun}"
    for age in ("young", "middle-aged", "old")
    for origin in ("East Asian", "European", "African")
    for noun in ("woman", "man")
)


@dataclass(frozen=True)
class BaseFigures:
    """`keys`: portraits in the store by tone, one a pose. `skeletons` are relative to the picture."""

    one_face: Share
    nose: Follows | None
    eyes: Follows | None
    tones: tuple[ToneShift, ...]
    keys: dict[Tone, tuple[str, ...]]
    skeletons: tuple[Skeleton, ...]


def poses(count: int, size: PictureSize) -> tuple[Skeleton, ...]:
    """`count` poses relative to a picture of that size, framed as its room says; always the same."""
    random = np.random.default_rng(11)
    head, edge = size.head, min(size.width, size.height)
    placed_poses = []
    for _ in range(count):
        skeleton = preset(float(random.uniform(-YAW, YAW)))
        scale, (aside, down) = random.uniform(1 - SCALE, 1 + SCALE), random.uniform(-SHIFT, SHIFT, 2) * edge
        moved = Head(float(head.height * scale), float(head.eyes + down), float(head.middle + aside))
        placed_poses.append(placed(skeleton, moved, size.width, size.height))
    return tuple(placed_poses)


def measure_base(
    engine: Engine,
    store: Store,
    styles: Mapping[Tone, ProfileStyleSpec],
    size: PictureSize,
    readers: tuple[FaceReader, MaskReader],
    *,
    portraits: int = PORTRAITS,
) -> BaseFigures:
    """Draw what is missing and measure it.

    `styles`: one for each tone that is measured against its neutral words; a neutral one alone has no tone to measure.
    """
    skeletons = poses(portraits, size)
    keys: dict[Tone, tuple[str, ...]] = {}
    shifts = []
    for tone, style in styles.items():
        neutral = _wanted(style, Tone.NEUTRAL, skeletons)
        own = _wanted(style, tone, skeletons) if tone != Tone.NEUTRAL else []
        draw_missing(engine, store, style, size, [*own, *neutral])
        twins = tuple(portrait.key for portrait in neutral)
        keys.setdefault(Tone.NEUTRAL, twins)
        if own:
            keys[tone] = tuple(portrait.key for portrait in own)
            shifts.append(_shift(store, tone, keys[tone], twins, readers))
    everything = [key for group in keys.values() for key in group]
    seen = {key: counted(readers[0].find(read_picture(store, key))) for key in everything}
    # In the same order for every tone: a portrait with exactly one face has a face here.
    wanted = [skeleton for _ in keys for skeleton in skeletons]
    alone = [seen[key][0] if len(seen[key]) == 1 else None for key in everything]
    return BaseFigures(
        one_face=Share(sum(face is not None for face in alone), len(alone)),
        nose=_follow(wanted, alone, size, (NOSE,), (2,)),
        eyes=_follow(wanted, alone, size, EYES, (0, 1)),
        tones=tuple(shifts),
        keys=keys,
        skeletons=skeletons,
    )


def _wanted(style: ProfileStyleSpec, tone: Tone, skeletons: Sequence[Skeleton]) -> list[WantedPicture]:
    """The neutral twins of each style are its own: its backdrop stays."""
    text = style.prompt.replace("{tone}", TONE_WORDS[tone])
    return [
        WantedPicture(
            key=f"{FOLDER}{style.tone.value}-{tone.value}-{number:02d}.png".lower(),
            seed=1000 + number,
            prompt=text.replace("{subject}", SUBJECTS[number % len(SUBJECTS)]),
            joints=skeleton,
        )
        for number, skeleton in enumerate(skeletons)
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


def _follow(
    skeletons: Sequence[Skeleton],
    faces: Sequence[Face | None],
    size: PictureSize,
    joints: tuple[int, ...],
    points: tuple[int, ...],
) -> Follows | None:
    """How well a part of the face follows the poses: the mean of these joints against that of these of its points."""
    edges = np.array([size.width, size.height])
    ends = [[place for joint in joints if (place := skeleton[joint]) is not None] for skeleton in skeletons]
    wanted = [np.mean(np.array(places), axis=0) * edges for places in ends]
    seen = [None if face is None else face.points[list(points)].mean(axis=0) for face in faces]
    return follows(
        [(float(x), float(y)) for x, y in wanted],
        [None if place is None else (float(place[0]), float(place[1])) for place in seen],
    )


def sheet(store: Store, figures: BaseFigures, size: PictureSize, columns: int = 12) -> BGR:
    """Rows of pose maps, neutral, warm and cool portraits of the same seeds."""
    line = size.pose_line_thousandths or POSE_LINE
    maps = [to_bgr(pose_map(pose, size.width, size.height, line)) for pose in figures.skeletons[:columns]]
    tones = [figures.keys[tone] for tone in (Tone.NEUTRAL, Tone.WARM, Tone.COOL) if tone in figures.keys]
    rows = [np.hstack([read_picture(store, key) for key in row[:columns]]) for row in tones]
    return BGR(np.asarray(np.vstack([np.hstack(maps), *rows]), np.uint8))
