"""A second recogniser, of another family: nothing was trained, chosen or refused with it, so nothing can please it.

dlib's ResNet (King 2017, "High Quality Face Recognition with Deep Metric Learning"): two photos whose vectors are
nearer than 0.6 to each other show the same person, as its author found on Labeled Faces in the Wild.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_runtime.store.port import Store
from profile_runtime.weights import WeightsError, read_vision
from profile_vision import Face, FaceReader, WeightsMissing
from profile_vision.faces import counted
from profile_vision.files import read_picture
from profile_vision.pixels import BGR, to_rgb

from .figures import Share, mean_or_none

RECOGNISER, CORNERS = "dlib_resnet.dat", "dlib_corners.dat"
SAME_PERSON = 0.6
# Faces are read at about the height that the network's own pictures have.
FACE_HEIGHT = 200
# Its finder of corners was trained on square boxes: as its author's detector draws them, measured against YuNet's on
# the cast (0.86 of the height, 0.06 below the middle; the distances hardly know the difference).
BOX_EDGE, BOX_DOWN = 0.9, 0.05

Vector = NDArray[np.float64]


class SecondReader:
    """Reads who somebody is, (128,) a face. Not safe for threads."""

    def __init__(self, models: Path) -> None:
        """Loads from the vision folder, once the files' sha256 is right.

        Raises WeightsMissing, also where the library is not installed.
        """
        try:
            import dlib
        except ImportError as error:
            raise WeightsMissing("dlib is not installed: pip install 'profile-studio[evaluate]'") from error
        try:
            for name in (RECOGNISER, CORNERS):
                read_vision(models, name)
        except WeightsError as error:
            raise WeightsMissing(f"{error}; python -m profile_models recogniser fetches it") from error
        self._rectangle = dlib.rectangle
        self._corners = dlib.shape_predictor(str(models / CORNERS))
        self._network = dlib.face_recognition_model_v1(str(models / RECOGNISER))

    def read(self, picture: BGR, face: Face) -> Vector:
        """A face that was found in this picture."""
        x, y, width, height = face.box
        scale = FACE_HEIGHT / height
        way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
        scaled = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=way)
        middle, half = ((x + width / 2) * scale, (y + (0.5 + BOX_DOWN) * height) * scale), BOX_EDGE * FACE_HEIGHT / 2
        edges = [middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half]
        pixels = to_rgb(BGR(np.asarray(scaled, np.uint8)))
        shape = self._corners(pixels, self._rectangle(*(round(edge) for edge in edges)))
        return np.array(self._network.compute_face_descriptor(pixels, shape))


@dataclass(frozen=True)
class SecondReadings:
    """One person as the second recogniser sees them; None for a portrait that does not show exactly one face."""

    name: str
    photos: tuple[Vector, ...]
    portraits: tuple[Vector | None, ...]


@dataclass(frozen=True)
class SecondFigures:
    """Mean distances: the smaller, the liker."""

    name: str
    own: float
    """Between the person's own photos."""
    portraits: float | None
    """From the portraits to the photos; None where no portrait shows a face."""
    others: float | None
    """From the photos to those of everybody else; None of one person alone."""
    same: Share
    """Portraits that are the person, by the author's measure: nearer to their photos, on average, than 0.6."""
    named: Share
    """Portraits that are nearer to this person's photos than to anybody else's."""

    @property
    def way(self) -> float | None:
        """How far from others to themselves the portraits have come: 0 like anybody, 1 like their own photos."""
        if self.portraits is None or self.others is None or self.others <= self.own:
            return None
        return (self.others - self.portraits) / (self.others - self.own)


def read_second(
    name: str,
    store: Store,
    photos: Sequence[str],
    portraits: Sequence[str],
    readers: tuple[FaceReader, SecondReader],
) -> SecondReadings:
    """A person's photos and portraits, by their keys."""
    faces, second = readers

    def seen(key: str) -> list[Vector]:
        picture = read_picture(store, key)
        return [second.read(picture, face) for face in counted(faces.find(picture))]

    drawn = [seen(key) for key in portraits]
    return SecondReadings(
        name,
        tuple(vector for key in photos for vector in seen(key)[:1]),
        tuple(vectors[0] if len(vectors) == 1 else None for vectors in drawn),
    )


def second_figures(people: Sequence[SecondReadings]) -> tuple[SecondFigures, ...]:
    """Pure. Of people without photos nothing can be said: they are left out."""
    known = {person.name: person.photos for person in people if person.photos}
    return tuple(_figures(person, known) for person in people if person.photos)


def _figures(person: SecondReadings, known: Mapping[str, Sequence[Vector]]) -> SecondFigures:
    """One person's figures beside those of everybody else."""
    drawn = [vector for vector in person.portraits if vector is not None]
    distances = [far(vector, person.photos) for vector in drawn]
    pairs = [float(np.linalg.norm(a - b)) for a, b in itertools.combinations(person.photos, 2)]
    others = [far(vector, photos) for name, photos in known.items() if name != person.name for vector in person.photos]
    return SecondFigures(
        name=person.name,
        own=mean_or_none(pairs) or 0.0,
        portraits=mean_or_none(distances),
        others=mean_or_none(others),
        same=Share(sum(distance < SAME_PERSON for distance in distances), len(distances)),
        named=Share(sum(nearest_by_distance(vector, known) == person.name for vector in drawn), len(drawn)),
    )


def far(vector: Vector, photos: Sequence[Vector]) -> float:
    """The mean distance to somebody's photos."""
    return float(np.mean([np.linalg.norm(vector - photo) for photo in photos]))


def nearest_by_distance(vector: Vector, known: Mapping[str, Sequence[Vector]]) -> str:
    """Whose photos are nearest."""
    return min(known, key=lambda name: far(vector, known[name]))


def second_confusion(people: Sequence[SecondReadings]) -> dict[str, dict[str, int]]:
    """Person -> whose photos their portraits are nearest to -> how many."""
    known = {person.name: person.photos for person in people if person.photos}
    table = {person.name: dict.fromkeys(known, 0) for person in people}
    for person in people:
        for vector in person.portraits:
            if vector is not None:
                table[person.name][nearest_by_distance(vector, known)] += 1
    return table
