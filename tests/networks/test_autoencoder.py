"""The linear transform as diffusers' autoencoder: the same picture at every size that it is made for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from profile_workshop.portraits.autoencoder import LARGEST, SMALLEST, linear_autoencoder
from profile_workshop.portraits.linear import LinearTransform, fit
from profile_workshop.studio_mini.export import in_half

CHANNELS = 64


def pictures(height: int, width: int, count: int = 1) -> torch.Tensor:
    """Smooth ones with a little grain, in -1 to 1."""
    random = torch.Generator().manual_seed(height * 1000 + width)
    coarse = torch.rand(count, 3, height // 16, width // 16, generator=random)
    smooth = functional.interpolate(coarse, size=(height, width), mode="bicubic")
    grain = 0.02 * torch.rand(count, 3, height, width, generator=random)
    return (1.8 * (smooth + grain) - 0.9).clamp(-1, 1)


@pytest.fixture(scope="module")
def transform() -> LinearTransform:
    given = ((pictures(128, 128, 24) + 1) * 127.5).round().permute(0, 2, 3, 1).numpy().astype(np.uint8)
    return fit(given, np.tile(np.array([32, 32, 64, 64], np.float32), (len(given), 1)), channels=CHANNELS)


@pytest.fixture(scope="module")
def autoencoder(transform: LinearTransform, tmp_path_factory: pytest.TempPathFactory) -> AutoencoderKL:
    """As it comes back from its files."""
    folder: Path = tmp_path_factory.mktemp("autoencoder")
    written = linear_autoencoder(transform, pictures(128, 128, 4))
    in_half(written)
    written.save_pretrained(folder)
    return AutoencoderKL.from_pretrained(folder).eval()


@pytest.mark.parametrize(("height", "width"), [(128, 128), (SMALLEST, LARGEST), (LARGEST, 160)])
@torch.no_grad()
def test_every_size_is_the_transform(
    transform: LinearTransform, autoencoder: AutoencoderKL, height: int, width: int
) -> None:
    given = pictures(height, width)
    latents = transform.encode(given)
    assert float((autoencoder.encode(given).latent_dist.mean - latents).abs().max()) < 0.02
    difference = (autoencoder.decode(latents).sample - transform.decode(latents)).abs()
    assert float(difference.max()) < 0.03
    assert float(difference.mean()) < 0.005


@torch.no_grad()
def test_beyond_the_largest_size_the_ramps_leave_a_gap(transform: LinearTransform, autoencoder: AutoencoderKL) -> None:
    assert (SMALLEST, LARGEST) == (104, 192)
    latents = transform.encode(pictures(104, LARGEST + 16))
    assert float((autoencoder.decode(latents).sample - transform.decode(latents)).abs().max()) > 0.1


def test_vectors_stay_whole_and_kernels_do_not(autoencoder: AutoencoderKL) -> None:
    in_half(autoencoder)
    assert {layer.dtype for layer in autoencoder.parameters() if layer.ndim > 1} == {torch.float16}
    assert {layer.dtype for layer in autoencoder.parameters() if layer.ndim == 1} == {torch.float32}
    autoencoder.float()
