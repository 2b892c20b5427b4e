"""Rows of an order: its items with their pictures and poses brought to its size, wherever it is drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageOps

from profile_contract.framing import Skeleton
from profile_contract.generation import GenerationItem, GenerationOrder, ReadGrant
from profile_vision.pixels import RGB, to_bgr, to_rgb
from profile_vision.poses import pose_map
from profile_vision.windows import framed

from .adapters.weights import RowAdapters
from .rows import Row

# Opens a picture that an item brings for a picture of this width and height: a pose map of that size, a photo of any.
Opening = Callable[[ReadGrant, tuple[int, int]], Image.Image]


def row_of(order: GenerationOrder, index: int, adapters: RowAdapters, *, pose: Opening, photo: Opening) -> Row:
    """The item of this index, drawn with these adapters. Raises what `pose` and `photo` raise."""
    item, size = order.items[index], (order.width, order.height)
    skeleton = pose(item.pose, size) if item.pose is not None else None
    initial, joints = None, item.joints
    if item.initial_image is not None:
        initial, joints = initial_picture(photo(item.initial_image, size), item, size)
    if joints is not None:
        skeleton = drawn_pose(joints, order)
    return Row(
        index=index,
        seed=item.seed,
        prompt=item.prompt,
        key=item.key,
        negative_prompt=item.negative_prompt,
        adapters=tuple(adapters),
        pose=skeleton,
        joints=joints,
        initial_image=initial,
    )


def drawn_pose(joints: Skeleton, order: GenerationOrder) -> Image.Image:
    """The pose map of an item's joints, in the size of its order."""
    return Image.fromarray(pose_map(joints, order.width, order.height, order.pose_line_thousandths))


def fitted_pose(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A pose map of this width and height. Where the aspect differs black is added instead of stretching the person.

    None of it below: a portrait's body leaves the picture at its lower edge.
    """
    return ImageOps.pad(picture, size, Image.Resampling.BILINEAR, color=(0, 0, 0), centering=(0.5, 1.0))


def fitted_photo(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """An initial image of this width and height, cut where the aspect differs, less above, where heads are."""
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS, centering=(0.5, 0.3))


def initial_picture(
    picture: Image.Image, item: GenerationItem, size: tuple[int, int]
) -> tuple[Image.Image, Skeleton | None]:
    """What an item is drawn over, of this width and height, and its joints relative to that."""
    if item.framing is None:
        return fitted_photo(picture, size), item.joints
    pixels, window = framed(to_bgr(RGB(np.asarray(picture.convert("RGB")))), item.framing, *size)
    joints = window.joints(item.joints, *picture.size) if item.joints is not None else None
    return Image.fromarray(to_rgb(pixels)), joints
