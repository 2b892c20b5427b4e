"""Batches of latents, prompts, pose maps and face weights; a function of the step and the process alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import CLIPTokenizer

from profile_vision.poses import draw as draw_pose
from profile_workshop.studio_mini.compose import SIZE
from profile_workshop.studio_mini.networks import LATENT_FACTOR
from profile_workshop.studio_mini.prepare import Prepared

# A face is a sixth of the picture, and what likeness is about.
FACE_WEIGHT = 3.0
# How many rows of a batch see their pose map; the others teach the UNet to do without.
CONTROLLED = 0.6
# Rows whose text is nothing at all (zero embeddings, as SDXL's pipeline does), empty, or what must not be seen: all
# three are what classifier-free guidance may be told to move away from.
NO_TEXT, EMPTY_TEXT, UNWANTED_TEXT = 0.03, 0.03, 0.08
# SDXL's size figures: mostly those of a whole picture, sometimes others, so that other figures do no harm.
ODD_SIZES = 0.2
WHOLE = (SIZE, SIZE, 0, 0, SIZE, SIZE)


@dataclass(frozen=True)
class Batch:
    latents: torch.Tensor
    """(N, 16, 16, 16), of unit size."""
    tokens: torch.Tensor
    """(N, 77)."""
    text_counts: torch.Tensor
    """(N,), 0 where the embeddings are to be zero."""
    poses: torch.Tensor
    """(controlled rows, 3, 128, 128), 0 to 1."""
    weights: torch.Tensor
    """(N, 1, 16, 16) with a mean of 1."""
    time_ids: torch.Tensor
    """(N, 6)."""


class Batches:
    def __init__(
        self, data: Prepared, latents: torch.Tensor, tokenizer: CLIPTokenizer, *, unwanted: list[str], size: int
    ) -> None:
        """`latents` (N, C, h, w) scaled to unit size, in the order of `data`; `size` rows a batch."""
        self._data, self._latents, self._size = data, latents, size
        self._tokens = _tokens(tokenizer, data.prompts)
        self._empty = _tokens(tokenizer, [""])[0]
        self._unwanted = _tokens(tokenizer, unwanted)
        self._weights = torch.stack([_face_weights(face) for face in data.faces])

    def at(self, step: int, process: int) -> Batch:
        draw = np.random.default_rng([43, step, process])
        rows = draw.integers(0, len(self._latents), self._size)
        tokens = self._tokens[rows].clone()
        kind = draw.random(self._size)
        tokens[kind < EMPTY_TEXT] = self._empty
        for row in np.flatnonzero((kind >= EMPTY_TEXT) & (kind < EMPTY_TEXT + UNWANTED_TEXT)):
            tokens[row] = self._unwanted[int(draw.integers(0, len(self._unwanted)))]
        controlled = round(CONTROLLED * self._size)
        poses = np.stack([draw_pose(self._data.joints[row], SIZE, SIZE) for row in rows[:controlled]])
        return Batch(
            latents=self._latents[rows].float(),
            tokens=tokens,
            text_counts=torch.from_numpy((kind < 1 - NO_TEXT).astype(np.float32)),
            poses=torch.from_numpy(poses).permute(0, 3, 1, 2).float() / 255,
            weights=self._weights[rows],
            time_ids=_time_ids(self._size, draw),
        )


def load_latents(folder: Path, names: list[str]) -> torch.Tensor:
    """Unscaled float16 latents (N, C, h, w) of these people. Raises FileNotFoundError if one is missing."""
    return torch.from_numpy(np.concatenate([np.load(folder / f"{name}.npy") for name in names]))


def _tokens(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    encoded = tokenizer(texts, padding="max_length", truncation=True, max_length=tokenizer.model_max_length)
    return torch.tensor(encoded["input_ids"])


def _face_weights(face: NDArray[np.float32]) -> torch.Tensor:
    """(1, h, w) for a face's box in pixels of the picture: FACE_WEIGHT inside, 1 outside, then a mean of 1."""
    edge = SIZE // LATENT_FACTOR
    x, y, width, height = face / LATENT_FACTOR
    weights = np.ones((edge, edge), np.float32)
    rows = slice(max(0, int(np.floor(y))), int(np.ceil(y + height)))
    columns = slice(max(0, int(np.floor(x))), int(np.ceil(x + width)))
    weights[rows, columns] = FACE_WEIGHT
    return torch.from_numpy(weights / weights.mean())[None]


def _time_ids(rows: int, draw: np.random.Generator) -> torch.Tensor:
    ids = np.tile(np.array(WHOLE, np.float32), (rows, 1))
    odd = draw.random(rows) < ODD_SIZES
    ids[odd, :2] = draw.integers(64, 2048, (int(odd.sum()), 2))
    ids[odd, 2:4] = draw.integers(0, 64, (int(odd.sum()), 2))
    return torch.from_numpy(ids)
