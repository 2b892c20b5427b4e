"""Preprocess: photos in, a dataset of one person out."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from pydantic import Field

from profile_contract.framing import HeadPlace, Skeleton
from profile_contract.model import Contract, Tolerant, digest_of
from profile_contract.photos import PhotoReason, PhotosWarning
from profile_contract.stages.order import (
    FaceBox,
    StageOrder,
    StageReport,
)

from .stage import Stage

# Of the file that holds a photo's caption, beside it under the same name.
CAPTION_ENDING = ".txt"

# Raised by hand when preprocessing makes another dataset of the same photos: it is part of every preprocess digest.
VERSION = 3


class PhotoRef(Contract):
    """A raw photo as it was listed. `name` is the key below the photos' prefix."""

    name: str
    key: str
    bytes: int = Field(ge=0)
    etag: str


class Captions(StrEnum):
    """What captions of training crops name: what is named is not learnt as part of the person."""

    FRAMED = "Framed"
    DESCRIBED = "Described"
    WRITTEN = "Written"


class JointsNetwork(StrEnum):
    """The network that finds joints."""

    YOLO = "YOLO"
    MEDIAPIPE = "MediaPipe"


class PreprocessRecipe(Contract):
    """How photos are framed and captioned, as the base model wants it."""

    face_percent: int = Field(
        default=40,
        ge=25,
        le=60,
        description="Height of the face's box (hairline to chin) in crops and preset poses, per cent of the picture's.",
    )
    captions: Captions = Field(
        default=Captions.FRAMED,
        description="What captions name, so that it is not learnt as part of the person. Framed: how a crop is framed "
        "and where the face looks, for models of few words. Described: expression, glasses, clothes and backdrop too, "
        "as far as they are told surely. Written: what NN.txt beside the photo NN.jpg says, and where there is none, "
        "as Described.",
    )


class PreprocessParameters(PreprocessRecipe):
    """Limits and thresholds of preprocessing; part of its digest."""

    noun: Literal["person", "woman", "man"] = "person"
    resolution: int = Field(
        default=1024,
        ge=64,
        le=2048,
        multiple_of=8,
        description="Edge in pixels whose square is the area of a training crop.",
    )
    minimum_photos: int = Field(default=5, ge=1, le=40)
    maximum_photos: int = Field(default=20, ge=1, le=40)
    maximum_bytes: int = Field(default=30_000_000, ge=1, le=1_000_000_000)
    maximum_pixels: int = Field(default=60_000_000, ge=1, le=1_000_000_000)
    minimum_face_pixels: int = Field(default=96, ge=1, le=4096, description="Height of the face box, upright photo.")
    joints: JointsNetwork = Field(
        default=JointsNetwork.YOLO,
        description="Which network finds joints. YOLO: Ultralytics' (AGPL), which needs torch, and sees people without "
        "a face too. MediaPipe: Google's (Apache-2.0) in OpenCV, without torch; who shows no face is not seen.",
    )


def captions_apart(photos: Sequence[PhotoRef], captions: Captions) -> tuple[list[PhotoRef], list[PhotoRef]]:
    """The photos, and the files of their captions where somebody wrote them; else whatever was sent is a photo."""
    if captions is not Captions.WRITTEN:
        return list(photos), []
    written = [photo for photo in photos if photo.key.endswith(CAPTION_ENDING)]
    return [photo for photo in photos if photo not in written], written


class LookPictures(Contract):
    """What is asked of the pictures that a look is learnt from: many people's, in whatever light the look has."""

    minimum: int = Field(default=10, ge=2, le=60, description="Accepted pictures.")
    maximum: int = Field(default=60, ge=2, le=100, description="Pictures in all.")
    people: int = Field(default=3, ge=2, le=60, description="People that they show at least.")
    largest_percent: int = Field(
        default=50, ge=1, le=99, description="No person may be in more of the accepted pictures than this."
    )


class PreprocessOrder(StageOrder):
    """Photos to dataset. `look`: they are of many people, and what they share is learnt; nobody is looked for."""

    stage: Literal[Stage.PREPROCESS] = Stage.PREPROCESS
    photos: list[PhotoRef] = Field(max_length=1000)
    parameters: PreprocessParameters
    look: LookPictures | None = None


class PhotoVerdict(Tolerant):
    """What was found about one photo, with the figures that led to it."""

    name: str
    accepted: bool
    reason: PhotoReason
    advice: str = ""
    measures: dict[str, float] = Field(default={}, description="Face height, sharpness, brightness, angles, ...")


class WidePicture(Tolerant):
    """As much of an accepted photo as any cut may show, to be drawn over. `key` is absolute in the store."""

    key: str = Field(max_length=1024)
    width: int = Field(ge=1, le=16384)
    height: int = Field(ge=1, le=16384)
    head: HeadPlace
    joints: Skeleton = Field(description="OpenPose's joints, as shares of the picture's edges.")


class DatasetImage(Tolerant):
    """One crop of an accepted photo. Keys are absolute in the store. Boxes are pixels of the crop: x, y, w, h."""

    photo: str
    image: str
    mask: str = Field(description="Person mask: 8 bit grey, 255 inside, the size of the image.")
    pose: str = Field(default="", description="Pose map, as earlier versions wrote one.")
    joints: Skeleton | None = Field(default=None, description="OpenPose's joints, as shares of the image's edges.")
    caption: str = Field(description="What the crop shows; {subject} stands for the person, as in a style's prompt.")
    width: int = Field(ge=1, le=16384)
    height: int = Field(ge=1, le=16384)
    source: tuple[int, int] | None = Field(
        default=None, description="Width and height, in the photo's own pixels, of the part that is shown."
    )
    face_box: FaceBox
    held_out: bool = Field(default=False, description="Kept from training, to judge likeness by.")
    wide: WidePicture | None = Field(default=None, description="What is drawn over; earlier versions wrote none.")


class DatasetPose(Tolerant):
    """A pose that generation may use: `name` is a preset's name or `photo-<n>`."""

    name: str
    joints: Skeleton | None = Field(default=None, description="OpenPose's joints, relative to the head.")
    key: str = Field(default="", description="Pose map, square, as earlier versions wrote one instead of joints.")


class PreprocessReport(StageReport):
    """The dataset: a verdict per photo, crops, poses."""

    stage: Literal[Stage.PREPROCESS] = Stage.PREPROCESS
    verdicts: list[PhotoVerdict] = []
    warnings: list[PhotosWarning] = Field(
        default=[],
        max_length=10,
        description="What is true of the accepted photos together and will show in portraits.",
    )
    images: list[DatasetImage] = []
    poses: list[DatasetPose] = []
    ceiling: float | None = Field(default=None, description="Mean cosine between accepted photos.")
    people: int | None = Field(default=None, ge=0, le=1000, description="Of a look: how many people were told apart.")

    @property
    def training_images(self) -> list[DatasetImage]:
        """Crops that may be trained on."""
        return [image for image in self.images if not image.held_out]

    @property
    def reference_images(self) -> list[DatasetImage]:
        """Crops that judge likeness: the held-out ones, or all of them where none were held out."""
        return [image for image in self.images if image.held_out] or self.images


def photos_digest(photos: list[PhotoRef]) -> str:
    """The key of a set of photos: names and contents, whatever their order."""
    return digest_of(sorted([photo.name, photo.etag, photo.bytes] for photo in photos))


def preprocess_digest(photos: str, parameters: PreprocessParameters, look: LookPictures | None = None) -> str:
    """`photos` is a photos digest; `look`: what is asked of them where a look is learnt."""
    of_look = [{"look": look.distinction()}] if look is not None else []
    return digest_of([VERSION, photos, parameters.distinction(), *of_look])
