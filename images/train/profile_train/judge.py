"""Judge: how much portraits are like a person, by photos that were not trained on, and which repeat one that was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.preprocess import DatasetImage, PreprocessReport
from profile_runtime.context import StageContext
from profile_vision import FaceReader, WeightsMissing, cosine
from profile_vision.files import read_picture
from profile_vision.likeness import Embedding
from profile_vision.moments import Fingerprint, aligned_grey, same_moment
from profile_vision.pixels import BGR, RGB, to_bgr

from .dataset import read_of_dataset

# The detector was not trained on faces of a few dozen pixels: small portraits are enlarged before they are judged.
SMALLEST_EDGE = 512


@dataclass(frozen=True)
class Judgement:
    """What portraits are worth: mean likeness in per cent of the ceiling, unclipped (None: no face was seen).

    `copies`: how many of them show a training photo again.
    """

    likeness: float | None
    copies: int = 0


@dataclass(frozen=True)
class Judge:
    """Knows the person: embeddings of the reference photos, the ceiling of real against real, and what was learnt."""

    reader: FaceReader
    references: list[Embedding]
    ceiling: float
    learnt: Sequence[Fingerprint] = ()

    def judged(self, portraits: list[RGB]) -> Judgement:
        """The worth of portraits. Beside others that show one, a portrait without exactly one face is like nobody: 0.

        Cosines are neither rounded nor clipped: adapters of a strong base model would be equals.
        """
        faces = [_fingerprint(self.reader, enlarged(to_bgr(portrait)), alone=True) for portrait in portraits]
        seen = [face for face in faces if face is not None]
        if not seen:
            return Judgement(None)
        cosines = [float(np.mean([cosine(face.embedding, photo) for photo in self.references])) for face in seen]
        copies = sum(any(same_moment(face, photo) for photo in self.learnt) for face in seen)
        return Judgement(100 * sum(cosines) / len(portraits) / self.ceiling, copies)


def judge_of(context: StageContext, report: PreprocessReport) -> Judge | None:
    """The judge of a person; None if the references show no face. Raises BadInput if face weights are missing."""
    try:
        reader = FaceReader(context.vision)
    except WeightsMissing as error:
        raise BadInput(Reason.MODEL_NOT_FOUND, str(error)) from error

    def seen(images: list[DatasetImage]) -> list[Fingerprint]:
        """The largest face of each picture of the dataset that shows one."""
        pictures = (read_of_dataset(read_picture, context.store, image.image) for image in images)
        faces = (_fingerprint(reader, picture, alone=False) for picture in pictures)
        return [face for face in faces if face is not None]

    references = [face.embedding for face in seen(report.reference_images)]
    if not references or not report.ceiling or report.ceiling <= 0:
        return None
    return Judge(reader, references, report.ceiling, seen(report.training_images))


def enlarged(picture: BGR) -> BGR:
    """The picture, its longer edge at least SMALLEST_EDGE."""
    scale = SMALLEST_EDGE / max(picture.shape[:2])
    if scale <= 1:
        return picture
    return BGR(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC).astype(np.uint8))


def _fingerprint(reader: FaceReader, picture: BGR, *, alone: bool) -> Fingerprint | None:
    """The picture's largest face, or None; `alone`: also where others are seen beside it."""
    faces = reader.find(picture)
    if not faces or (alone and len(faces) > 1):
        return None
    return Fingerprint(aligned_grey(reader.aligned(picture, faces[0])), reader.embed(picture, faces[0]))
