"""A look at one photo: everything that is measured while its pixels are in memory. The pixels do not outlive it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from profile_contract.conditions import Reason
from profile_contract.exits import TryAgain
from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import PreprocessParameters
from profile_vision import Face, FaceReader, MaskReader, WeightsMissing, face_patch, head_angles
from profile_vision.joints import Body, Joints, JointsReader
from profile_vision.likeness import Embedding
from profile_vision.people import PeopleReader

from . import light, quality
from .covering import covering
from .decode import Frame, Photo
from .detail import detail
from .moments import aligned_grey
from .upright import Upright, upright
from .verdicts import SECOND_BODY_SCORE, Measures, judge

# COCO joints of the eyes.
EYES = (1, 2)


@dataclass(frozen=True)
class Networks:
    """The networks of preprocessing, loaded once."""

    faces: FaceReader
    people: JointsReader
    mask: MaskReader

    @classmethod
    def load(cls, vision: Path) -> Networks:
        """Load from their folder. Raises TryAgain if weights are missing: the platform must bring them."""
        try:
            return cls(faces=FaceReader(vision), people=PeopleReader(vision), mask=MaskReader(vision))
        except WeightsMissing as error:
            raise TryAgain(Reason.MODEL_NOT_FOUND, str(error)) from error


@dataclass(frozen=True)
class Seen:
    """The subject's face and joints (17, 3) in pixels of the frame, `embedding` (128,), `face_grey` (112, 112)."""

    face: Face
    joints: Joints
    embedding: Embedding
    face_grey: NDArray[np.float32]
    frame: Frame


@dataclass(frozen=True)
class Look:
    """What remains of a photo: the verdict on it, the measures, and what was seen if there is a face."""

    reason: PhotoReason
    measures: Measures = Measures()
    seen: Seen | None = None


def look_at(photo: Photo, networks: Networks, parameters: PreprocessParameters, *, long: bool = False) -> Look:
    """Measure one decoded photo, turned upright first, and judge it by itself. `long`: it is a part of a long one."""
    view = upright(photo, networks.faces)
    people = networks.people.find(view.photo.pixels)
    if not view.faces:
        measures = Measures(people=len(people), grey=photo.facts.grey, long=long)
        return Look(reason=judge(measures, parameters), measures=measures)
    face = view.faces[0]
    person = _owner(face, people)
    measures = replace(_measure(view, people, person), long=long)
    seen = Seen(
        face=face,
        joints=person.joints if person else np.zeros((17, 3), dtype=np.float32),
        embedding=networks.faces.embed(view.photo.pixels, face),
        face_grey=aligned_grey(networks.faces.aligned(view.photo.pixels, face)),
        frame=view.photo.frame,
    )
    return Look(reason=judge(measures, parameters), measures=measures, seen=seen)


def _owner(face: Face, people: list[Body]) -> Body | None:
    """The person whose box holds the middle of the face; the largest if there are several."""
    x, y = face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2
    inside = (p for p in people if p.box[0] <= x <= p.box[0] + p.box[2] and p.box[1] <= y <= p.box[1] + p.box[3])
    return next(inside, None)


def _measure(view: Upright, people: list[Body], person: Body | None) -> Measures:
    image, faces = view.photo.pixels, view.faces
    face = faces[0]
    height, width = image.shape[:2]
    yaw, pitch, roll = head_angles(face, width, height)
    levels = quality.lightness(image, face)
    cover, fine = covering(image, face), detail(image, face)
    return Measures(
        faces=len(faces),
        people=len(people),
        second_face=faces[1].box[3] / face.box[3] if len(faces) > 1 else 0.0,
        second_body=_second_body(people, person),
        face_height=face.box[3] / view.photo.frame.scale,
        head_inside=quality.head_inside(face, width, height),
        edge_gap=quality.edge_gap(face, width, height),
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        turns=view.photo.frame.turns,
        eye_seen=float(person.joints[list(EYES), 2].min()) if person else 1.0,
        eyes_lightness=cover.eyes_lightness,
        eyes_covered=cover.eyes,
        mouth_covered=cover.mouth,
        mouth_edges=cover.mouth_edges,
        sharpness=fine.sharpness,
        blocks=fine.blocks,
        fineness=fine.fineness,
        light=light.exposure(image),
        burnt=float((levels > quality.BURNT).mean()),
        clipped=light.clipped(face_patch(image, face)),
        grey=view.photo.facts.grey,
    )


def _second_body(people: list[Body], person: Body | None) -> float:
    """Area of the largest other person that is clearly seen, per area of the subject."""
    if person is None:
        return 0.0
    others = [p.area for p in people if p is not person and p.score >= SECOND_BODY_SCORE]
    return max(others, default=0.0) / max(person.area, 1.0)
