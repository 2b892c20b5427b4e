"""Fits what tells a covered mouth and covered eyes: `python -m profile_workshop.coverings` in a clone's root.

Things are painted before the faces of the cast: hands, masks, phones, scarves, bars, in any colour and in pieces of
the picture itself; light and size vary. A ridge regression on shapes does the rest. Writes
profile_preprocess/coverings.npz, the same bytes each time but for the libraries' rounding.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_models.folders import models_folder
from profile_preprocess.covering import EYES_PART, FITTED, MOUTH_PART, Part, shapes, upright_face
from profile_vision import FaceReader
from profile_vision.pixels import BGR

Pixels = Any
PEOPLE = Path(__file__).resolve().parents[2] / "models" / "people"
SEED = 3
# Degrees to the camera: beyond, a mouth has another shape.
FACING = 35.0
# How often each picture is taken bare, with its mouth and with its eyes covered.
BARE, MOUTH, EYES = 5, 5, 2
# Keeps the fitted weights small, so that what was seen once does not count for all.
RIDGE = 30.0


@dataclass(frozen=True)
class CoveredFace:
    """An upright face, and what is before it: 'mouth', 'eyes' or nothing."""

    face: Pixels
    covered: str


def main() -> None:
    """Fit on the clone's cast and write the weights."""
    examples = list(examples_of(PEOPLE))
    weights = {part.name: fit(examples, part) for part in (MOUTH_PART, EYES_PART)}
    halves: dict[str, Any] = {name: row.astype(np.float16) for name, row in weights.items()}
    np.savez_compressed(FITTED, **halves)


def fit(examples: list[CoveredFace], part: Part) -> NDArray[np.float64]:
    """Weights of the shapes and a constant: about 1 for what is covered there, -1 for what is not."""
    rows = np.array([np.append(shapes(example.face, part), 1.0) for example in examples])
    covered = np.array([example.covered == part.name for example in examples])
    # Both kinds count for as much, however many there are.
    counts = np.where(covered, 1 / covered.mean(), 1 / (1 - covered.mean()))
    normal = (rows * counts[:, None]).T @ rows + RIDGE * np.eye(rows.shape[1])
    solved: NDArray[np.float64] = np.linalg.solve(normal, (rows * counts[:, None]).T @ np.where(covered, 1.0, -1.0))
    return solved


def examples_of(people: Path, seed: int = SEED) -> Iterator[CoveredFace]:
    """Faces of the people in a folder, bare and covered, in many lights."""
    chance = np.random.default_rng(seed)
    faces = FaceReader(models_folder() / "vision")
    for folder in sorted(path for path in people.iterdir() if (path / "labels.jsonl").is_file()):
        for number, line in enumerate((folder / "labels.jsonl").read_text().splitlines()):
            label = json.loads(line)
            if abs(label["yaw"] + label.get("body", 0.0)) <= FACING:
                photo = BGR(np.asarray(cv2.imread(str(folder / f"{number:02d}.jpg")), np.uint8))
                yield from _of_photo(photo, faces, chance)


def _of_photo(image: BGR, faces: FaceReader, chance: np.random.Generator) -> Iterator[CoveredFace]:
    bare = faces.find(image)
    if not bare:
        return
    for covered in ("",) * BARE + ("mouth",) * MOUTH + ("eyes",) * EYES:
        picture = painted(image, bare[0].points, covered, chance) if covered else image
        picture = relit(picture, chance)
        size = chance.uniform(0.45, 1)
        picture = BGR(cv2.resize(picture, None, fx=size, fy=size, interpolation=cv2.INTER_AREA).astype(np.uint8))
        still_faces = faces.find(picture)
        if still_faces:
            yield CoveredFace(upright_face(picture, still_faces[0]), covered)


def relit(image: Pixels, chance: np.random.Generator) -> Pixels:
    """Darker or lighter, in coloured light or in black and white."""
    linear = (image / 255.0) ** 2.2 * 2.0 ** chance.uniform(-2.5, 0.7)
    if chance.random() < 0.5:
        linear = linear * np.exp(chance.normal(0, 0.35, 3))
    if chance.random() < 0.2:
        linear = np.repeat(linear.mean(axis=2, keepdims=True), 3, axis=2)
    levels: Pixels = (np.clip(linear, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
    return levels


def painted(image: Pixels, points: Pixels, where: str, chance: np.random.Generator) -> Pixels:
    """The picture with something before the mouth or the eyes of the face with these five points."""
    shape = _mouth_shape(points, chance) if where == "mouth" else _eyes_shape(points, chance)
    mask = np.zeros(image.shape[:2], np.uint8)
    corners: Pixels = np.round(shape).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255)
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return image
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    seen = cv2.GaussianBlur(mask[top:bottom, left:right] / 255.0, (0, 0), chance.uniform(0.3, 2))[..., None]
    thing = _thing(image, points, (bottom - top, right - left), chance)
    result = image.astype(np.float64)
    result[top:bottom, left:right] = result[top:bottom, left:right] * (1 - seen) + thing * seen
    whole: Pixels = np.clip(result, 0, 255).astype(np.uint8)
    return whole


def _mouth_shape(points: Pixels, chance: np.random.Generator) -> Pixels:
    mouth, nose, apart = points[3:].mean(axis=0), points[2], float(np.linalg.norm(points[1] - points[0]))
    size, kind = chance.uniform(0.85, 1.2), chance.integers(0, 4)
    if kind == 0:  # a hand
        return _ellipse(mouth + chance.normal(0, 0.06 * apart, 2), 0.9 * apart * size, 0.6 * apart * size, chance)
    if kind == 1:  # a mask
        across = apart * np.array([-0.1, 0.1, 0.9, 0.7, -0.7, -0.9])
        down = [nose[1] - 0.2 * apart * size] * 2 + [nose[1]] + [mouth[1] + 0.75 * apart] * 2 + [nose[1]]
        return np.stack([np.array([nose[0]] * 2 + [mouth[0]] * 4) + across, np.array(down)], axis=1)
    if kind == 2:  # a phone, a cup
        place = (float(mouth[0] + chance.normal(0, 0.1 * apart)), float(mouth[1] + 0.35 * apart))
        return cv2.boxPoints((place, (apart * size, 1.5 * apart * size), chance.uniform(-25, 25)))
    return _ellipse(mouth + np.array([0, 0.1 * apart]), 0.65 * apart * size, 0.42 * apart * size, chance)


def _eyes_shape(points: Pixels, chance: np.random.Generator) -> Pixels:
    across = points[1] - points[0]
    apart, size = float(np.linalg.norm(across)), chance.uniform(0.9, 1.25)
    middle = points[:2].mean(axis=0)
    tilt = float(np.degrees(np.arctan2(across[1], across[0])))
    return cv2.boxPoints(((float(middle[0]), float(middle[1])), (2.1 * apart * size, 0.56 * apart * size), tilt))


def _ellipse(middle: Pixels, wide: float, high: float, chance: np.random.Generator) -> Pixels:
    angle, tilt = np.linspace(0, 2 * np.pi, 48, endpoint=False), np.radians(chance.uniform(-25, 25))
    x, y = wide * np.cos(angle), high * np.sin(angle)
    turned = [x * np.cos(tilt) - y * np.sin(tilt), x * np.sin(tilt) + y * np.cos(tilt)]
    return middle + np.stack(turned, axis=1)


def _thing(image: Pixels, points: Pixels, size: tuple[int, int], chance: np.random.Generator) -> Pixels:
    """What lies before the face: (height, width, 3)."""
    surfaces = (_plain, _grey, _hand, _striped, _folded, _piece)
    surface = surfaces[chance.integers(0, len(surfaces))](image, points, size, chance)
    shade = np.linspace(-1, 1, size[0])[:, None, None] * chance.uniform(-25, 25)
    shade = shade + np.linspace(-1, 1, size[1])[None, :, None] * chance.uniform(-25, 25)
    thing: Pixels = np.clip(surface + shade + chance.normal(0, chance.uniform(0, 4), (*size, 3)), 0, 255)
    return thing


def _plain(_image: Pixels, _points: Pixels, size: tuple[int, int], chance: np.random.Generator) -> Pixels:
    return np.broadcast_to(chance.integers(0, 256, 3).astype(np.float64), (*size, 3))


def _grey(_image: Pixels, _points: Pixels, size: tuple[int, int], chance: np.random.Generator) -> Pixels:
    return np.full((*size, 3), float(chance.integers(10, 245)))


def _hand(image: Pixels, points: Pixels, size: tuple[int, int], chance: np.random.Generator) -> Pixels:
    """The skin of the cheek, often with the gaps between fingers."""
    apart = float(np.linalg.norm(points[1] - points[0]))
    x, y = (max(0, int(value)) for value in (points[2][0] - 0.5 * apart, points[2][1]))
    cheek = image[max(0, y - 8) : y + 8, max(0, x - 6) : x + 6].reshape(-1, 3)
    skin = np.median(cheek, axis=0) if len(cheek) else np.full(3, 120.0)
    hand: Pixels = np.broadcast_to(skin * chance.uniform(0.75, 1.15), (*size, 3)).copy()
    if chance.random() < 0.6:
        upright = chance.random() < 0.5
        for gap in np.linspace(0, size[1 if upright else 0], chance.integers(4, 6))[1:-1].astype(int):
            where = np.s_[:, max(0, gap - 1) : gap + 2] if upright else np.s_[max(0, gap - 1) : gap + 2, :]
            hand[where] *= chance.uniform(0.5, 0.8)
        hand = cv2.GaussianBlur(hand, (0, 0), chance.uniform(0.8, 3))
    return hand


def _striped(_image: Pixels, _points: Pixels, size: tuple[int, int], chance: np.random.Generator) -> Pixels:
    period, angle = chance.uniform(4, 30), chance.uniform(0, np.pi)
    rows, columns = np.mgrid[: size[0], : size[1]]
    stripe = (np.sin((columns * np.cos(angle) + rows * np.sin(angle)) * 2 * np.pi / period) > 0)[..., None]
    return np.where(stripe, chance.integers(0, 256, 3), chance.integers(0, 256, 3)).astype(np.float64)


def _folded(_image: Pixels, _points: Pixels, size: tuple[int, int], chance: np.random.Generator) -> Pixels:
    folds = cv2.GaussianBlur(chance.normal(0, 1, size), (0, 0), chance.uniform(2, 15))
    folds = folds / (folds.std() + 1e-6) * chance.uniform(5, 35)
    cloth: Pixels = chance.integers(30, 226, 3) + folds[..., None]
    return cloth


def _piece(image: Pixels, _points: Pixels, size: tuple[int, int], chance: np.random.Generator) -> Pixels:
    """A piece of the picture from elsewhere: cloth, wall."""
    top, left = (int(chance.integers(0, max(1, image.shape[axis] - size[axis]))) for axis in (0, 1))
    part = image[top : top + size[0], left : left + size[1]]
    return cv2.resize(part, (size[1], size[0])).astype(np.float64)


if __name__ == "__main__":
    main()
