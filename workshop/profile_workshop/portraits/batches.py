"""Batches of latents, prompts, pose maps and face weights, ready on the device that trains."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import CLIPTokenizer

from profile_workshop.portraits.crowd import Crowd, TrainingRow
from profile_workshop.portraits.linear import BLOCK, LinearTransform
from profile_workshop.studio_mini.compose import SIZE

CELLS = SIZE // BLOCK
# A face is a sixth of the picture, and what likeness is about.
FACE_WEIGHT = 3.0
# How many rows of a batch see their pose map; the others teach the UNet to do without.
CONTROLLED = 0.75
# Rows whose text is nothing at all (zero embeddings, as SDXL's pipeline does), empty, or what must not be seen: all
# three are what classifier-free guidance may be told to move away from.
NO_TEXT, EMPTY_TEXT, UNWANTED_TEXT = 0.03, 0.03, 0.08
# SDXL's size figures: mostly those of a whole picture, sometimes others, so that other figures do no harm.
ODD_SIZES = 0.2
WHOLE = (SIZE, SIZE, 0, 0, SIZE, SIZE)


@dataclass(frozen=True)
class PortraitBatch:
    latents: torch.Tensor
    """(N, channels, 16, 16), of unit size."""
    tokens: torch.Tensor
    """(N, 77)."""
    text_counts: torch.Tensor
    """(N,), 0 where the embeddings are to be zero."""
    poses: torch.Tensor
    """(controlled rows, 3, 128, 128), 0 to 1: of the first rows."""
    weights: torch.Tensor
    """(N, 1, 16, 16) with a mean of 1."""
    time_ids: torch.Tensor
    """(N, 6)."""


@dataclass(frozen=True)
class TrainingRows:
    """Composed rows as arrays of the same length: what a source of rows gives."""

    pictures: torch.Tensor
    """uint8 (N, 3, 128, 128)."""
    poses: torch.Tensor
    """uint8 (N, 3, 128, 128)."""
    faces: torch.Tensor
    """float32 (N, 4): x, y, width, height in pixels."""
    tokens: torch.Tensor
    """int64 (N, 77)."""


class Source(Protocol):
    def rows(self, draw: np.random.Generator, count: int) -> TrainingRows:
        """That many rows, drawn."""


class Fresh:
    """Composes every row when it is asked for: a few milliseconds each, which a slow processor does not notice."""

    def __init__(self, crowd: Crowd, tokenizer: CLIPTokenizer) -> None:
        self._crowd, self._tokenizer = crowd, tokenizer

    def rows(self, draw: np.random.Generator, count: int) -> TrainingRows:
        places = draw.choice(self._crowd.training, count)
        return stacked([self._crowd.row(int(place), draw) for place in places], self._tokenizer)


def stacked(rows: Sequence[TrainingRow], tokenizer: CLIPTokenizer) -> TrainingRows:
    return TrainingRows(
        pictures=_planes([row.picture for row in rows]),
        poses=_planes([row.pose for row in rows]),
        faces=torch.from_numpy(np.stack([row.face for row in rows])),
        tokens=tokens_of(tokenizer, [row.prompt for row in rows]),
    )


def _planes(pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


def tokens_of(tokenizer: CLIPTokenizer, texts: Sequence[str]) -> torch.Tensor:
    encoded = tokenizer(list(texts), padding="max_length", truncation=True, max_length=tokenizer.model_max_length)
    return torch.tensor(encoded["input_ids"])


class PortraitBatches:
    def __init__(
        self,
        source: Source,
        transform: LinearTransform,
        tokenizer: CLIPTokenizer,
        *,
        unwanted: Sequence[str],
        size: int,
        device: torch.device,
    ) -> None:
        """`size` rows a batch; `unwanted` are texts of what must not be seen."""
        self._source, self._size, self._device = source, size, device
        self._transform = transform.to(device)
        self._empty = tokens_of(tokenizer, [""])[0]
        self._unwanted = tokens_of(tokenizer, unwanted)

    @torch.no_grad()
    def at(self, step: int) -> PortraitBatch:
        """A function of the step, if its source is."""
        draw = np.random.default_rng([43, step])
        rows = self._source.rows(draw, self._size)
        kind = draw.random(self._size)
        tokens = rows.tokens.cpu().clone()
        tokens[torch.from_numpy(kind < EMPTY_TEXT)] = self._empty
        for row in np.flatnonzero((kind >= EMPTY_TEXT) & (kind < EMPTY_TEXT + UNWANTED_TEXT)):
            tokens[row] = self._unwanted[int(draw.integers(0, len(self._unwanted)))]
        pictures = rows.pictures.to(self._device).float() / 127.5 - 1
        controlled = round(CONTROLLED * self._size)
        return PortraitBatch(
            latents=self._transform.encode(pictures),
            tokens=tokens.to(self._device),
            text_counts=torch.from_numpy((kind < 1 - NO_TEXT).astype(np.float32)).to(self._device),
            poses=rows.poses[:controlled].to(self._device).float() / 255,
            weights=face_weights(rows.faces.to(self._device)),
            time_ids=torch.from_numpy(_time_ids(self._size, draw)).to(self._device),
        )


class Ahead:
    """The next batch is put together while the device works on this one."""

    def __init__(self, batches: PortraitBatches) -> None:
        self._batches = batches
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._next: tuple[int, Future[PortraitBatch]] | None = None

    def at(self, step: int) -> PortraitBatch:
        expected = self._next
        batch = expected[1].result() if expected and expected[0] == step else self._batches.at(step)
        self._next = (step + 1, self._pool.submit(self._batches.at, step + 1))
        return batch


def face_weights(faces: torch.Tensor) -> torch.Tensor:
    """(N, 1, 16, 16) of boxes (N, 4) in pixels: FACE_WEIGHT in the cells that a face touches, 1 outside, then a mean
    of 1 in every row."""
    cells = torch.arange(CELLS, device=faces.device)[None]
    left, top, width, height = (faces / BLOCK).unbind(dim=1)
    across = (cells + 1 > left[:, None]) & (cells < (left + width)[:, None])
    down = (cells + 1 > top[:, None]) & (cells < (top + height)[:, None])
    weights = 1 + (FACE_WEIGHT - 1) * (down[:, :, None] & across[:, None, :]).float()
    return (weights / weights.mean(dim=(1, 2), keepdim=True))[:, None]


def _time_ids(rows: int, draw: np.random.Generator) -> NDArray[np.float32]:
    ids = np.tile(np.array(WHOLE, np.float32), (rows, 1))
    odd = draw.random(rows) < ODD_SIZES
    ids[odd, :2] = draw.integers(64, 2048, (int(odd.sum()), 2))
    ids[odd, 2:4] = draw.integers(0, 64, (int(odd.sum()), 2))
    return ids
