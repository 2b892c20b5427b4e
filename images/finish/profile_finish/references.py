"""What a dataset says of its person: reference embeddings, the ceiling of likeness, what is seen of their eyes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.preprocess import DatasetImage, PreprocessReport
from profile_runtime.store.port import NotFound, Store
from profile_vision import FaceReader, ceiling
from profile_vision.eyes import DARKER, paler_eye, wanted_of
from profile_vision.files import Unreadable, read_picture
from profile_vision.likeness import Embedding


@dataclass(frozen=True)
class References:
    """Embeddings (128,) of the photos that judge likeness, the dataset's images, and the ceiling (a mean cosine).

    `eyes`: by how much both eyes of a portrait are to be darker than their cheeks (`profile_vision.eyes.wanted_of`).
    """

    embeddings: list[Embedding]
    images: list[DatasetImage]
    ceiling: float
    # Of which photo each is: the keys of its pictures in the dataset.
    pictures: Sequence[frozenset[str]] = ()
    eyes: float = DARKER

    def beside(self, source: str) -> list[Embedding]:
        """Those that judge what was drawn over a picture of that key: all but its own photo's, unless it is alone."""
        own = [source in pictures for pictures in self.pictures] if source else []
        others = [embedding for embedding, same in zip(self.embeddings, own, strict=False) if not same]
        return others or self.embeddings

    def cosine(self, embedding: Embedding) -> float:
        """The mean cosine of a face's embedding to the references."""
        return float(np.mean([float(np.dot(embedding, reference)) for reference in self.embeddings]))


def read_references(store: Store, key: str, faces: FaceReader) -> References:
    """Read the dataset's report, embed its reference images, and look at the eyes in all of them. Raises BadInput if
    there is nothing to compare with."""
    dataset = _dataset(store, key)
    seen = [(_embedding(store, image, faces), image) for image in dataset.reference_images]
    embeddings = [embedding for embedding, _ in seen if embedding is not None]
    pictures = [
        frozenset({image.image, image.wide.key if image.wide is not None else image.image})
        for embedding, image in seen
        if embedding is not None
    ]
    if not embeddings:
        raise BadInput(Reason.INVALID_ORDER, f"the dataset {key} has no photo with a face to compare portraits with")
    top = dataset.ceiling if dataset.ceiling is not None else ceiling(embeddings)
    if top <= 0:
        raise BadInput(Reason.INVALID_ORDER, f"the photos of the dataset {key} show different people")
    eyes = wanted_of(_eyes(store, dataset.images, faces))
    return References(embeddings=embeddings, images=dataset.images, ceiling=top, pictures=pictures, eyes=eyes)


def _dataset(store: Store, key: str) -> PreprocessReport:
    """The dataset's report. Raises BadInput."""
    try:
        dataset = PreprocessReport.model_validate_json(store.read(key))
    except NotFound as error:
        raise BadInput(Reason.INVALID_ORDER, f"the dataset report {key} is not in the store") from error
    except ValidationError as error:
        raise BadInput(Reason.INVALID_ORDER, f"the dataset report {key} cannot be read") from error
    return dataset


def _embedding(store: Store, image: DatasetImage, faces: FaceReader) -> Embedding | None:
    """The identity of a stored photo's largest face; None where there is none."""
    try:
        pixels = read_picture(store, image.image)
    except Unreadable:
        return None
    seen = faces.find(pixels)
    return faces.embed(pixels, seen[0]) if seen else None


def _eyes(store: Store, images: Sequence[DatasetImage], faces: FaceReader) -> Iterator[float]:
    """What is seen of the paler eye of each stored photo's largest face; nothing of photos that show none, or are no
    more there."""
    for image in images:
        try:
            pixels = read_picture(store, image.image)
        except (NotFound, Unreadable):
            continue
        seen = faces.find(pixels)
        if seen:
            yield paler_eye(pixels, seen[0])
