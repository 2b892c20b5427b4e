"""Describer: the captioner that says what the networks of preprocessing and plain statistics of pixels tell surely.

The person mask parts backdrop from clothes, the face's points lead to mouth and eyes, whose shapes are read as
`covering` reads them. How glasses and smiles were fitted, and how often it is wrong: `profile_workshop.describing`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_vision import Face
from profile_vision.pixels import BGR

from .captions import CaptionedCrop, Remarks
from .colour_words import Lab, colour_word, lab_of
from .covering import EYES_PART, MOUTH_PART, Part, shapes, upright_face

FITTED = Path(__file__).with_name("described.npz")
# Frontal enough for mouth and eyes to have the shapes that were learnt.
MOST_YAW = 30.0
# The fitted rules say about 1 and -1; what lies between these is not said. Tuned: `profile_workshop.describing`.
GLASSES, NO_GLASSES = 0.6, -0.3
SMILE = 0.9

# Pictures are looked at with this longer edge: texture is coarser than that, and noise is gone.
EDGE = 256
# Mask values: surely the person, surely not; and how far the mask's own edge is left alone, in pixels of the copy.
INSIDE, OUTSIDE, RIM = 230, 25, 5
# Shares of the copy's pixels that are enough to speak of.
LEAST_BACKDROP, LEAST_CLOTHES = 0.08, 0.03
# A plain wall: what is left of its lightness when light that falls off is taken away, in CIE L*, and its colours'
# spread. Busy: so much at least. Between them nobody is sure.
PLAIN, PLAIN_COLOURS, BUSY = 4.0, 5.0, 12.0
# Clothes have one colour if so many of their pixels are called so.
ONE_COLOUR = 0.6
# Pixels as near to the cheeks' colour as this (CIELAB a*, b*) may be skin.
SKIN = 9.0


class Describer:
    """A captioner."""

    def remarks(self, crop: CaptionedCrop) -> Remarks:
        """Expression, glasses, clothes and backdrop, each where it is sure."""
        scale = EDGE / max(crop.pixels.shape[:2])
        small = cv2.resize(crop.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(crop.mask, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_AREA)
        picture, box = BGR(small.astype(np.uint8)), [value * scale for value in crop.face.box]
        turned = abs(crop.yaw) > MOST_YAW
        return Remarks(
            expression="" if turned else expression(crop.pixels, crop.face),
            glasses=None if turned else glasses(crop.pixels, crop.face),
            clothes=clothes(picture, np.asarray(mask, np.uint8), box),
            backdrop=backdrop(picture, np.asarray(mask, np.uint8)),
        )


def expression(image: BGR, face: Face) -> str:
    """'smiling', or nothing."""
    return "smiling" if _told(image, face, MOUTH_PART, "smile") > SMILE else ""


def glasses(image: BGR, face: Face) -> bool | None:
    """Whether glasses are worn; None where that is not sure."""
    value = _told(image, face, EYES_PART, "glasses")
    return True if value > GLASSES else False if value < NO_GLASSES else None


def backdrop(image: BGR, mask: NDArray[np.uint8]) -> str:
    """What is behind the person: 'plain light grey background', 'busy background', or nothing."""
    outside = cv2.erode((mask < OUTSIDE).astype(np.uint8), np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)) > 0
    if outside.mean() < LEAST_BACKDROP:
        return ""
    lab = lab_of(image).reshape(*image.shape[:2], 3)
    rows, columns = np.nonzero(outside)
    colours = lab[rows, columns].astype(np.float64)
    left = _without_slope(colours[:, 0], rows, columns)
    if left > BUSY:
        return "busy background"
    if left > PLAIN or float(colours[:, 1:].std(axis=0).max()) > PLAIN_COLOURS:
        return ""
    word = colour_word(Lab(*np.median(colours, axis=0).tolist()))
    return f"plain {word} background" if word else "plain background"


def _without_slope(lightness: NDArray[np.float64], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> float:
    """The spread of lightness that no plane explains: light on a wall falls off, and is no pattern."""
    table = np.column_stack([rows, columns, np.ones(len(rows))])
    plane = np.linalg.lstsq(table, lightness, rcond=None)[0]
    return float((lightness - table @ plane).std())


def clothes(image: BGR, mask: NDArray[np.uint8], box: list[float]) -> str:
    """The clothes below the chin, where most of them have one colour: 'dark blue clothes', or nothing.

    `box` of the face: x, y, width, height.
    """
    x, y, w, h = box
    top, left, right = int(y + 1.35 * h), int(max(0, x - 0.6 * w)), int(x + 1.6 * w)
    part = np.s_[max(0, top) :, left : max(left, right)]
    worn = cv2.erode((mask > INSIDE).astype(np.uint8), np.ones((3, 3), np.uint8))[part] > 0
    if worn.sum() < LEAST_CLOTHES * mask.size:
        return ""
    blurred = cv2.GaussianBlur(image, (0, 0), 2).astype(np.uint8)
    colours = lab_of(blurred[part][worn])
    cheeks = blurred[int(y + 0.5 * h) : int(y + 0.75 * h), int(x + 0.2 * w) : int(x + 0.8 * w)]
    if cheeks.size:
        skin = np.median(lab_of(cheeks), axis=0)
        colours = colours[np.hypot(*(colours[:, 1:] - skin[1:]).T) > SKIN]
    if len(colours) < ONE_COLOUR * worn.sum():
        return ""
    words, counts = np.unique(
        [colour_word(Lab(*row)) for row in colours[:: max(1, len(colours) // 400)].tolist()], return_counts=True
    )
    most = int(np.argmax(counts))
    sure = words[most] and counts[most] > ONE_COLOUR * counts.sum()
    return f"{words[most]} clothes" if sure else ""


def _told(image: BGR, face: Face, part: Part, what: str) -> float:
    """What the fitted rule says: about 1 for what is there, about -1 for what is not."""
    weights = _fitted()[what]
    return float(shapes(upright_face(image, face), part) @ weights[:-1] + weights[-1])


@cache
def _fitted() -> dict[str, NDArray[np.float32]]:
    with np.load(FITTED, allow_pickle=False) as file:
        return {name: file[name].astype(np.float32) for name in ("smile", "glasses")}
