"""Latents that are a linear transform of 8 x 8 blocks: principal components, scaled towards equal size.

A trained autoencoder of the same number of channels kept no more of a face than this does, and forgot how dark a
picture was. The channels are divided by a power of their deviation: at 1 the finest detail counts as much in a loss as
the coarsest shade, at 0 next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

BLOCK = 8
NUMBERS = 3 * BLOCK * BLOCK
CHANNELS = 64
"""Of 192: at 48 a face with much fine detail loses a tenth of its likeness, at 64 nothing that SFace sees."""
POWER = 0.5
FACE_WEIGHT = 4.0

Boxes = NDArray[np.float32]
Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class LinearTransform:
    """`mean` (192,), `basis` (192, channels) with orthonormal columns, `scale` (channels,): latents are
    `(block - mean) @ basis / scale`. A block's numbers stand in the order row, column, colour; pictures in -1 to 1."""

    mean: torch.Tensor
    basis: torch.Tensor
    scale: torch.Tensor

    @property
    def channels(self) -> int:
        return self.basis.shape[1]

    def to(self, device: torch.device) -> LinearTransform:
        return LinearTransform(self.mean.to(device), self.basis.to(device), self.scale.to(device))

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures (N, 3, H, W) in -1 to 1 -> latents (N, channels, H / 8, W / 8)."""
        kernels = (self.basis / self.scale).T
        shift = -(self.mean @ self.basis) / self.scale
        return functional.conv2d(pictures, _as_kernels(kernels), shift, stride=BLOCK)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents (N, channels, h, w) -> pictures (N, 3, 8h, 8w), not clipped."""
        kernels = _as_kernels((self.basis * self.scale).T)
        plain = functional.conv_transpose2d(latents, kernels, stride=BLOCK)
        tile = self.mean.reshape(BLOCK, BLOCK, 3).permute(2, 0, 1)
        return plain + tile.repeat(1, *latents.shape[2:])

    def narrowed(self, channels: int) -> LinearTransform:
        """The first channels alone."""
        return LinearTransform(self.mean, self.basis[:, :channels].contiguous(), self.scale[:channels])

    def rescaled(self, power: float, pictures: torch.Tensor) -> LinearTransform:
        """With another power of the deviations; the latents of `pictures` get a deviation of 1 over all channels."""
        scale = self.scale ** (power / POWER)
        plain = LinearTransform(self.mean, self.basis, scale)
        return LinearTransform(self.mean, self.basis, scale * plain.encode(pictures).std())

    def save(self, path: Path) -> None:
        """`path` ends in .npz."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}")
        np.savez(partial, mean=self.mean.numpy(), basis=self.basis.numpy(), scale=self.scale.numpy())
        partial.replace(path)

    @staticmethod
    def load(path: Path) -> LinearTransform:
        """Raises FileNotFoundError where there is none."""
        with np.load(path) as content:
            mean, basis, scale = (torch.from_numpy(content[name]) for name in ("mean", "basis", "scale"))
        return LinearTransform(mean, basis, scale)


def fit(pictures: Pictures, faces: Boxes, channels: int = CHANNELS, power: float = POWER) -> LinearTransform:
    """Of pictures (N, H, W, 3) whose faces (N, 4: x, y, width, height in pixels) count FACE_WEIGHT times.

    The latents of these pictures have a standard deviation of 1 over all channels.
    """
    rows = _blocks(pictures)
    weights = np.stack([_weights(face, pictures.shape[1:3]) for face in faces]).reshape(-1)
    shares = weights / weights.sum()
    mean = rows.mean(axis=0)
    offset = rows - mean
    values, vectors = np.linalg.eigh((offset * shares[:, None]).T @ offset)
    basis = np.ascontiguousarray(vectors[:, ::-1][:, :channels])
    # The sign of an eigenvector is chance: fixed, so that the same pictures give the same transform.
    basis *= np.where(basis[np.abs(basis).argmax(axis=0), np.arange(channels)] < 0, -1, 1)
    scale = np.maximum(values[::-1][:channels], 1e-12) ** (power / 2)
    scale *= ((offset @ basis) / scale).std()
    return LinearTransform(*(torch.from_numpy(part.astype(np.float32)) for part in (mean, basis, scale)))


def _blocks(pictures: Pictures) -> NDArray[Any]:
    """(N x blocks, 192), each block row by row with its colours side by side."""
    count, height, width = pictures.shape[:3]
    cells = pictures.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3).transpose(0, 1, 3, 2, 4, 5)
    return cells.reshape(-1, NUMBERS).astype(np.float32) / 127.5 - 1


def _weights(face: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[Any]:
    """(blocks,) of one picture."""
    weights = np.ones((size[0] // BLOCK, size[1] // BLOCK), np.float32)
    left, top, width, height = face / BLOCK
    rows = slice(max(0, int(top)), int(np.ceil(top + height)))
    weights[rows, max(0, int(left)) : int(np.ceil(left + width))] = FACE_WEIGHT
    return weights.reshape(-1)


def _as_kernels(matrix: torch.Tensor) -> torch.Tensor:
    """(channels, 192) -> (channels, 3, 8, 8)."""
    return matrix.reshape(-1, BLOCK, BLOCK, 3).permute(0, 3, 1, 2)
