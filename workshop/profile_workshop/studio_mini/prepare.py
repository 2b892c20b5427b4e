"""Renders -> training pictures with prompts and joints, one file per person.

`p000012.npz` holds `pictures` uint8 (N, 128, 128, 3) RGB, `joints` float32 (N, 17, 3) as x, y, confidence in COCO's
order, `heads` float32 (N, 4) as x, y, width, height of the face's box in pixels, and `prompts`, a JSON list of N.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profile_vision import FaceReader
from profile_vision.people import PeopleReader
from profile_vision.pixels import RGB, to_bgr
from profile_workshop.studio_mini.compose import Framed, compose
from profile_workshop.studio_mini.prompts import prompt

VARIANTS = 2
"""Pictures of one render."""

# The pose network sees the picture at twice its size: enough for joints, and a tenth of the time of its usual 640.
POSE_EDGE = 256


@dataclass(frozen=True)
class PreparedPicture:
    picture: NDArray[np.uint8]
    joints: NDArray[np.float32]
    face: tuple[float, float, float, float]
    prompt: str


class Preparer:
    """Looks at pictures with the product's own networks."""

    def __init__(self, vision: Path) -> None:
        self._people = PeopleReader(vision)
        self._faces = FaceReader(vision)

    def prepare(self, renders: Path, folder: Path) -> int:
        """Prepare everyone who is rendered but not prepared; how many that were."""
        folder.mkdir(parents=True, exist_ok=True)
        prepared = 0
        for path in sorted(renders.glob("p*.npz")):
            if not (folder / path.name).exists():
                _write(folder / path.name, list(self._examples(path)))
                prepared += 1
        return prepared

    def _examples(self, path: Path) -> Iterator[PreparedPicture]:
        with np.load(path) as content:
            pictures, facts = content["pictures"], json.loads(str(content["facts"]))
        for rgba, truth in zip(pictures, facts, strict=True):
            for variant in range(VARIANTS):
                draw = np.random.default_rng([774, truth["seed"], truth["number"], variant])
                framed = compose(rgba, truth, draw)
                example = self._look(framed, _prompt(framed, truth, draw))
                if example is not None:
                    yield example

    def _look(self, framed: Framed, words: str) -> PreparedPicture | None:
        """None where the networks see no person or not exactly one face: nothing to learn from."""
        picture = to_bgr(RGB(framed.picture))
        faces = self._faces.find(picture)
        if len(faces) != 1:
            return None
        people = self._people.find(picture, edge=POSE_EDGE)
        if not people:
            return None
        return PreparedPicture(framed.picture, people[0].joints.astype(np.float32), faces[0].box, words)


def _prompt(framed: Framed, truth: dict[str, Any], draw: np.random.Generator) -> str:
    yaw = (truth["yaw"] + truth["body"]) * (-1 if framed.mirrored else 1)
    return prompt(truth | {"yaw": yaw}, tone=framed.tone, backdrop=framed.backdrop, draw=draw)


def _write(target: Path, examples: list[PreparedPicture]) -> None:
    """Written whole or not at all. Nobody may be left of a person: an empty file says that too."""
    partial = target.with_name(f".{target.stem}.{os.getpid()}.npz")
    count = len(examples)
    np.savez_compressed(
        partial,
        pictures=np.array([example.picture for example in examples], np.uint8).reshape(count, 128, 128, 3),
        joints=np.array([example.joints for example in examples], np.float32).reshape(count, 17, 3),
        heads=np.array([example.face for example in examples], np.float32).reshape(count, 4),
        prompts=np.array(json.dumps([example.prompt for example in examples])),
    )
    partial.replace(target)


@dataclass(frozen=True)
class Prepared:
    """All prepared pictures in memory, in the order of the people's seeds."""

    names: list[str]
    counts: list[int]
    pictures: NDArray[np.uint8]
    joints: NDArray[np.float32]
    faces: NDArray[np.float32]
    prompts: list[str]


def load(folder: Path, *, pictures: bool = True) -> Prepared:
    """`pictures=False` leaves them out: they take 48 KiB each. Raises FileNotFoundError where nothing is prepared."""
    paths = sorted(folder.glob("p*.npz"))
    if not paths:
        raise FileNotFoundError(f"nothing is prepared in {folder}; run the stage 'prepare' first")
    rows: list[list[NDArray[Any]]] = [[], [], []]
    prompts: list[str] = []
    counts = []
    for path in paths:
        with np.load(path) as content:
            rows[0].append(content["pictures"] if pictures else np.zeros((0, 128, 128, 3), np.uint8))
            rows[1].append(content["joints"])
            rows[2].append(content["heads"])
            words: list[str] = json.loads(str(content["prompts"]))
        prompts += words
        counts.append(len(words))
    shown, joints, faces = (np.concatenate(row) for row in rows)
    return Prepared([path.stem for path in paths], counts, shown, joints, faces, prompts)
