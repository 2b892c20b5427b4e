"""Training rows without end: a render, framed and lit anew before another backdrop each time it is drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from profile_vision.poses import draw as draw_pose
from profile_workshop.portraits.names import named
from profile_workshop.studio_mini.compose import SIZE, compose
from profile_workshop.studio_mini.prompts import prompt, who

NAMED = 0.5
"""Rows that call the person by name and say nothing else of their looks."""
HELD_OUT = 0.03
"""People of every hundred who are never trained on: those whose seeds are divisible by 33."""
GREY = 127
# COCO's joints: a mirrored picture's left eye is the person's right one.
MIRRORED = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)


@dataclass(frozen=True)
class TrainingRow:
    picture: NDArray[np.uint8]
    """(SIZE, SIZE, 3) RGB."""
    pose: NDArray[np.uint8]
    """(SIZE, SIZE, 3) RGB: the pose map."""
    face: NDArray[np.float32]
    """x, y, width, height in pixels of the picture."""
    joints: NDArray[np.float32]
    """(17, 3) in pixels of the picture."""
    prompt: str


class Crowd:
    """Renders in memory (100 KiB each) with what is true of them and what was seen in them."""

    def __init__(
        self,
        pictures: NDArray[np.uint8],
        facts: list[dict[str, Any]],
        joints: NDArray[np.float32],
        faces: NDArray[np.float32],
    ) -> None:
        """All of the same length; renders without a face are left out. Raises ValueError where none is left."""
        seen = faces[:, 2] > 0
        if not seen.any():
            raise ValueError("no render shows a face: nothing to train on")
        self._pictures, self._joints, self._faces = pictures, joints, faces
        self._facts = facts
        trained = np.array([not held_out(fact["seed"]) for fact in facts])
        self.training = np.flatnonzero(seen & trained)
        """Places of the renders that may be trained on."""
        self.others = np.flatnonzero(seen & ~trained)
        """Places of the renders of people who are not."""

    def __len__(self) -> int:
        return len(self._facts)

    def seed(self, place: int) -> int:
        return int(self._facts[place]["seed"])

    def gender(self, place: int) -> str:
        return str(self._facts[place]["gender"])

    def render(self, place: int) -> NDArray[np.uint8]:
        return self._pictures[place]

    def row(self, place: int, draw: Generator, *, called: bool | None = None) -> TrainingRow:
        """A training picture of one render. `called`: by name, or by no name; otherwise that is drawn too."""
        truth = self._facts[place]
        framed = compose(self._pictures[place], truth, draw)
        joints = moved_joints(self._joints[place], framed.move, mirrored=framed.mirrored)
        yaw = (truth["yaw"] + truth["body"]) * (-1 if framed.mirrored else 1)
        called = draw.random() < NAMED if called is None else called
        known = named(truth["seed"], truth["gender"], draw) if called else who(truth, draw)
        words = prompt(truth | {"yaw": yaw}, tone=framed.tone, backdrop=framed.backdrop, draw=draw, known_as=known)
        face = moved_box(self._faces[place], framed.move)
        return TrainingRow(framed.picture, draw_pose(joints, SIZE, SIZE), face, joints, words)


def held_out(seed: int) -> bool:
    return seed % 33 == 0


def moved_joints(joints: NDArray[np.float32], move: NDArray[np.float64], *, mirrored: bool) -> NDArray[np.float32]:
    """Joints (17, 3) of a render in its picture; `move` (2, 3) mirrors already where `mirrored` says so."""
    moved = joints[list(MIRRORED)].copy() if mirrored else joints.copy()
    moved[:, :2] = moved[:, :2] @ move[:, :2].T + move[:, 2]
    return moved.astype(np.float32)


def moved_box(box: NDArray[np.float32], move: NDArray[np.float64]) -> NDArray[np.float32]:
    """The upright box around a moved one; both x, y, width, height."""
    x, y, width, height = box
    corners = np.array([[x, y], [x + width, y], [x, y + height], [x + width, y + height]]) @ move[:, :2].T + move[:, 2]
    low, high = corners.min(axis=0), corners.max(axis=0)
    return np.concatenate([low, high - low]).astype(np.float32)


def load(renders: Path, looks: Path, most: int | None = None) -> Crowd:
    """Everyone who was rendered and looked at (`most` people of them). Raises FileNotFoundError where nobody was."""
    paths = [path for path in sorted(looks.glob("p*.npz")) if (renders / path.name).is_file()][:most]
    if not paths:
        raise FileNotFoundError(f"nobody was looked at in {looks}: run the stage 'looks' first")
    pictures, joints, faces = [], [], []
    facts: list[Mapping[str, Any]] = []
    for path in paths:
        with np.load(renders / path.name) as content, np.load(path) as seen:
            pictures.append(content["pictures"])
            facts += json.loads(str(content["facts"]))
            joints.append(seen["joints"])
            faces.append(seen["faces"])
    return Crowd(
        np.concatenate(pictures), [dict(fact) for fact in facts], np.concatenate(joints), np.concatenate(faces)
    )


def before_grey(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A render (H, W, 4) with straight alpha before a grey wall: RGB (H, W, 3)."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    return (rgba[..., :3] * alpha + GREY * (1 - alpha) + 0.5).astype(np.uint8)
