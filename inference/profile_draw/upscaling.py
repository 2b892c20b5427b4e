"""Upscaler: a network that enlarges pictures, tile by tile, and leaves their colours as they were.

Which network it is its file tells: spandrel knows ESRGAN, Real-ESRGAN, SwinIR, DAT and some thirty more by the names
and shapes of their weights.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from torch.nn import functional

from profile_runtime.weights import check_model
from profile_vision.pixels import RGB

from .errors import Unavailable, Unwanted
from .finite import all_finite

log = logging.getLogger(__name__)

# Of the picture that is enlarged: a tile's edge, and how much of its neighbours it sees on each side. Networks look
# some dozen pixels around; what a tile's margin shows is cut off again.
TILE, MARGIN = 256, 24
SMALLEST_TILE = 64
# Colours are compared over squares of so many pixels of the picture: light and skin are kept, and detail is free.
COLOUR_SQUARE = 32
TIMES = (2, 4)
TAKEN = "the accelerator's memory is taken by others, and no picture can be enlarged; ask again later"


@dataclass(frozen=True)
class Tile:
    """A part of a picture, and the part with its margin: rows and columns, from and to."""

    inner: tuple[int, int, int, int]
    outer: tuple[int, int, int, int]


def tiles(height: int, width: int, edge: int = TILE, margin: int = MARGIN) -> Iterator[Tile]:
    """Tiles that cover a picture, each pixel once; their margins end at the picture's own edges."""
    for top in range(0, height, edge):
        for left in range(0, width, edge):
            bottom, right = min(top + edge, height), min(left + edge, width)
            outer = (
                max(top - margin, 0),
                min(bottom + margin, height),
                max(left - margin, 0),
                min(right + margin, width),
            )
            yield Tile((top, bottom, left, right), outer)


class Upscaler:
    """Enlarges pictures. For one thread at a time."""

    def __init__(self, network: Any, name: str, tile: int = TILE) -> None:
        """`network`: spandrel's descriptor of one that takes and gives RGB."""
        self.name, self._network, self._tile = name, network, tile

    @classmethod
    def load(cls, models: Path, name: str, device: torch.device) -> Self:
        """The network whose one safetensors file lies in a folder of the models. Raises FileNotFoundError, or
        ValueError for what enlarges no pictures, or not in tiles."""
        from spandrel import ImageModelDescriptor, ModelLoader, ModelTiling, UnsupportedModelError

        folder = models / name
        files = sorted(folder.glob("*.safetensors"))
        if len(files) != 1:
            raise FileNotFoundError(
                f"no upscaler {name!r}: {folder} must hold one safetensors file, and has {len(files)}"
            )
        check_model(models, name)
        try:
            network = ModelLoader(device="cpu").load_from_file(files[0])
        except (UnsupportedModelError, SafetensorError, RuntimeError, KeyError, ValueError) as error:
            why = str(error) or "its weights are named as no such network's"
            raise ValueError(f"{files[0]} is no network that is known to enlarge pictures: {why}") from error
        known = isinstance(network, ImageModelDescriptor) and network.purpose == "SR"
        if not known or network.scale not in TIMES or (network.input_channels, network.output_channels) != (3, 3):
            raise ValueError(f"{files[0]} enlarges no RGB pictures by 2 or 4")
        if network.tiling is not ModelTiling.SUPPORTED:
            raise ValueError(f"{files[0]} cannot work in tiles, and whole pictures take too much memory")
        if not all_finite(network.model.state_dict()):
            raise ValueError(f"{files[0]} holds weights that are no finite numbers: bring the file anew")
        if device.type == "cuda" and network.supports_bfloat16:
            network.bfloat16()
        network.to(device).eval()
        log.info("pictures are enlarged by %s (%s, x%d)", name, network.architecture.name, network.scale)
        return cls(network, name)

    @property
    def most(self) -> int:
        """How many times its edge a picture may become."""
        return int(self._network.scale)

    def enlarge(self, picture: RGB, times: int, wanted: Callable[[], bool] = lambda: True) -> RGB:
        """A picture (height, width, 3) as one of `times` its edges, which is `most` or half of that.

        Raises Unwanted when `wanted` says no between two tiles, Unavailable where memory does not take the smallest
        tile.
        """
        while True:
            try:
                return self._enlarged(picture, times, wanted)
            except torch.OutOfMemoryError:
                log.warning("tiles of %d pixels do not fit into memory", self._tile)
            # Outside of the except clause: the exception would keep the failed tile's tensors alive.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if self._tile <= SMALLEST_TILE:
                raise Unavailable(TAKEN)
            self._tile //= 2

    @torch.inference_mode()
    def _enlarged(self, picture: RGB, times: int, wanted: Callable[[], bool]) -> RGB:
        """All tiles, one after another; only the picture itself grows with its size."""
        height, width = picture.shape[:2]
        large = np.empty((height * times, width * times, 3), np.uint8)
        small = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255
        change = torch.zeros_like(small)
        for tile in tiles(height, width, self._tile):
            if not wanted():
                raise Unwanted("nobody waits for this batch")
            drawn = self._tile_of(small, tile, times)
            top, bottom, left, right = tile.inner
            part = functional.avg_pool2d(drawn, times)
            change[..., top:bottom, left:right] = part - small[..., top:bottom, left:right]
            large[top * times : bottom * times, left * times : right * times] = _levels(drawn)
        return RGB(_with_colours(large, change, times))

    def _tile_of(self, small: torch.Tensor, tile: Tile, times: int) -> torch.Tensor:
        """A tile's pixels without its margin, `times` as large: (1, 3, rows, columns) on the CPU, 0 to 1."""
        top, bottom, left, right = tile.outer
        network = self._network
        seen = small[..., top:bottom, left:right].to(network.device, network.dtype)
        drawn = network(seen).float()
        if network.scale != times:
            drawn = functional.avg_pool2d(drawn, network.scale // times)
        rows, columns = (tile.inner[0] - top) * times, (tile.inner[2] - left) * times
        high, wide = (tile.inner[1] - tile.inner[0]) * times, (tile.inner[3] - tile.inner[2]) * times
        return drawn[..., rows : rows + high, columns : columns + wide].clamp(0, 1).cpu()


def _levels(drawn: torch.Tensor) -> np.ndarray:
    """Pixels of 0 to 255, (rows, columns, 3)."""
    levels: np.ndarray = (drawn[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    return levels


def _with_colours(large: np.ndarray, change: torch.Tensor, times: int) -> np.ndarray:
    """The picture without what the network changed of its colours (`change`, of the small picture, 0 to 1)."""
    height, width = change.shape[2:]
    grid = (-(-height // COLOUR_SQUARE), -(-width // COLOUR_SQUARE))
    coarse = functional.adaptive_avg_pool2d(change, grid)
    # A band of rows at a time: as numbers with fractions the whole picture would take four times its memory.
    smooth = functional.interpolate(coarse, (height, width), mode="bilinear")[0].permute(1, 2, 0).numpy() * 255
    for row in range(height):
        band = slice(row * times, (row + 1) * times)
        corrected = large[band] - np.repeat(smooth[row], times, axis=0)[None]
        large[band] = corrected.round().clip(0, 255).astype(np.uint8)
    return large
