"""A step that is broken along the order of a JPEG's blocks is damage; every other step is a picture's own."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from profile_vision.seam import BROKEN_LEVELS, broken_step

BLOCK = (16, 8)
ROWS, COLUMNS = 12, 10


def picture(seed: int = 3) -> NDArray[np.float64]:
    """Smooth light, 96 x 160 pixels, a little noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0 : ROWS * BLOCK[1], 0 : COLUMNS * BLOCK[0]]
    light = 110 + 40 * np.sin(x / 23) + 30 * np.cos(y / 17 + x / 40)
    return np.stack([light, light * 0.8 + 10, light * 0.6 + 20], axis=-1) + random.normal(0, 1.5, (*light.shape, 3))


def shifted_from(row: int, column: int, levels: float) -> NDArray[np.uint8]:
    """As a wrong difference leaves it: all blocks from one on are lighter."""
    values = picture()
    values[row * BLOCK[1] : (row + 1) * BLOCK[1], column * BLOCK[0] :] += levels
    values[(row + 1) * BLOCK[1] :] += levels
    return np.clip(values, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("column", [1, 2, 5, 8, 9])
@pytest.mark.parametrize("levels", [-12.0, 7.0, 40.0])
def test_a_shift_from_one_block_on_is_a_broken_step(column: int, levels: float) -> None:
    assert broken_step(shifted_from(5, column, levels), BLOCK)


def test_a_whole_picture_has_none() -> None:
    assert not broken_step(np.clip(picture(), 0, 255).astype(np.uint8), BLOCK)


def test_a_shift_that_nobody_sees_is_let_pass() -> None:
    assert not broken_step(shifted_from(5, 4, BROKEN_LEVELS / 2), BLOCK)


@pytest.mark.parametrize("levels", [-60.0, 15.0, 90.0])
def test_an_edge_from_side_to_side_is_a_horizon_or_a_bar(levels: float) -> None:
    assert not broken_step(shifted_from(5, 0, levels), BLOCK)


def test_a_step_that_goes_on_in_no_other_row_is_a_thing_in_the_picture() -> None:
    values = picture()
    values[5 * BLOCK[1] :, 4 * BLOCK[0] :] += 30
    assert not broken_step(np.clip(values, 0, 255).astype(np.uint8), BLOCK)


def test_stairs_go_down_by_more_than_a_row_of_blocks() -> None:
    values = picture()
    values[5 * BLOCK[1] : 8 * BLOCK[1], 4 * BLOCK[0] :] += 30
    values[8 * BLOCK[1] :] += 30
    assert not broken_step(np.clip(values, 0, 255).astype(np.uint8), BLOCK)


@pytest.mark.parametrize("shape", [(7, 160, 3), (16, 160, 3), (96, 15, 3), (96, 48, 3)])
def test_a_picture_of_few_blocks_tells_nothing(shape: tuple[int, int, int]) -> None:
    assert not broken_step(np.full(shape, 120, np.uint8), BLOCK)


def test_grey_pictures_are_looked_at_as_well() -> None:
    assert broken_step(shifted_from(4, 6, 20.0)[..., :1], BLOCK)
