"""Framing: where the head stands in a candidate, so that every cut of a request fits into the picture. Pure.

A pose is kept as a skeleton of OpenPose's 18 joints. Relative to a head, an unit is that head's height (chin to crown)
and the origin lies between the eyes; relative to a picture, x is a share of its width and y of its height.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Annotated

from pydantic import Field

from .layouts import LAYOUTS, LayoutName
from .model import Contract

JOINTS = 18
# A joint may lie outside a picture, but nobody's foot is sixteen heads away.
FARTHEST = 16
Coordinate = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)]
Joint = tuple[Coordinate, Coordinate]
# None: not seen.
Skeleton = Annotated[tuple[Joint | None, ...], Field(min_length=JOINTS, max_length=JOINTS)]

# Base models don't draw a head exactly where a pose map has it: so much more room than the layouts need, in per cent.
MARGIN = 6
# Of the height that no layout needs, the share that is left above the head.
SPARE_ABOVE = 0.25
# Whatever the layouts, so much is seen below the eyes: the shoulders with it, or the body is left to chance.
SHOULDERS = 1.2
# The face's box (hairline to chin) is so much of the head's height (chin to crown) in a mean adult.
FACE_IN_HEAD = 180 / 230
PER_CENT = 100
# So much less than a whole per cent is none.
ROUNDING = 1e-6


class HeadRoom(Contract):
    """What must be seen around a head, in per cent of its height: above and below the eyes, and to either side.

    `face`: the greatest height of the face's box, hairline to chin, in per cent of the picture's.
    """

    above: int = Field(ge=1, le=1000)
    below: int = Field(ge=1, le=1000)
    aside: int = Field(ge=1, le=1000)
    face: int = Field(ge=1, le=100)

    def covers(self, other: HeadRoom) -> bool:
        """Whether what the other asks for is seen too."""
        return self.above >= other.above and self.below >= other.below and self.aside >= other.aside


@dataclass(frozen=True)
class Head:
    """A head in pixels: height from chin to crown, height of the eye line from the upper edge, middle from the left."""

    height: float
    eyes: float
    middle: float


class HeadPlace(Contract):
    """A head relative to a picture: `height` and `eyes` in shares of its height, `middle` in shares of its width."""

    height: float = Field(gt=0.001, le=FARTHEST)
    eyes: Coordinate
    middle: Coordinate

    @classmethod
    def of(cls, head: Head, width: int, height: int) -> HeadPlace:
        """Of a head in a picture of so many pixels. Raises ValueError for one that is far outside, or hardly there."""
        tall, eyes, middle = head.height / height, head.eyes / height, head.middle / width
        return cls(height=round(tall, 5), eyes=round(eyes, 5), middle=round(middle, 5))

    def within(self, width: int, height: int) -> Head:
        """The head in a picture of so many pixels."""
        return Head(height=self.height * height, eyes=self.eyes * height, middle=self.middle * width)


def room_for(layouts: Iterable[LayoutName], face_percent: int) -> HeadRoom:
    """The room that all the layouts need together; the face no larger than the adapter learnt it, `face_percent`."""
    wanted = [LAYOUTS[name] for name in layouts]
    above = max((100 - layout.eye_line) / layout.head_share for layout in wanted)
    below = max(SHOULDERS, *(layout.eye_line / layout.head_share for layout in wanted))
    aside = max(layout.width_mm / layout.height_mm / 2 / (layout.head_share / 100) for layout in wanted)
    return HeadRoom(
        above=ceil(PER_CENT * above - ROUNDING),
        below=ceil(PER_CENT * below - ROUNDING),
        aside=ceil(PER_CENT * aside - ROUNDING),
        face=face_percent,
    )


# For what was resolved by a version that knew no room.
WIDEST_ROOM = room_for(LayoutName, face_percent=60)


def head_in(room: HeadRoom, width: int, height: int) -> Head:
    """The largest head of a picture of so many pixels that has the room around it, in the middle, with a margin."""
    need = 1 + MARGIN / PER_CENT
    tall, wide = (room.above + room.below) / PER_CENT * need, 2 * room.aside / PER_CENT * need
    size = min(height / tall, width / wide, height * room.face / PER_CENT / FACE_IN_HEAD)
    spare = height - size * tall
    return Head(height=size, eyes=size * room.above / PER_CENT * need + SPARE_ABOVE * spare, middle=width / 2)


def placed(skeleton: Skeleton, head: Head, width: int, height: int) -> Skeleton:
    """A skeleton relative to a head as one relative to a picture of so many pixels, in which the head stands there.

    What would lie far outside is not seen.
    """
    return tuple(
        _bounded((head.middle + joint[0] * head.height) / width, (head.eyes + joint[1] * head.height) / height)
        if joint is not None
        else None
        for joint in skeleton
    )


def relative_to(head: Head, skeleton: Skeleton, width: int, height: int) -> Skeleton:
    """The other way: a skeleton relative to a picture of so many pixels as one relative to a head in it."""
    return tuple(
        _bounded((joint[0] * width - head.middle) / head.height, (joint[1] * height - head.eyes) / head.height)
        if joint is not None
        else None
        for joint in skeleton
    )


def _bounded(x: float, y: float) -> Joint | None:
    return (round(x, 5), round(y, 5)) if max(abs(x), abs(y)) <= FARTHEST else None
