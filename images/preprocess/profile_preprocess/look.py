"""Looks at photos: everything that is measured while the pixels of one are in memory. They do not outlive it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from profile_contract.conditions import Reason
from profile_contract.exits import TryAgain
from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import JointsNetwork, PhotoRef, PhotoVerdict
from profile_vision import Face, FaceReader, MaskReader, WeightsMissing, face_patch, head_angles
from profile_vision.joints import Body, Joints, JointsReader
from profile_vision.landmarks import LandmarksReader
from profile_vision.likeness import Embedding
from profile_vision.moments import Fingerprint, aligned_grey
from profile_vision.people import PeopleReader

from . import light, quality
from .covering import covering
from .cuts import cut_of
from .decode import Frame, Opener
from .detail import detail
from .long_shape import is_long, part_with_face
from .upright import Upright, upright
from .verdicts import SECOND_BODY_SCORE, Measures, judge, verdict

# COCO joints of the eyes.
EYES = (1, 2)


@dataclass(frozen=True)
class Networks:
    """The networks of preprocessing, loaded once."""

    faces: FaceReader
    people: JointsReader
    mask: MaskReader

    @classmethod
    def load(cls, vision: Path, joints: JointsNetwork = JointsNetwork.YOLO) -> Networks:
        """Load from their folder; `joints`: which one finds them. Raises TryAgain if weights are missing: the platform
        must bring them."""
        reader = LandmarksReader if joints is JointsNetwork.MEDIAPIPE else PeopleReader
        try:
            return cls(faces=FaceReader(vision), people=reader(vision), mask=MaskReader(vision))
        except WeightsMissing as error:
            raise TryAgain(Reason.MODEL_NOT_FOUND, str(error)) from error


@dataclass(frozen=True)
class Look:
    """What remains of a photo: the verdict on it and the measures; `repeats` names the photo whose moment it is."""

    photo: PhotoRef
    reason: PhotoReason
    measures: Measures = Measures()
    repeats: str = ""

    @property
    def verdict(self) -> PhotoVerdict:
        """The verdict as it is reported."""
        return verdict(self.photo.name, self.reason, self.measures, self.repeats)


@dataclass(frozen=True, kw_only=True)
class Sitter(Look):
    """A look that met a face: the subject's, with their joints, in pixels of the frame, and how to know them again."""

    face: Face
    joints: Joints
    fingerprint: Fingerprint
    frame: Frame

    @property
    def embedding(self) -> Embedding:
        """The subject's identity, (128,)."""
        return self.fingerprint.embedding


def look_at(photo: PhotoRef, opener: Opener, networks: Networks) -> Look:
    """Open a photo, turn it upright, measure it and judge it by itself; of a long one the part around its largest face.

    Raises PhotoRefused, and StoreError where the store fails.
    """
    whole = opener.open(photo)
    long = is_long(whole)
    if long:
        box = part_with_face(whole, networks.faces)
        if box is None:
            return Look(photo, PhotoReason.NO_FACE, Measures(long=True))
        whole = opener.open(photo, box)
    view = upright(whole, networks.faces)
    people = networks.people.find(view.photo.pixels, view.faces)
    if not view.faces:
        measures = Measures(people=len(people), grey=view.photo.facts.grey, long=long)
        return Look(photo, judge(measures, opener.parameters), measures)
    face = view.faces[0]
    owner = _owner(face, people)
    cut = cut_of(view.photo.frame, face.box, opener.parameters)
    enlarged = cut.scale * view.photo.frame.scale
    measures = replace(_measure(view, people, owner), long=long, enlarged=enlarged)
    return Sitter(
        photo,
        judge(measures, opener.parameters),
        measures,
        face=face,
        joints=owner.joints if owner else np.zeros((17, 3), dtype=np.float32),
        fingerprint=Fingerprint(
            face=aligned_grey(networks.faces.aligned(view.photo.pixels, face)),
            embedding=networks.faces.embed(view.photo.pixels, face),
            detail=measures.worth,
        ),
        frame=view.photo.frame,
    )


def accepted(looks: Sequence[Look]) -> list[tuple[int, Sitter]]:
    """Places and sitters of the photos that no rule has rejected so far."""
    return [
        (place, look)
        for place, look in enumerate(looks)
        if isinstance(look, Sitter) and look.reason is PhotoReason.ACCEPTED
    ]


def _owner(face: Face, people: list[Body]) -> Body | None:
    """The person whose box holds the middle of the face; the largest if there are several."""
    x, y = face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2
    inside = (p for p in people if p.box[0] <= x <= p.box[0] + p.box[2] and p.box[1] <= y <= p.box[1] + p.box[3])
    return next(inside, None)


def _measure(view: Upright, people: list[Body], person: Body | None) -> Measures:
    """The figures of an upright photo with a face, and with its owner where a body was seen too."""
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
