"""Pictures enlarged by a small network of a real architecture with random weights, read from a file as others' are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from spandrel.architectures.ESRGAN import ESRGAN

from page_commands import PAGES, lines
from profile_draw.errors import Unavailable, Unwanted
from profile_draw.upscaling import MARGIN, SMALLEST_TILE, Upscaler, tiles
from profile_runtime.weights import WeightsError, write_sums
from profile_vision.pixels import RGB

NAME = "small-esrgan"


def write_upscaler(models: Path, scale: int = 4, name: str = NAME) -> Path:
    """A folder with an ESRGAN of eight channels and one block, whose random weights are always the same."""
    torch.manual_seed(scale)
    network = ESRGAN(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=scale)
    folder = models / name
    folder.mkdir(parents=True)
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, folder / "weights.safetensors")
    return folder


@pytest.fixture
def upscaler(tmp_path: Path) -> Upscaler:
    write_upscaler(tmp_path)
    return Upscaler.load(tmp_path, NAME, torch.device("cpu"))


def picture(height: int = 150, width: int = 100) -> RGB:
    """Skin above, dark cloth below, with a little grain."""
    colours = np.where(np.arange(height)[:, None, None] < height // 2, [196, 150, 128], [40, 44, 66])
    grain = np.random.default_rng(3).integers(-8, 9, (height, width, 1))
    return RGB((np.broadcast_to(colours, (height, width, 3)) + grain).astype(np.uint8))


@pytest.mark.parametrize("times", [2, 4])
def test_a_picture_becomes_so_many_times_as_large(upscaler: Upscaler, times: int) -> None:
    assert upscaler.most == 4
    large = upscaler.enlarge(picture(), times)
    assert large.shape == (150 * times, 100 * times, 3)
    assert large.dtype == np.uint8


@pytest.mark.parametrize("times", [2, 4])
def test_colours_stay_whatever_the_network_makes_of_them(upscaler: Upscaler, times: int) -> None:
    small = picture(160, 128)
    large = upscaler.enlarge(small, times)
    assert np.abs(large.mean(axis=(0, 1)) - small.mean(axis=(0, 1))).max() < 1
    # Also each part's own: the skin stays skin, and the cloth cloth, although this network makes one grey of both.
    for rows in (slice(0, 64), slice(96, 160)):
        part = large[rows.start * times : rows.stop * times]
        assert np.abs(part.mean(axis=(0, 1)) - small[rows].mean(axis=(0, 1))).max() < 6


def test_tiles_leave_no_seams(upscaler: Upscaler) -> None:
    small = picture(200, 150)
    whole = Upscaler(upscaler._network, NAME, tile=512).enlarge(small, 4).astype(int)
    tiled = Upscaler(upscaler._network, NAME, tile=64).enlarge(small, 4).astype(int)
    assert np.abs(whole - tiled).max() <= 1
    # The network did something: the picture is no plain copy.
    assert np.abs(whole - np.repeat(np.repeat(small, 4, 0), 4, 1)).mean() > 0.5


def test_tiles_cover_a_picture_once_and_see_beyond_their_edges() -> None:
    seen = np.zeros((300, 130), int)
    for tile in tiles(300, 130, 64, 10):
        top, bottom, left, right = tile.inner
        seen[top:bottom, left:right] += 1
        assert tile.outer == (max(top - 10, 0), min(bottom + 10, 300), max(left - 10, 0), min(right + 10, 130))
    assert (seen == 1).all()


class Memory:
    """A network that enlarges by repeating, and takes tiles of at most so many pixels."""

    scale, dtype, device = 2, torch.float32, torch.device("cpu")

    def __init__(self, room: int) -> None:
        self.room, self.largest = room, 0

    def __call__(self, seen: torch.Tensor) -> torch.Tensor:
        if seen.shape[2] * seen.shape[3] > self.room:
            raise torch.OutOfMemoryError("full")
        self.largest = max(self.largest, seen.shape[2], seen.shape[3])
        return seen.repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_memory_is_that_of_a_tile_however_large_the_picture() -> None:
    network = Memory(10**9)
    Upscaler(network, NAME, tile=64).enlarge(picture(640, 512), 2)
    assert network.largest == 64 + 2 * MARGIN


def test_smaller_tiles_are_taken_where_memory_is_short() -> None:
    network = Memory((128 + 2 * MARGIN) ** 2)
    upscaler = Upscaler(network, NAME)
    small = picture(400, 400)
    assert (upscaler.enlarge(small, 2) == np.repeat(np.repeat(small, 2, 0), 2, 1)).all()
    assert upscaler._tile == 128


def test_a_picture_that_no_tile_of_fits_may_fit_later() -> None:
    upscaler = Upscaler(Memory(10), NAME)
    with pytest.raises(Unavailable, match="ask again later"):
        upscaler.enlarge(picture(), 2)
    assert upscaler._tile == SMALLEST_TILE


def test_nobody_who_waits_no_longer_is_worked_for(upscaler: Upscaler) -> None:
    with pytest.raises(Unwanted):
        upscaler.enlarge(picture(), 2, lambda: False)


def test_a_network_of_two_enlarges_by_two(tmp_path: Path) -> None:
    write_upscaler(tmp_path, scale=2)
    upscaler = Upscaler.load(tmp_path, NAME, torch.device("cpu"))
    assert upscaler.most == 2
    assert upscaler.enlarge(picture(), 2).shape == (300, 200, 3)


def empty(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()


def two(folder: Path) -> None:
    save_file({"a": torch.zeros(1)}, folder / "other.safetensors")


def foreign(folder: Path) -> None:
    save_file({"conv.weight": torch.zeros(1)}, folder / "weights.safetensors")


def cut_off(folder: Path) -> None:
    file = folder / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:900])


def broken(folder: Path) -> None:
    weights = load_file(folder / "weights.safetensors")
    last = max(weights)
    save_file({**weights, last: weights[last].fill_(float("nan"))}, folder / "weights.safetensors")


def once(folder: Path) -> None:
    empty(folder)
    folder.rmdir()
    write_upscaler(folder.parent, scale=1)


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (empty, FileNotFoundError, "must hold one safetensors file, and has 0"),
        (two, FileNotFoundError, "must hold one safetensors file, and has 2"),
        (foreign, ValueError, "no network that is known to enlarge pictures: its weights are named as no such"),
        (cut_off, ValueError, "no network that is known to enlarge pictures: .*header"),
        (broken, ValueError, "no finite numbers"),
        (once, ValueError, "enlarges no RGB pictures by 2 or 4"),
    ],
)
def test_what_enlarges_nothing_is_told(
    tmp_path: Path, change: Callable[[Path], None], kind: type[Exception], said: str
) -> None:
    change(write_upscaler(tmp_path))
    with pytest.raises(kind, match=said):
        Upscaler.load(tmp_path, NAME, torch.device("cpu"))


def test_the_page_says_how_weights_of_the_other_kind_become_these(tmp_path: Path) -> None:
    """Real-ESRGAN's own files: a pickle whose tensors lie below `params_ema`."""
    folder = write_upscaler(tmp_path)
    weights = load_file(folder / "weights.safetensors")
    (folder / "weights.safetensors").unlink()
    torch.save({"params_ema": weights}, folder / "RealESRGAN_x2plus.pth")
    (line,) = (
        line for page in PAGES for line in lines(page) if line.endswith(" RealESRGAN_x2plus.pth weights.safetensors")
    )
    subprocess.run(["bash", "-c", line.replace("python", sys.executable, 1)], cwd=folder, check=True)
    (folder / "RealESRGAN_x2plus.pth").unlink()
    assert Upscaler.load(tmp_path, NAME, torch.device("cpu")).enlarge(picture(), 4).shape == (600, 400, 3)


def test_weights_that_changed_are_not_loaded(tmp_path: Path) -> None:
    folder = write_upscaler(tmp_path)
    write_sums(folder)
    Upscaler.load(tmp_path, NAME, torch.device("cpu"))
    save_file({"a": torch.zeros(1)}, folder / "weights.safetensors")
    with pytest.raises(WeightsError, match="has changed"):
        Upscaler.load(tmp_path, NAME, torch.device("cpu"))
