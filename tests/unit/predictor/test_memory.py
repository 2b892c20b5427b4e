"""Memory that runs out while pictures are drawn: rows are halved, and what fitted is remembered."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from predictor_world import order, world
from profile_contract.style import Mode
from profile_draw.errors import Refused, Unavailable
from profile_draw.rows import Row, Shape
from profile_predictor.engine.at_once import RowsAtOnce

SHAPE = Shape(64, 96, 2, 5.0, Mode.TEXT_TO_IMAGE, 0.0, has_pose=True, control_weight=1.0, control_end=1.0)
ROWS = [Row(number, seed=number, prompt="") for number in range(8)]


class Accelerator:
    """Holds so many rows at once; `tiles` more when it saves memory. `alive`: a tensor of each call."""

    def __init__(self, room: int, tiles: int = 0) -> None:
        self.room, self.tiles = room, tiles
        self.asked: list[int] = []
        self.alive: list[weakref.ref[torch.Tensor]] = []

    def draw(self, shape: Shape, rows: Sequence[Row], wanted: Callable[[], bool]) -> np.ndarray:
        assert all(reference() is None for reference in self.alive), "what failed before is gone"
        activations = torch.zeros(3)
        self.alive.append(weakref.ref(activations))
        self.asked.append(len(rows))
        if len(rows) > self.room:
            raise torch.OutOfMemoryError("full")
        return np.stack([np.full((shape.height, shape.width, 3), row.seed, np.uint8) for row in rows])

    def save(self) -> None:
        self.room += self.tiles


def drawn(at_once: RowsAtOnce, shape: Shape = SHAPE, rows: Sequence[Row] = ROWS) -> list[int]:
    return [int(picture[0, 0, 0]) for picture in at_once.draw(shape, rows, lambda: True)]


@pytest.mark.parametrize(
    ("room", "asked"), [(8, [8]), (4, [8, 4, 4]), (3, [8, 4, 2, 2, 2, 2]), (1, [8, 4, 2] + [1] * 8)]
)
def test_rows_are_halved_until_they_fit_and_that_is_remembered(room: int, asked: list[int]) -> None:
    gc.disable()
    try:
        accelerator = Accelerator(room)
        at_once = RowsAtOnce(accelerator.draw, accelerator.save)
        assert drawn(at_once) == list(range(8))
    finally:
        gc.enable()
    assert accelerator.asked == asked
    most = asked[-1]
    assert drawn(at_once) == list(range(8))
    assert accelerator.asked[len(asked) :] == [most] * (8 // most), "what did not fit is not tried again"
    other = replace(SHAPE, width=32)
    accelerator.asked.clear()
    drawn(at_once, other)
    assert accelerator.asked[0] == 8, "another size may fit"


def test_a_single_row_is_decoded_in_tiles_before_it_is_refused() -> None:
    accelerator = Accelerator(room=0, tiles=1)
    assert drawn(RowsAtOnce(accelerator.draw, accelerator.save), rows=ROWS[:2]) == [0, 1]
    assert accelerator.asked == [2, 1, 1, 1]


def test_what_never_fitted_is_refused_and_what_did_may_be_asked_again() -> None:
    accelerator = Accelerator(room=0)
    at_once = RowsAtOnce(accelerator.draw, accelerator.save)
    with pytest.raises(Refused, match="smaller"):
        drawn(at_once, rows=ROWS[:1])
    accelerator.room = 1
    assert drawn(at_once, rows=ROWS[:1]) == [0]
    accelerator.room = 0
    with pytest.raises(Unavailable, match="later"):
        drawn(at_once, rows=ROWS[:1])


async def test_an_order_of_four_is_answered_where_two_fit() -> None:
    with world() as found:
        found.pipeline.room = 2
        replies = await asyncio.gather(*(found.client.order(order(seeds=range(1, 5))) for _ in range(2)))
        assert [len(reply.result["items"]) for reply in replies] == [4, 4]
        found.pipeline.room = 1000
        alone = await found.client.order(order(seeds=range(1, 5)))
        assert alone.result["items"] == replies[0].result["items"]


async def test_what_does_not_fit_is_refused_by_400_and_later_by_503() -> None:
    with world() as found:
        found.pipeline.room = 0
        reply = await found.client.order(order())
        assert (reply.status, "smaller" in reply.error) == (400, True)
        found.pipeline.room = 1
        assert (await found.client.order(order())).status == 200
        found.pipeline.room = 0
        assert (await found.client.order(order())).status == 503
