"""Orders cut into pieces that can share a batch. Pure, but for the pictures that rows carry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from profile_contract.framing import Skeleton
from profile_contract.generation import POSE_LINE, DetailOrder, GenerationOrder
from profile_contract.style import Mode, SamplerName

from .errors import Refused

if TYPE_CHECKING:
    from PIL.Image import Image

    from .adapters.weights import AdapterWeights


@dataclass(frozen=True)
class Shape:
    """All that the rows of one batch have in common.

    `chunks`: how many times CLIP's length the longest prompt of a row has. `sampler` None: the model's own.
    """

    width: int
    height: int
    steps: int
    guidance: float
    mode: Mode
    strength: float
    has_pose: bool
    control_weight: float
    control_end: float
    chunks: int = 1
    sampler: SamplerName | None = None

    @property
    def guided(self) -> bool:
        """Whether classifier-free guidance doubles the rows (diffusers does above 1)."""
        return self.guidance > 1


@dataclass(frozen=True)
class Row:
    """One candidate to draw; `index` is its place in the order. `joints`, relative to the picture: of its pose map.

    `adapters`: who and what is drawn, each with its weight; none: the base model draws it.
    """

    index: int
    seed: int
    prompt: str
    key: str = ""
    negative_prompt: str = ""
    adapters: tuple[tuple[AdapterWeights, float], ...] = ()
    pose: Image | None = field(default=None, repr=False, compare=False)
    initial_image: Image | None = field(default=None, repr=False, compare=False)
    joints: Skeleton | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Piece:
    """Rows of one order with one shape.

    `detail`: the second pass over their faces, which is no part of the shape: who wants none shares the first.
    `pose_line`: of its pose maps, in thousandths of the longer edge. `upscale`: how many times its edges each picture
    is enlarged; None: it is not.
    """

    shape: Shape
    rows: tuple[Row, ...]
    detail: DetailOrder | None = None
    pose_line: int = POSE_LINE
    upscale: int | None = None

    @cached_property
    def digests(self) -> frozenset[str]:
        """The sha256 of every adapter that a row is drawn with."""
        return frozenset(adapter.sha256 for row in self.rows for adapter, _ in row.adapters)

    def cut(self, limit: int) -> list[Piece]:
        """The same rows in pieces of at most `limit`."""
        starts = range(0, len(self.rows), limit)
        return [replace(self, rows=self.rows[start : start + limit]) for start in starts]


def shape_of(order: GenerationOrder, *, has_pose: bool, chunks: int = 1) -> Shape:
    """The shape of an order's rows with or without pose; what does not matter to them is set to one value."""
    drawn_over = order.mode == Mode.IMAGE_TO_IMAGE
    return Shape(
        width=order.width,
        height=order.height,
        steps=order.steps,
        guidance=order.guidance,
        mode=order.mode,
        strength=order.strength if drawn_over else 0.0,
        has_pose=has_pose,
        control_weight=order.control_weight if has_pose else 0.0,
        control_end=order.control_end if has_pose else 0.0,
        chunks=chunks,
        sampler=order.sampler,
    )


def check(order: GenerationOrder, *, has_control: bool) -> None:
    """Raises Refused for an order that no batch can carry out."""
    drawn_over = order.mode == Mode.IMAGE_TO_IMAGE
    if drawn_over and int(order.steps * order.strength) < 1:
        raise Refused(f"{order.steps} steps at strength {order.strength:g} leave no step to draw: raise one of them")
    detail = order.detail
    if detail is not None and int(detail.steps * detail.strength) < 1:
        raise Refused(
            f"{detail.steps} steps at strength {detail.strength:g} leave no step for the second pass over faces: raise "
            "one of them"
        )
    for number, item in enumerate(order.items):
        if drawn_over and item.initial_image is None:
            raise Refused(f"items[{number}] has no initialImage, which the mode {order.mode} needs")
        if not drawn_over and item.initial_image is not None:
            raise Refused(f"items[{number}] has an initialImage, which the mode {order.mode} does not use")
        if item.framing is not None and item.initial_image is None:
            raise Refused(f"items[{number}] has a framing, but no initialImage that could be framed")
        if item.joints is not None and item.pose is not None:
            raise Refused(f"items[{number}] has joints and a pose: say one of them")
        if item.posed and not has_control:
            raise Refused(f"items[{number}] has a pose, but this predictor was started without a control model")


def by_pose(order: GenerationOrder) -> dict[bool, list[int]]:
    """Which items follow a pose and which do not: they take different pipelines.

    A pose of no weight, or of no steps, is none: diffusers refuses an end of 0.
    """
    followed = order.control_end > 0 and order.control_weight > 0
    groups: dict[bool, list[int]] = {}
    for index, item in enumerate(order.items):
        groups.setdefault(followed and item.posed, []).append(index)
    return groups


def by_length(indices: Sequence[int], chunks: Sequence[int]) -> dict[int, list[int]]:
    """Which of these items have prompts of how many chunks (`chunks` is for all of an order's items)."""
    groups: dict[int, list[int]] = {}
    for index in indices:
        groups.setdefault(chunks[index], []).append(index)
    return groups


def chunks_of(order: GenerationOrder, count: Callable[[str], int]) -> list[int]:
    """How many chunks each item's prompts take: those of the longer one. The negative one is not read without guidance.

    `count`: of one prompt.
    """
    guided = order.guidance > 1
    return [max(map(count, [item.prompt, *([item.negative_prompt] if guided else [])])) for item in order.items]


def pieces_of(order: GenerationOrder, rows: Sequence[Row], chunks: Sequence[int]) -> list[Piece]:
    """All rows of an order, those of one shape in one piece, however many."""
    return [
        Piece(
            shape_of(order, has_pose=has_pose, chunks=length),
            tuple(rows[index] for index in alike),
            order.detail,
            order.pose_line_thousandths,
            order.upscale,
        )
        for has_pose, indices in by_pose(order).items()
        for length, alike in by_length(indices, chunks).items()
    ]


def next_batch(waiting: Sequence[Piece], limit: int, slots: int) -> list[int]:
    """Which of the waiting pieces (first come first) are drawn together: positions in `waiting`.

    The first one is always among them, so nobody starves; later ones of the same shape join while there is room for
    their rows and a slot for their adapters.
    """
    if not waiting:
        return []
    first = waiting[0]
    chosen, rows = [0], len(first.rows)
    digests = first.digests
    for position, piece in enumerate(waiting[1:], start=1):
        together = digests | piece.digests
        if piece.shape == first.shape and rows + len(piece.rows) <= limit and len(together) <= slots:
            chosen.append(position)
            rows += len(piece.rows)
            digests = together
    return chosen
