"""CellMeasure: what a cell's picture is like, by the readers that the product judges portraits with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from profile_cli.errors import CommandError
from profile_runtime.store.port import Store
from profile_vision import FaceReader, MaskReader, WeightsMissing, cosine
from profile_vision.faces import counted
from profile_vision.files import read_picture
from profile_vision.likeness import Embedding
from profile_vision.tone import colours

from .sheet_person import SheetPerson


@dataclass(frozen=True)
class CellMeasure:
    """`likeness`: cosine to the held-out photos in per cent of the ceiling, unclipped; None without exactly one face,
    or where nobody is compared with. `lightness` and `b`: L* and b* of skin and backdrop together."""

    faces: int
    likeness: float | None
    lightness: float
    b: float


class SheetReader:
    """Measures pictures of one subject."""

    def __init__(self, weights: Path, subject: SheetPerson) -> None:
        """`weights`: the folder of the vision networks. Raises CommandError where they are missing."""
        try:
            self._faces, self._masks = FaceReader(weights), MaskReader(weights)
        except WeightsMissing as error:
            raise CommandError(str(error)) from error
        dataset, store = subject.dataset, subject.store
        images = dataset.reference_images if dataset is not None and store is not None else []
        self._references: Sequence[Embedding] = (
            [] if store is None else [face for image in images for face in self._embedded(store, image.image)[:1]]
        )
        self._ceiling = (dataset.ceiling if dataset is not None else None) or 1.0

    def measure(self, store: Store, key: str) -> CellMeasure:
        """What the picture of that key is like."""
        picture = read_picture(store, key)
        faces = counted(self._faces.find(picture))
        tone = colours(picture, next(iter(faces), None), self._masks.read(picture))
        likeness = None
        if len(faces) == 1 and self._references:
            face = self._faces.embed(picture, faces[0])
            likeness = 100 * float(np.mean([cosine(face, photo) for photo in self._references])) / self._ceiling
        return CellMeasure(
            faces=len(faces),
            likeness=None if likeness is None else round(likeness, 1),
            lightness=round(tone.lightness, 1),
            b=round(tone.b, 1),
        )

    def _embedded(self, store: Store, key: str) -> list[Embedding]:
        picture = read_picture(store, key)
        return [self._faces.embed(picture, face) for face in counted(self._faces.find(picture))]
