"""Verdicts on photos: why one was accepted or not, and what to do about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .model import Tolerant


class PhotoReason(StrEnum):
    """Why a photo was accepted or not."""

    ACCEPTED = "Accepted"
    NOT_AN_IMAGE = "NotAnImage"
    DAMAGED = "Damaged"
    TOO_MUCH_WORK = "TooMuchWork"
    TOO_MANY_BYTES = "TooManyBytes"
    TOO_MANY_PIXELS = "TooManyPixels"
    TOO_SMALL = "TooSmall"
    NO_FACE = "NoFace"
    SEVERAL_PEOPLE = "SeveralPeople"
    FACE_TOO_SMALL = "FaceTooSmall"
    HEAD_CUT_OFF = "HeadCutOff"
    FACE_TURNED_AWAY = "FaceTurnedAway"
    FACE_COVERED = "FaceCovered"
    BLURRED = "Blurred"
    TOO_DARK = "TooDark"
    TOO_BRIGHT = "TooBright"
    OTHER_PERSON = "OtherPerson"
    DUPLICATE = "Duplicate"


class PhotosWarningKind(StrEnum):
    """What is true of accepted photos, or of all together, and worth knowing although nothing stops for it."""

    NO_COLOUR = "NoColour"
    LITTLE_COLOUR = "LittleColour"
    NOT_FRONTAL = "NotFrontal"
    TURNED_UPRIGHT = "TurnedUpright"
    LEFT_OUT = "LeftOut"


class PhotosWarning(Tolerant):
    """What a person should know about the photos although nothing stops for it. `photos`: the names of those that it
    is about."""

    kind: PhotosWarningKind
    message: str = Field(default="", max_length=300, description="The same in a sentence.")
    photos: list[Annotated[str, Field(max_length=256)]] = Field(
        default=[], max_length=40, description="Names of the photos that it is about."
    )


PHOTO_ADVICE: dict[PhotoReason, str] = {
    PhotoReason.ACCEPTED: "",
    PhotoReason.NOT_AN_IMAGE: ("This file cannot be read as a picture. Upload a JPEG, HEIC, PNG, WebP or AVIF photo."),
    PhotoReason.DAMAGED: "The file is damaged: a part of the picture is missing or changed. Send the original again.",
    PhotoReason.TOO_MUCH_WORK: (
        "The picture takes too long to open. Open it yourself, save it as an ordinary JPEG, and upload that."
    ),
    PhotoReason.TOO_MANY_BYTES: "The file is too large. Upload a photo below the size limit, as your phone saves it.",
    PhotoReason.TOO_MANY_PIXELS: (
        "The picture has too many pixels. Upload an ordinary phone photo of at most 60 megapixels."
    ),
    PhotoReason.TOO_SMALL: "The picture is too small. Upload the original photo, not a thumbnail or a screenshot.",
    PhotoReason.NO_FACE: "No face was found. Use a photo in which your face is clearly visible.",
    PhotoReason.SEVERAL_PEOPLE: (
        "More than one person is in the photo. Use a photo of you alone, or crop the others out."
    ),
    PhotoReason.FACE_TOO_SMALL: (
        "Your face has too few pixels in the photo. Come closer, or upload the camera's original, not a small copy."
    ),
    PhotoReason.HEAD_CUT_OFF: "Your head is cut off at the edge. Use a photo that shows your whole head.",
    PhotoReason.FACE_TURNED_AWAY: "Your face is turned too far away. Use a photo in which both eyes are visible.",
    PhotoReason.FACE_COVERED: (
        "Part of your face is covered. Use a photo without a mask, sunglasses or a hand before your face."
    ),
    PhotoReason.BLURRED: (
        "The photo is blurred, or was saved too small. Use the original photo, taken with a steady hand in good light."
    ),
    PhotoReason.TOO_DARK: "The photo is too dark. Use a photo taken in better light.",
    PhotoReason.TOO_BRIGHT: "The photo is overexposed. Use a photo without strong light on your face.",
    PhotoReason.OTHER_PERSON: (
        "This seems to be someone else than in most of the photos. Use photos of one person only."
    ),
    PhotoReason.DUPLICATE: "This photo is almost the same as another one. Use photos of different moments.",
}
