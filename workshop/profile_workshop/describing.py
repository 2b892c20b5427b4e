"""Fits what tells glasses and smiles: `python -m profile_workshop.describing` in a clone's root.

Learnt from the training people's renders (`profile_workshop.people renders`), none of whom is of the cast, and tried on
the cast. A ridge regression on shapes, as in `coverings`. Writes profile_preprocess/described.npz and prints what its
words are worth: how many of those that are said are wrong, and how many are said.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_models.folders import models_folder, people_folder
from profile_preprocess.covering import EYES_PART, MOUTH_PART, Part, shapes, upright_face
from profile_preprocess.describing import FITTED, GLASSES, MOST_YAW, NO_GLASSES, SMILE
from profile_vision import FaceReader
from profile_vision.pixels import BGR

from .coverings import PEOPLE, relit

Pixels = Any
SEED = 5
PARTS = {"smile": MOUTH_PART, "glasses": EYES_PART}
# Renders are small: their faces are found, and read, at this size.
EDGE = 480
# Of training people; more of them tell nothing new.
MOST_PEOPLE = 600
RIDGE = 30.0
# What is called smiling, and what surely is not; 'soft' is neither.
SMILES, NO_SMILES = frozenset({"smile", "grin"}), frozenset({"neutral", "serious"})


@dataclass(frozen=True)
class ToldFace:
    """An upright face, and what is true of it; None: neither."""

    face: Pixels
    smile: bool | None
    glasses: bool


def main() -> None:
    """Fit on the renders in the folder that is named, or the cache's, and try it on the cast."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else people_folder() / "renders"
    faces, chance = FaceReader(models_folder() / "vision"), np.random.default_rng(SEED)
    learnt = list(_of_renders(folder, faces, chance))
    weights = {name: fit(learnt, name, part).astype(np.float16) for name, part in PARTS.items()}
    stored: dict[str, Any] = dict(weights)
    np.savez_compressed(FITTED, **stored)
    print(f"{len(learnt)} faces of renders")
    tried = list(_of_cast(PEOPLE, faces))
    for name, low, high in (("smile", -np.inf, SMILE), ("glasses", NO_GLASSES, GLASSES)):
        scores = np.array([shapes(face.face, PARTS[name]) @ weights[name][:-1] + weights[name][-1] for face in tried])
        print(f"{name}: {worth(scores, [getattr(face, name) for face in tried], low, high)}")


def worth(scores: NDArray[np.float64], truth: list[bool | None], low: float, high: float) -> str:
    """What is said of faces at these thresholds, and how much of it is wrong."""
    yes, no = scores > high, scores < low
    lies = sum(bool(said) and true is not True for said, true in zip(yes, truth, strict=True))
    denied = sum(bool(said) and true is True for said, true in zip(no, truth, strict=True))
    there = sum(true is True for true in truth)
    said = f"said of {yes.sum()} of {there}, {lies} wrongly"
    return f"{said}; denied of {no.sum()} of {len(truth) - there}, {denied} wrongly"


def fit(examples: list[ToldFace], name: str, part: Part) -> NDArray[np.float64]:
    """Weights of the shapes and a constant: about 1 for what is there, -1 for what is not."""
    known = [example for example in examples if getattr(example, name) is not None]
    rows = np.array([np.append(shapes(example.face, part), 1.0) for example in known])
    there = np.array([getattr(example, name) for example in known], dtype=bool)
    # Both kinds count for as much, however many there are.
    counts = np.where(there, 1 / there.mean(), 1 / (1 - there.mean()))
    normal = (rows * counts[:, None]).T @ rows + RIDGE * np.eye(rows.shape[1])
    solved: NDArray[np.float64] = np.linalg.solve(normal, (rows * counts[:, None]).T @ np.where(there, 1.0, -1.0))
    return solved


def _of_renders(folder: Path, faces: FaceReader, chance: np.random.Generator) -> Iterator[ToldFace]:
    """Faces of training people before plain colours, in many lights."""
    for file in sorted(folder.glob("p*.npz"))[:MOST_PEOPLE]:
        with np.load(file, allow_pickle=False) as person:
            pictures, truths = person["pictures"], json.loads(str(person["facts"]))
        for rgba, truth in zip(pictures, truths, strict=True):
            seen = rgba[..., 3:] / 255.0
            rgb = rgba[..., :3] * seen + chance.integers(20, 236, 3) * (1 - seen)
            large = cv2.resize(rgb[..., ::-1].astype(np.uint8), (EDGE, EDGE), interpolation=cv2.INTER_CUBIC)
            yield from _told(BGR(np.asarray(relit(large, chance))), truth, faces)


def _of_cast(people: Path, faces: FaceReader) -> Iterator[ToldFace]:
    for labels in sorted(people.glob("*/labels.jsonl")):
        for number, line in enumerate(labels.read_text().splitlines()):
            photo = BGR(np.asarray(cv2.imread(str(labels.parent / f"{number:02d}.jpg")), np.uint8))
            yield from _told(photo, json.loads(line), faces)


def _told(picture: BGR, truth: dict[str, Any], faces: FaceReader) -> Iterator[ToldFace]:
    facing = faces.find(picture) if abs(truth["yaw"] + truth.get("body", 0.0)) <= MOST_YAW else []
    if facing:
        mood = truth["mood"]
        smile = True if mood in SMILES else False if mood in NO_SMILES else None
        yield ToldFace(upright_face(picture, facing[0]), smile, bool(truth["glasses"]))


if __name__ == "__main__":
    main()
