"""Pictures and poses brought to an order's size, wherever an order is drawn."""

from __future__ import annotations

from PIL import Image, ImageOps

from profile_contract.framing import Skeleton
from profile_contract.generation import GenerationOrder
from profile_vision.poses import pose_map


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
