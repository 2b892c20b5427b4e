"""The rules that turn measures into a verdict. Pure; every threshold is named here with its source.

Thresholds said to be tuned were set on 150 rendered photos (real photos: five), so that what is clearly usable passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from profile_contract.photo_names import shown_name
from profile_contract.photos import PHOTO_ADVICE, PhotoReason, PhotosWarning
from profile_contract.photos import PhotosWarningKind as Kind
from profile_contract.stages.preprocess import PhotoVerdict, PreprocessParameters

# A second person counts when his face, or else his body, is at least this share of the subject's: passers-by in the
# background of a square are smaller. In a picture of two friends the shares are .6 to 1.
SECOND_FACE = 0.35
SECOND_BODY = 0.25
SECOND_BODY_SCORE = 0.5
# So much a crop may be enlarged for training: beyond it, what is learnt of a face is softness.
LARGEST_ENLARGEMENT = 2.0
# With the forehead's edge missing the head is still whole enough to train on; at .85 a fifth of the face is missing.
HEAD_INSIDE = 0.85
# A detector puts the box of a half face just inside the edge: gaps of 0 to .035 of its width were seen. Tuned.
EDGE_GAP = 0.04
# Beyond this the far eye is hidden; estimates from five points reach 63 degrees in profile. Tuned.
YAW = 55.0
# YOLO's confidence for an eye that is hidden is below .5, for a visible one above .6. Tuned.
EYE_SEEN = 0.5
# Frontal enough for a mouth and eyes to have the shapes that were learnt: see Covering.
COVERING_YAW = 35.0
# Frontal enough for both cheeks to be in the same light as the eyes.
SUNGLASSES_YAW = 25.0
DARK_EYES = 0.20
# What covers a mouth is unlike one, and plain. A broad smile is unlike the rendered mouths that the rule was fitted on,
# and reaches 0.5, but its teeth have edges (0.6 and more, per those of the eyes): it takes more to be called a scarf.
MOUTH_UNLIKE = -0.3
MOUTH_PLAIN = 0.45
MOUTH_COVERED = 0.7
EYES_COVERED = 0.6
# Sharp photos reach 48 to 68; blurred by 2 % of the face's width they fall below 33, smeared by an eye's length to 24
# to 44. Tuned.
SHARPNESS = 45.0
# Steps across a grid per steps elsewhere: photos up to 1.5, JPEG of quality 75 up to 1.7, of quality 10 from 2.6.
BLOCKS = 2.6
# Photos lose a tenth of their sharpness at twice the size; enlarged from a face of 75 pixels they lose a third.
FINENESS = 0.72
# Sharper than this is sharpened.
ENOUGH_SHARPNESS = 60.0
GREY_WORTH = 0.7
# Stops below white of the lightest places: photos reach -2, and half of them -0.4. What lacks three stops can still be
# seen; four are too many. Between people of different skin this differs by less than half a stop.
DARK = -3.9
# A photo that looks into the camera.
FRONTAL = 20.0
# As a status holds them.
MOST_NAMED, NAME_LENGTH = 40, 256
LONG_ADVICE = "The picture is very long: crop it around your head and shoulders."
# Share of the face at L* above 97, where no skin is left.
BRIGHT = 0.4


@dataclass(frozen=True)
class Measures:
    """What was measured on one photo. Heights in pixels of the uploaded photo, angles in degrees, light in stops.

    `turns`: quarter turns counter-clockwise that brought the photo upright. `enlarged`: pixels of the training crop per
    pixel of the file, along an edge.
    """

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
    turns: int = 0
    eye_seen: float = 1.0
    eyes_lightness: float = 1.0
    eyes_covered: float = -1.0
    mouth_covered: float = -1.0
    mouth_edges: float = 1.0
    sharpness: float = 0.0
    blocks: float = 1.0
    fineness: float = 1.0
    light: float = 0.0
    burnt: float = 0.0
    clipped: float = 0.0
    grey: bool = False
    long: bool = False
    enlarged: float = 0.0

    @property
    def worth(self) -> float:
        """What training can learn from the photo, to choose among photos of one moment: real detail, and colour."""
        detail = self.face_height * min(self.sharpness, ENOUGH_SHARPNESS)
        return detail * (1 - self.clipped) * (GREY_WORTH if self.grey else 1.0)

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
        (m.enlarged > LARGEST_ENLARGEMENT, PhotoReason.FACE_TOO_SMALL),
        (m.head_inside < HEAD_INSIDE or m.edge_gap < EDGE_GAP, PhotoReason.HEAD_CUT_OFF),
        (m.light < DARK, PhotoReason.TOO_DARK),
        (m.burnt > BRIGHT, PhotoReason.TOO_BRIGHT),
        # A profile measures less sharp than it is; in a blurred photo an eye is not seen though it is there.
        (abs(m.yaw) > YAW, PhotoReason.FACE_TURNED_AWAY),
        (m.sharpness < SHARPNESS or m.blocks > BLOCKS or m.fineness < FINENESS, PhotoReason.BLURRED),
        (m.eye_seen < EYE_SEEN, PhotoReason.FACE_TURNED_AWAY),
        (_covered(m), PhotoReason.FACE_COVERED),
    )
    return next((reason for failed, reason in rules if failed), PhotoReason.ACCEPTED)


def _covered(m: Measures) -> bool:
    plain = m.mouth_covered > MOUTH_UNLIKE and m.mouth_edges < MOUTH_PLAIN
    hidden = plain or m.mouth_covered > MOUTH_COVERED or m.eyes_covered > EYES_COVERED
    shapes = abs(m.yaw) <= COVERING_YAW and hidden
    return shapes or (abs(m.yaw) <= SUNGLASSES_YAW and m.eyes_lightness < DARK_EYES)


def verdict(name: str, reason: PhotoReason, measures: Measures, duplicate_of: str = "") -> PhotoVerdict:
    """The verdict as it is reported: reason, advice in plain words, figures."""
    advice = PHOTO_ADVICE[reason]
    if duplicate_of:
        advice = f"{advice} It repeats {shown_name(duplicate_of)}."
    accepted = reason is PhotoReason.ACCEPTED
    if measures.long and not accepted:
        advice = f"{advice} {LONG_ADVICE}"
    figures = measures.figures() if measures.faces or measures.people else {}
    return PhotoVerdict(name=name, accepted=accepted, reason=reason, advice=advice[:300], measures=figures)


def warnings(looks: Sequence[Measures], verdicts: Sequence[PhotoVerdict]) -> list[PhotosWarning]:
    """What is true of the accepted photos together and will show in every portrait, and what became of some."""
    good = [(measures, judged.name) for measures, judged in zip(looks, verdicts, strict=True) if judged.accepted]
    grey = [name for measures, name in good if measures.grey]
    turned = [name for measures, name in good if measures.turns]
    refused = [judged.name for judged in verdicts if not judged.accepted]
    noted: list[PhotosWarning] = []
    if grey and len(grey) == len(good):
        text = "No photo has colour: the portraits will be black and white, or coloured by chance."
        noted.append(_warning(Kind.NO_COLOUR, text, grey))
    elif grey and 2 * len(grey) >= len(good):
        noted.append(
            _warning(Kind.LITTLE_COLOUR, "Half of the photos or more have no colour: add photos in colour.", grey)
        )
    if good and all(abs(measures.yaw) > FRONTAL for measures, _ in good):
        noted.append(
            _warning(Kind.NOT_FRONTAL, "No photo is taken from the front: add one that looks into the camera.", [])
        )
    if turned:
        text = f"{len(turned)} of the accepted photos lay on the side or upside down and were turned upright."
        noted.append(_warning(Kind.TURNED_UPRIGHT, text, turned))
    if refused:
        text = f"{len(refused)} of {len(verdicts)} photos were left out; each has its reason."
        noted.append(_warning(Kind.LEFT_OUT, text, refused))
    return noted


def _warning(kind: Kind, message: str, photos: list[str]) -> PhotosWarning:
    return PhotosWarning(kind=kind, message=message, photos=[name[-NAME_LENGTH:] for name in photos[:MOST_NAMED]])


def too_few(verdicts: list[PhotoVerdict], minimum: int) -> str:
    """What to tell when too few photos were accepted: counts, and the most frequent reasons with their advice."""
    accepted = sum(verdict.accepted for verdict in verdicts)
    text = f"{accepted} of {len(verdicts)} photos can be used, at least {minimum} are needed."
    for reason, count in most_frequent(verdicts)[:3]:
        text += f" {count} x {reason}: {PHOTO_ADVICE[reason]}"
    return text


def two_people(first: int, second: int) -> str:
    """What to tell when the photos do not say who is meant."""
    return (
        f"The photos show two people: one is in {first} of them, another in {second}. "
        "Which one is meant? Remove the photos of the other one."
    )


def summary(verdicts: list[PhotoVerdict]) -> str:
    """One line about all photos."""
    accepted = sum(verdict.accepted for verdict in verdicts)
    reasons = ", ".join(f"{count} x {reason}" for reason, count in most_frequent(verdicts))
    return f"{accepted} of {len(verdicts)} photos accepted" + (f" (rejected: {reasons})" if reasons else "")


def most_frequent(verdicts: Iterable[PhotoVerdict]) -> list[tuple[PhotoReason, int]]:
    """The reasons of rejected photos with their numbers, the most frequent first."""
    return Counter(verdict.reason for verdict in verdicts if not verdict.accepted).most_common()
