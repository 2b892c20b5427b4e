"""A look at one photo: everything that is measured while its pixels are in memory. The pixels do not outlive it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from profile_contract.exits import TryAgain
from profile_contract.names import PhotoReason, Reason
from profile_contract.orders import PreprocessParameters
from profile_faces import Face, FaceReader, MaskReader, WeightsMissing, sharpness

from . import quality
from .covering import covering
from .decode import Photo
from .duplicates import difference_hash
from .people import PeopleReader, Person
from .verdicts import SECOND_BODY_SCORE, Measures, judge

# COCO joints of the eyes.
EYES = (1, 2)


@dataclass(frozen=True)
class Networks:
    """The networks of preprocessing, loaded once."""

    faces: FaceReader
    people: PeopleReader
    mask: MaskReader

    @classmethod
    def load(cls, models: Path) -> Networks:
        """Load from the models folder. Raises TryAgain if weights are missing: the platform must bring them."""
        vision = models / "vision"
        try:
            return cls(faces=FaceReader(vision), people=PeopleReader(vision), mask=MaskReader(vision))
        except WeightsMissing as error:
            raise TryAgain(Reason.MODEL_NOT_FOUND, str(error)) from error


@dataclass(frozen=True)
class Seen:
    """The subject's face and joints (17, 3) in pixels of the decoded photo, `embedding` (128,), `hash` (64,) bool."""

    face: Face
    joints: NDArray[np.float32]
    embedding: NDArray[np.float32]
    hash: NDArray[np.bool_]


@dataclass(frozen=True)
class Look:
    """What remains of a photo: the verdict on it, the measures, and what was seen if there is a face."""

    reason: PhotoReason
    measures: Measures = Measures()
    seen: Seen | None = None


def look_at(photo: Photo, networks: Networks, parameters: PreprocessParameters) -> Look:
    """Measure one decoded photo and judge it by itself."""
    faces = networks.faces.find(photo.pixels)
    people = networks.people.find(photo.pixels)
    if not faces:
        measures = Measures(people=len(people))
        return Look(reason=judge(measures, parameters), measures=measures)
    person = _owner(faces[0], people)
    measures = _measure(photo, faces, people, person)
    seen = Seen(
        face=faces[0],
        joints=person.joints if person else np.zeros((17, 3), dtype=np.float32),
        embedding=networks.faces.embed(photo.pixels, faces[0]),
        hash=difference_hash(photo.pixels),
    )
    return Look(reason=judge(measures, parameters), measures=measures, seen=seen)


def _owner(face: Face, people: list[Person]) -> Person | None:
    """The person whose box holds the middle of the face; the largest if there are several."""
    x, y = face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2
    inside = (p for p in people if p.box[0] <= x <= p.box[0] + p.box[2] and p.box[1] <= y <= p.box[1] + p.box[3])
    return next(inside, None)


def _measure(photo: Photo, faces: list[Face], people: list[Person], person: Person | None) -> Measures:
    image, face = photo.pixels, faces[0]
    height, width = image.shape[:2]
    yaw, pitch, roll = quality.head_angles(face, width, height)
    levels = quality.lightness(image, face)
    cover = covering(image, face)
    return Measures(
        faces=len(faces),
        people=len(people),
        second_face=faces[1].box[3] / face.box[3] if len(faces) > 1 else 0.0,
        second_body=_second_body(people, person),
        face_height=face.box[3] / photo.scale,
        head_inside=quality.head_inside(face, width, height),
        edge_gap=quality.edge_gap(face, width, height),
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        eye_seen=float(person.joints[list(EYES), 2].min()) if person else 1.0,
        eyes_lightness=cover.eyes,
        mouth_colour=cover.mouth,
        sharpness=sharpness(image, face),
        lightness=float(levels.mean()),
        highlights=float(np.percentile(levels, 95)),
        burnt=float((levels > quality.BURNT).mean()),
    )


def _second_body(people: list[Person], person: Person | None) -> float:
    """Area of the largest other person that is clearly seen, per area of the subject."""
    if person is None:
        return 0.0
    others = [p.area for p in people if p is not person and p.score >= SECOND_BODY_SCORE]
    return max(others, default=0.0) / max(person.area, 1.0)
