"""The rules that turn measures into a verdict. Pure; every threshold is named here with its source.

Thresholds said to be tuned were set on 150 rendered photos (real photos: five), so that what is clearly usable passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from profile_contract.names import PHOTO_ADVICE, PhotoReason
from profile_contract.orders import PhotoVerdict, PreprocessParameters

# A second person counts when his face, or else his body, is at least this share of the subject's: passers-by in the
# background of a square are smaller. In a picture of two friends the shares are .6 to 1.
SECOND_FACE = 0.35
SECOND_BODY = 0.25
SECOND_BODY_SCORE = 0.5
# With the forehead's edge missing the head is still whole enough to train on; at .85 a fifth of the face is missing.
HEAD_INSIDE = 0.85
# A detector puts the box of a half face just inside the edge: gaps of 0 to .035 of its width were seen. Tuned.
EDGE_GAP = 0.04
# Beyond this the far eye is hidden; estimates from five points reach 63 degrees in profile. Tuned.
YAW = 55.0
# YOLO's confidence for an eye that is hidden is below .5, for a visible one above .6. Tuned.
EYE_SEEN = 0.5
# Frontal enough for sunglasses and masks to be told by colour. Tuned with drawn ones: see Covering.
COVERING_YAW = 25.0
DARK_EYES = 0.20
OTHER_MOUTH = 25.0
# Sharp photos reach 48 to 68; blurred by 2 % of the face's width they fall below 33, smeared by an eye's length to 24
# to 44. Tuned.
SHARPNESS = 45.0
# L* that the lightest twentieth of the face reaches: dark skin in ordinary light has 45 and more. Tuned.
DARK = 30.0
# Share of the face at L* above 97, where no skin is left.
BRIGHT = 0.25


@dataclass(frozen=True)
class Measures:
    """What was measured on one photo. Heights in pixels of the uploaded photo, angles in degrees."""

    faces: int = 0
    people: int = 0
    second_face: float = 0.0
    second_body: float = 0.0
    face_height: float = 0.0
    head_inside: float = 0.0
    edge_gap: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    eye_seen: float = 1.0
    eyes_lightness: float = 1.0
    mouth_colour: float = 0.0
    sharpness: float = 0.0
    lightness: float = 0.0
    highlights: float = 0.0
    burnt: float = 0.0

    def figures(self) -> dict[str, float]:
        """The measures for the report, rounded."""
        return {name: round(float(value), 3) for name, value in vars(self).items()}


def judge(measures: Measures, parameters: PreprocessParameters) -> PhotoReason:
    """The verdict on one photo by itself; the first rule that fails names it, the gravest first."""
    m = measures
    rules = (
        (m.faces == 0, PhotoReason.NO_FACE),
        (m.second_face >= SECOND_FACE or m.second_body >= SECOND_BODY, PhotoReason.SEVERAL_PEOPLE),
        (m.face_height < parameters.minimum_face_pixels, PhotoReason.FACE_TOO_SMALL),
        (m.head_inside < HEAD_INSIDE or m.edge_gap < EDGE_GAP, PhotoReason.HEAD_CUT_OFF),
        (m.highlights < DARK, PhotoReason.TOO_DARK),
        (m.burnt > BRIGHT, PhotoReason.TOO_BRIGHT),
        # A profile measures less sharp than it is; in a blurred photo an eye is not seen though it is there.
        (abs(m.yaw) > YAW, PhotoReason.FACE_TURNED_AWAY),
        (m.sharpness < SHARPNESS, PhotoReason.BLURRED),
        (m.eye_seen < EYE_SEEN, PhotoReason.FACE_TURNED_AWAY),
        (_covered(m), PhotoReason.FACE_COVERED),
    )
    return next((reason for failed, reason in rules if failed), PhotoReason.ACCEPTED)


def _covered(m: Measures) -> bool:
    frontal = abs(m.yaw) <= COVERING_YAW
    return frontal and (m.eyes_lightness < DARK_EYES or m.mouth_colour > OTHER_MOUTH)


def verdict(name: str, reason: PhotoReason, figures: dict[str, float], duplicate_of: str = "") -> PhotoVerdict:
    """The verdict as it is reported: reason, advice in plain words, figures."""
    advice = PHOTO_ADVICE[reason]
    if duplicate_of:
        advice = f"{advice} It repeats {duplicate_of}."
    accepted = reason is PhotoReason.ACCEPTED
    return PhotoVerdict(name=name, accepted=accepted, reason=reason, advice=advice[:300], measures=figures)


def too_few(verdicts: list[PhotoVerdict], minimum: int) -> str:
    """What to tell when too few photos were accepted: counts, and the most frequent reasons with their advice."""
    accepted = sum(verdict.accepted for verdict in verdicts)
    text = f"{accepted} of {len(verdicts)} photos can be used, at least {minimum} are needed."
    for reason, count in most_frequent(verdicts)[:3]:
        text += f" {count} x {reason}: {PHOTO_ADVICE[reason]}"
    return text


def summary(verdicts: list[PhotoVerdict]) -> str:
    """One line about all photos."""
    accepted = sum(verdict.accepted for verdict in verdicts)
    reasons = ", ".join(f"{count} x {reason}" for reason, count in most_frequent(verdicts))
    return f"{accepted} of {len(verdicts)} photos accepted" + (f" (rejected: {reasons})" if reasons else "")


def most_frequent(verdicts: Iterable[PhotoVerdict]) -> list[tuple[PhotoReason, int]]:
    """The reasons of rejected photos with their numbers, the most frequent first."""
    return Counter(verdict.reason for verdict in verdicts if not verdict.accepted).most_common()
