"""Rows of an order: its items with their pictures and poses brought to its size, wherever it is drawn."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageOps

from profile_contract.framing import Skeleton
from profile_contract.generation import GenerationOrder, ReadGrant
from profile_vision.poses import pose_map

from .adapters.weights import RowAdapters
from .rows import Row

# Opens a picture that an item brings, and brings it to this width and height.
Opening = Callable[[ReadGrant, tuple[int, int]], Image.Image]


def row_of(order: GenerationOrder, index: int, adapters: RowAdapters, *, pose: Opening, photo: Opening) -> Row:
    """The item of this index, drawn with these adapters. Raises what `pose` and `photo` raise."""
    item, size = order.items[index], (order.width, order.height)
    skeleton = pose(item.pose, size) if item.pose is not None else None
    if item.joints is not None:
        skeleton = drawn_pose(item.joints, order)
    return Row(
        index=index,
        seed=item.seed,
        prompt=item.prompt,
        key=item.key,
        negative_prompt=item.negative_prompt,
        adapters=tuple(adapters),
        pose=skeleton,
        joints=item.joints,
        initial_image=photo(item.initial_image, size) if item.initial_image is not None else None,
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
