"""PhotoSource: the photo that a style of the mode ImageToImage is drawn over, and why one cannot be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .conditions import Reason
from .framing import Head, HeadPlace, Skeleton
from .photo_names import shown_name
from .stages.preprocess import DatasetImage, DatasetPose, PreprocessReport
from .style import ProfileStyleSpec, SourceChoice
from .style_ref import StyleRef

# A portrait of each photo, as many as a style may deliver.
MOST_SOURCES = 16
# Sharper than this is sharpened (of preprocess's measure).
ENOUGH_SHARPNESS = 60.0
# A head of half the picture's height leaves shoulders in it. Each hundredth more weighs as much as a degree off the
# camera: a picture is never framed wider than its photo.
ROOMY_HEAD = 0.5
# Names that a message lists.
MOST_NAMED = 8
# Between joints of less distance, in shares of a picture, no scale is told.
SMALLEST_SPREAD = 0.01


@dataclass(frozen=True)
class PhotoSource:
    """A photo that is drawn over: `key` in the store, its head and joints relative to that picture.

    `head` None: of a dataset that knows none, the picture is taken as it is, and `joints` are none either.
    """

    key: str
    head: HeadPlace | None = None
    joints: Skeleton | None = None


class Undrawable(Exception):
    """Nothing can be drawn in one style of a request, though others may be; with its reason, and what to do."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def check_drawable(
    key: str, style: ProfileStyleSpec, photo: str | None, dataset: PreprocessReport | None, *, trains: bool
) -> None:
    """Raises Undrawable for a style that starts from a photo that is not there, or from noise where nobody is learnt.

    `photo`: spec.source. `dataset` None: the photos were not looked at yet, and of none is known whether it is there.
    """
    name, shown = StyleRef.of_key(key).shown, shown_name(photo or "")
    if not style.drawn_over:
        if not trains:
            text = f"the style {name} draws from noise, which needs the person's adapter; spec.training.mode is None"
            raise Undrawable(Reason.NOT_TRAINED, text)
        return
    if dataset is None or photo is None or any(image.photo == photo for image in dataset.images):
        return
    verdict = next((verdict for verdict in dataset.verdicts if verdict.name == photo), None)
    if verdict is not None:
        advice = f": {verdict.advice}" if verdict.advice else ""
        text = f"the style {name} starts from the photo {shown}, which was refused ({verdict.reason}){advice}"
        raise Undrawable(Reason.SOURCE_REFUSED, text)
    usable = [shown_name(image.photo) for image in dataset.images]
    listed = ", ".join(usable[:MOST_NAMED]) + (", ..." if len(usable) > MOST_NAMED else "")
    text = f"the style {name} starts from the photo {shown}, which is not there; these can be used: {listed}"
    raise Undrawable(Reason.SOURCE_NOT_FOUND, text)


def sources_of(style: ProfileStyleSpec, photo: str | None, dataset: PreprocessReport) -> list[PhotoSource]:
    """The photos that a style is drawn over, the best first; none for a style that begins as noise.

    `photo`: spec.source, one that is there (see check_drawable).
    """
    if not style.drawn_over:
        return []
    ranked = best_first(dataset)
    if photo is not None:
        ranked = [image for image in ranked if image.photo == photo]
    elif style.source is SourceChoice.BEST:
        ranked = ranked[:1]
    return [_source(image, dataset.poses[: len(dataset.images)], dataset) for image in ranked[:MOST_SOURCES]]


def best_first(dataset: PreprocessReport) -> list[DatasetImage]:
    """The accepted photos: those first that face the camera, are sharp and show shoulders.

    Photos that were held out come last: what is drawn over one of them could not be judged by it any more.
    """
    measures = {verdict.name: verdict.measures for verdict in dataset.verdicts}

    def lacks(image: DatasetImage) -> tuple[bool, float, str]:
        """Whether it is held out; degrees off the camera, what it lacks of sharpness and of room; its name."""
        seen = measures.get(image.photo, {})
        turned = abs(seen.get("yaw", 0.0)) + abs(seen.get("roll", 0.0)) + abs(seen.get("pitch", 0.0)) / 2
        blurred = max(0.0, ENOUGH_SHARPNESS - seen.get("sharpness", 0.0))
        crowded = 100 * max(0.0, image.wide.head.height - ROOMY_HEAD) if image.wide is not None else 0.0
        return image.held_out, turned + blurred + crowded, image.photo

    return sorted(dataset.images, key=lacks)


def _source(image: DatasetImage, poses: Sequence[DatasetPose], dataset: PreprocessReport) -> PhotoSource:
    """A photo's widest picture with its head; of a dataset of an earlier version its crop, whose head is told by the
    joints: they stand there relative to the crop and, as a pose, relative to the head."""
    if image.wide is not None:
        return PhotoSource(image.wide.key, image.wide.head, image.wide.joints)
    number = dataset.images.index(image)
    pose = poses[number].joints if number < len(poses) else None
    if image.joints is None or pose is None:
        return PhotoSource(image.image)
    pairs = [(inside, own) for inside, own in zip(image.joints, pose, strict=True) if inside and own]
    head = _head_by(pairs, image.width, image.height)
    return PhotoSource(image.image, head, image.joints) if head is not None else PhotoSource(image.image)


def _head_by(
    pairs: Sequence[tuple[tuple[float, float], tuple[float, float]]], width: int, height: int
) -> HeadPlace | None:
    """The head in a picture of so many pixels, by joints in shares of its edges and relative to the head; None where
    they lie too close to tell."""
    if len(pairs) < 2:
        return None
    inside = [(x * width, y * height) for (x, y), _ in pairs]
    own = [joint for _, joint in pairs]
    count = len(pairs)
    middle = tuple(sum(place[axis] for place in inside) / count for axis in (0, 1))
    centre = tuple(sum(place[axis] for place in own) / count for axis in (0, 1))
    spread = sum((place[axis] - centre[axis]) ** 2 for place in own for axis in (0, 1))
    if spread < SMALLEST_SPREAD:
        return None
    shared = sum(
        (there[axis] - middle[axis]) * (place[axis] - centre[axis])
        for there, place in zip(inside, own, strict=True)
        for axis in (0, 1)
    )
    tall = shared / spread
    if tall < 1:
        return None
    head = Head(height=tall, eyes=middle[1] - tall * centre[1], middle=middle[0] - tall * centre[0])
    return HeadPlace.of(head, width, height)
