"""Captions: what training crops show, in words. {subject} stands for the person, as in a style's prompt.

What is named is not learnt as part of the person, so all is named that changes from photo to photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from profile_contract.stages.preprocess import PhotoRef
from profile_vision import Face
from profile_vision.pixels import BGR, Mask

TURNED = 20.0
HALF_TURNED = 40.0
# Shares of the crop's height above which a face is all of it.
CLOSE_UP = 0.5
SUBJECT = "{subject}"


@dataclass(frozen=True)
class CaptionedCrop:
    """A training crop as a captioner sees it: pixels, person mask, and the face in the crop's pixels.

    `yaw` in degrees, positive to the picture's right.
    """

    photo: PhotoRef
    pixels: BGR
    mask: Mask
    face: Face
    yaw: float


@dataclass(frozen=True)
class Remarks:
    """What may be said of a crop beside framing and direction; empty, or None, where it is not told surely.

    `written`: somebody's own words, in place of all others.
    """

    expression: str = ""
    glasses: bool | None = None
    clothes: str = ""
    backdrop: str = ""
    written: str = ""


NOTHING = Remarks()


class Captioner(Protocol):
    """Tells what a crop shows."""

    def remarks(self, crop: CaptionedCrop) -> Remarks:
        """What may be said of the crop. Raises BadInput for what somebody wrote and nobody can read."""
        ...


class FramingAlone:
    """A captioner for models of few words: framing and direction are all that they are told."""

    def remarks(self, crop: CaptionedCrop) -> Remarks:
        """Nothing."""
        return NOTHING


def captions_of(crops: Sequence[tuple[float, float, Remarks]]) -> list[str]:
    """The caption of each crop of one person: yaw, the face's share of the crop's height, and what may be said.

    Glasses that are in every photo belong to the person, and are learnt with them: they are named only where some photo
    is surely without.
    """
    sometimes = any(remarks.glasses is False for *_, remarks in crops)
    return [
        caption(yaw, share, remarks if sometimes else replace(remarks, glasses=None)) for yaw, share, remarks in crops
    ]


def caption(yaw: float, face_share: float, remarks: Remarks = NOTHING) -> str:
    """The caption of a crop. `yaw` in degrees, positive to the picture's right; `face_share` is the face's share of the
    crop's height."""
    if SUBJECT in remarks.written:
        return remarks.written
    framing = "close-up portrait" if face_share > CLOSE_UP else "head and shoulders"
    worn = [thing for thing in ("glasses" if remarks.glasses else "", remarks.clothes) if thing]
    said = (
        [remarks.written]
        if remarks.written
        else [
            remarks.expression,
            f"wearing {' and '.join(worn)}" if worn else "",
            remarks.backdrop,
        ]
    )
    return ", ".join([f"a photo of {SUBJECT}", framing, facing(yaw), *filter(None, said)])


def facing(yaw: float) -> str:
    """Where the face looks, in the picture's own left and right. `yaw` in degrees, positive to the right."""
    if abs(yaw) < TURNED:
        return "facing the camera"
    side = "right" if yaw > 0 else "left"
    return f"turned {'slightly ' if abs(yaw) < HALF_TURNED else ''}to the {side}"
