"""Where a photo is cut for training: aspect buckets of one area, with room above the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from profile_contract.framing import Head

from .joints import Joints

# Portraits are between these; a wider or taller photo is cut.
WIDEST = 4 / 3
TALLEST = 3 / 4
# What a portrait may show around a head, in heads: above and below the eyes, and to either side.
ABOVE, BELOW, ASIDE = 2.0, 3.0, 2.0


@dataclass(frozen=True)
class Framing:
    """How large the face's box is in a crop, as a share of its height: .4 is head and shoulders.

    The head with hair is about 1.35 boxes.
    """

    face: float

    @property
    def middle(self) -> float:
        """Where the middle of the face's box lies, from the upper edge, as a share of the height.

        A larger face lies lower, so that there is room for the hair: a tenth of the height above the head.
        """
        return 0.18 + 0.6 * self.face


@dataclass(frozen=True)
class Cut:
    """A rectangle in pixels of the photo (it always lies inside) and the size it is brought to."""

    left: float
    top: float
    width: float
    height: float
    out_width: int
    out_height: int

    @property
    def scale(self) -> float:
        """Pixels of the crop per pixel of the photo."""
        return self.out_width / self.width

    def joints(self, joints: Joints) -> Joints:
        """COCO's joints (17, 3) of the photo in pixels of the crop."""
        moved = joints.copy()
        moved[:, :2] = (joints[:, :2] - np.array([self.left, self.top], dtype=np.float32)) * self.scale
        return moved

    def head(self, head: Head) -> Head:
        """A head of the photo in pixels of the crop."""
        scale = self.scale
        return Head(head.height * scale, (head.eyes - self.top) * scale, (head.middle - self.left) * scale)

    def box(self, box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
        """A box of the photo in pixels of the crop: x, y, w, h."""
        x, y, w, h = box
        moved = ((x - self.left) * self.scale, (y - self.top) * self.scale, w * self.scale, h * self.scale)
        return (round(moved[0]), round(moved[1]), round(moved[2]), round(moved[3]))


def buckets(resolution: int) -> list[tuple[int, int]]:
    """Sizes (width, height) of about resolution² pixels, from 3:4 to 4:3, in steps that a UNet halves without rest.

    SDXL's own buckets step by 64. Below 512 that leaves only the square, so steps of 32 are taken: latents are an
    eighth of that, and the UNet halves them twice.
    """
    step = 64 if resolution >= 512 else 32
    if resolution < step:
        return [(resolution, resolution)]
    sizes = {(_rounded(resolution, step), _rounded(resolution, step))}
    for width in range(step, 2 * resolution, step):
        height = _rounded(resolution * resolution / width, step)
        if TALLEST <= width / height <= WIDEST:
            sizes.add((width, height))
    return sorted(sizes)


def _rounded(value: float, step: int) -> int:
    return max(step, step * round(value / step))


def bucket_for(width: int, height: int, resolution: int) -> tuple[int, int]:
    """The bucket whose aspect is nearest to a photo's."""
    aspect = min(max(width / height, TALLEST), WIDEST)
    return min(buckets(resolution), key=lambda size: abs(size[0] / size[1] - aspect))


def cut_to(
    width: int, height: int, face: tuple[float, float, float, float], size: tuple[int, int], framing: Framing
) -> Cut:
    """Where to cut for a given output size: head and shoulders, or as much of them as the photo has."""
    x, y, w, h = face
    aspect = size[0] / size[1]
    # Wide enough for the face whatever the aspect, never larger than the photo.
    wanted = max(h / framing.face, 1.6 * w / aspect)
    tall = min(wanted, height, width / aspect)
    wide = tall * aspect
    left = min(max(x + w / 2 - wide / 2, 0.0), width - wide)
    top = min(max(y + h / 2 - framing.middle * tall, 0.0), height - tall)
    return Cut(left=left, top=top, width=wide, height=tall, out_width=size[0], out_height=size[1])


def widest_cut(width: int, height: int, head: Head, resolution: int) -> Cut:
    """As much of a photo as any portrait shows around its head, of at most four times resolution² pixels and never
    enlarged."""
    left, right = (min(max(head.middle + reach * head.height, 0.0), float(width)) for reach in (-ASIDE, ASIDE))
    top, bottom = (min(max(head.eyes + reach * head.height, 0.0), float(height)) for reach in (-ABOVE, BELOW))
    wide, tall = max(right - left, 1.0), max(bottom - top, 1.0)
    scale = min(1.0, (4 * resolution**2 / (wide * tall)) ** 0.5)
    return Cut(left, top, wide, tall, max(1, round(wide * scale)), max(1, round(tall * scale)))
