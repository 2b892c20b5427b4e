"""Reads what preprocessing left: crops, masks, face boxes, captions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.preprocess import DatasetImage, PreprocessReport
from profile_runtime.store.port import NotFound, Store
from profile_vision.files import Unreadable, read_mask, read_picture
from profile_vision.pixels import BGR, RGB, Mask, to_rgb
from profile_vision.poses import pose_map

Drawn = TypeVar("Drawn", BGR, Mask)

# The background still teaches a little, or the adapter would be free to put anything there.
OUTSIDE_WEIGHT = 0.3
PERSON_WEIGHT = 1.0
# A crop keeps at least this share of the picture's edges, and always the whole face.
SMALLEST_CROP = 0.8


@dataclass(frozen=True)
class Example:
    """A training picture, loss weights (H, W) with mean 1, and where the crop began; `pose`: its map, if needed.

    `original_size`: width and height of what the picture was in the photo: SDXL is told how soft it may be.
    """

    image: RGB
    weights: NDArray[np.float32]
    caption: str
    crop_left: int
    crop_top: int
    original_size: tuple[int, int]
    pose: RGB | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.shape[1], self.image.shape[0]


def read_report(store: Store, key: str) -> PreprocessReport:
    """The preprocess report. Raises BadInput if there is none or nothing to train on."""
    try:
        report = PreprocessReport.model_validate_json(store.read(key))
    except (NotFound, ValueError) as error:
        raise BadInput(Reason.INVALID_ORDER, "the dataset's report cannot be read; run preprocessing again") from error
    if not report.training_images:
        raise BadInput(Reason.TOO_FEW_USABLE_PHOTOS, "the dataset holds no picture to train on; add photos")
    return report


def read_of_dataset(read: Callable[[Store, str], Drawn], store: Store, key: str) -> Drawn:
    """A picture or mask of the dataset, as `read` reads it. Raises BadInput if there is none."""
    try:
        return read(store, key)
    except (NotFound, Unreadable) as error:
        text = f"{key} of the dataset cannot be read; run preprocessing again"
        raise BadInput(Reason.INVALID_ORDER, text) from error


def read_examples(
    store: Store,
    images: list[DatasetImage],
    *,
    crops: int,
    resolution: int,
    wanted: int,
    subject: str,
    face_weight: float,
    pose_line: int | None = None,
    outside: float = OUTSIDE_WEIGHT,
) -> list[Example]:
    """All examples: `crops` of each picture, the first one whole. Crops depend on the picture's place alone.

    `resolution` is what is trained at, `wanted` what the dataset was cut for; `subject` replaces {subject};
    `face_weight` and `outside`: see `loss_weights`; `pose_line`: with their pose maps, lines so wide (see `pose_map`).
    Raises BadInput for a picture or mask that cannot be read or has another size than its report says, or a dataset
    that kept no joints.
    """
    examples = []
    for number, image in enumerate(images):
        picture = to_rgb(read_of_dataset(read_picture, store, image.image))
        mask = read_of_dataset(read_mask, store, image.mask)
        if {pixels.shape[:2] for pixels in (picture, mask)} != {(image.height, image.width)}:
            raise BadInput(
                Reason.INVALID_ORDER,
                f"{image.image} of the dataset and its mask are not {image.width}x{image.height} pixels, as its report "
                "says; run preprocessing again",
            )
        weights = loss_weights(mask, image.face_box, face_weight, outside)
        size = scaled_size((image.width, image.height), resolution / wanted)
        caption = image.caption.replace("{subject}", subject)
        draw = np.random.default_rng(number)
        boxes = [whole(image)] + [random_crop(image, draw) for _ in range(crops - 1)]
        for box in boxes:
            example = _example(picture, weights, box, size, caption)
            original = image.source or (image.width, image.height)
            pose = _pose(image, box, size, pose_line) if pose_line is not None else None
            examples.append(replace(example, pose=pose, original_size=original))
    return examples


def whole_example(picture: RGB, caption: str, resolution: int) -> Example:
    """A whole square picture as an example of this many pixels squared, in which no pixel counts more than another."""
    height, width = picture.shape[:2]
    size = (resolution, resolution)
    weights = np.ones(size, np.float32)
    cut = _cut(picture, (0, 0, width, height), size)
    return Example(cut, weights, caption, crop_left=0, crop_top=0, original_size=(width, height))


def _pose(image: DatasetImage, box: tuple[int, int, int, int], size: tuple[int, int], line: int) -> RGB:
    """The pose map of the part of a picture in a box, at this size. Raises BadInput where joints were not kept."""
    if image.joints is None:
        text = (
            "training.controlInLoss needs joints, and the dataset is of an earlier version, which kept none: raise the "
            "request's spec.refresh, which looks at the photos anew"
        )
        raise BadInput(Reason.INVALID_ORDER, text)
    x, y, w, h = box
    cut = tuple(
        None if joint is None else ((joint[0] * image.width - x) / w, (joint[1] * image.height - y) / h)
        for joint in image.joints
    )
    return pose_map(cut, *size, line)


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Width and height scaled, each a multiple of 8, as the VAE needs."""
    width, height = (max(8, round(edge * scale / 8) * 8) for edge in size)
    return width, height


def whole(image: DatasetImage) -> tuple[int, int, int, int]:
    """The whole picture as a box x, y, width, height."""
    return 0, 0, image.width, image.height


def random_crop(image: DatasetImage, draw: np.random.Generator) -> tuple[int, int, int, int]:
    """A box of the picture's own shape that holds the whole face: variety without mirroring."""
    x, y, w, h = image.face_box
    share = float(draw.uniform(SMALLEST_CROP, 1.0))
    share = min(1.0, max(share, (w + 2) / image.width, (h + 2) / image.height))
    width, height = int(image.width * share), int(image.height * share)
    return (
        _between(draw, x + w - width, x, image.width - width),
        _between(draw, y + h - height, y, image.height - height),
        width,
        height,
    )


def _between(draw: np.random.Generator, low: int, high: int, room: int) -> int:
    low, high = max(0, min(low, room)), max(0, min(high, room))
    return int(draw.integers(low, max(low, high) + 1))


def loss_weights(
    mask: Mask, face_box: tuple[int, int, int, int], face: float, outside: float = OUTSIDE_WEIGHT
) -> NDArray[np.float32]:
    """Weight of each pixel in the loss, mean 1: the face `face` times the rest of the person, a floor `outside`."""
    inside = mask.astype(np.float32) / 255
    weights = outside + (PERSON_WEIGHT - outside) * inside
    x, y, w, h = (max(0, edge) for edge in face_box)
    weights[y : y + h, x : x + w] = face * PERSON_WEIGHT
    return (weights / weights.mean()).astype(np.float32)


def _example(
    picture: RGB, weights: NDArray[np.float32], box: tuple[int, int, int, int], size: tuple[int, int], caption: str
) -> Example:
    """The part of a picture in a box, at this size, and its weights with a mean of 1."""
    x, y, w, h = box
    weight = cv2.resize(weights[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA).astype(np.float32)
    cut = _cut(picture, box, size)
    return Example(cut, weight / weight.mean(), caption, crop_left=x, crop_top=y, original_size=size)


def _cut(pixels: RGB, box: tuple[int, int, int, int], size: tuple[int, int]) -> RGB:
    """The part of a picture in a box, brought to this width and height."""
    x, y, w, h = box
    way = cv2.INTER_AREA if size[0] <= w else cv2.INTER_CUBIC
    return RGB(cv2.resize(pixels[y : y + h, x : x + w], size, interpolation=way).astype(np.uint8))
