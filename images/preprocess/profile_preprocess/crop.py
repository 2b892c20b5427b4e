"""Where a photo is cut for training: aspect buckets of one area, with room above the head."""

from __future__ import annotations

from dataclasses import dataclass

# Portraits are between these; a wider or taller photo is cut.
WIDEST = 4 / 3
TALLEST = 3 / 4
# Share of the crop's height that the face's box takes: head and shoulders. The head with hair is about 1.35 boxes.
FACE_SHARE = 0.40
# Where the middle of the face's box lies, from the upper edge, as a share of the crop's height.
FACE_MIDDLE = 0.42


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
    found = {(_rounded(resolution, step), _rounded(resolution, step))}
    for width in range(step, 2 * resolution, step):
        height = _rounded(resolution * resolution / width, step)
        if TALLEST <= width / height <= WIDEST:
            found.add((width, height))
    return sorted(found)


def _rounded(value: float, step: int) -> int:
    return max(step, step * round(value / step))


def bucket_for(width: int, height: int, resolution: int) -> tuple[int, int]:
    """The bucket whose aspect is nearest to a photo's."""
    aspect = min(max(width / height, TALLEST), WIDEST)
    return min(buckets(resolution), key=lambda size: abs(size[0] / size[1] - aspect))


def cut_to(width: int, height: int, face: tuple[float, float, float, float], size: tuple[int, int]) -> Cut:
    """Where to cut for a given output size: head and shoulders, or as much of them as the photo has."""
    x, y, w, h = face
    aspect = size[0] / size[1]
    # Wide enough for the face whatever the aspect, never larger than the photo.
    wanted = max(h / FACE_SHARE, 1.6 * w / aspect)
    tall = min(wanted, height, width / aspect)
    wide = tall * aspect
    left = min(max(x + w / 2 - wide / 2, 0.0), width - wide)
    top = min(max(y + h / 2 - FACE_MIDDLE * tall, 0.0), height - tall)
    return Cut(left=left, top=top, width=wide, height=tall, out_width=size[0], out_height=size[1])
