"""The portrait model's latents: a linear transform that loses nothing it need not, and packs that come back whole."""

from pathlib import Path

import numpy as np
import pytest
import torch

from profile_workshop.portraits.bundle import squeezed, unsqueezed
from profile_workshop.portraits.linear import LinearTransform, fit

CHANNELS = 192


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Twelve pictures of 32 x 32 that are smooth, as pictures are."""
    coarse = np.random.default_rng(3).integers(0, 256, (12, 4, 4, 3)).astype(np.float32)
    upright = torch.from_numpy(coarse).permute(0, 3, 1, 2)
    smooth = torch.nn.functional.interpolate(upright, size=(32, 32), mode="bicubic").clamp(0, 255)
    return smooth.permute(0, 2, 3, 1).numpy().astype(np.uint8)


@pytest.fixture(scope="module")
def transform(pictures: np.ndarray) -> LinearTransform:
    return fit(pictures, np.tile(np.array([8, 8, 16, 16], dtype=np.float32), (len(pictures), 1)), channels=CHANNELS)


def tensor(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures.astype(np.float32)).permute(0, 3, 1, 2) / 127.5 - 1


def test_with_all_channels_nothing_is_lost(pictures: np.ndarray, transform: LinearTransform) -> None:
    given = tensor(pictures)
    latents = transform.encode(given)
    assert latents.shape == (12, CHANNELS, 4, 4)
    assert float((transform.decode(latents) - given).abs().max()) < 0.02
    assert float(latents.std()) == pytest.approx(1, abs=0.15)


def test_the_first_channels_hold_most(pictures: np.ndarray, transform: LinearTransform) -> None:
    given = tensor(pictures)
    errors = []
    for channels in (4, 16, 48):
        first = transform.narrowed(channels)
        errors.append(float((first.decode(first.encode(given)) - given).pow(2).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < 0.25 * float(given.var())
    assert errors[2] < 0.1 * errors[0]


def test_the_same_pictures_give_the_same_transform(pictures: np.ndarray, tmp_path: Path) -> None:
    faces = np.tile(np.array([8, 8, 16, 16], dtype=np.float32), (len(pictures), 1))
    once, again = (fit(pictures, faces, channels=16) for _ in range(2))
    assert torch.equal(once.basis, again.basis)
    once.save(tmp_path / "transform.npz")
    loaded = LinearTransform.load(tmp_path / "transform.npz")
    assert torch.equal(loaded.mean, once.mean)
    assert torch.equal(loaded.scale, once.scale)


def test_a_packed_person_comes_back_almost_as_it_was() -> None:
    figure = np.zeros((6, 160, 160, 4), dtype=np.uint8)
    figure[:, 40:120, 40:120] = (200, 120, 60, 255)
    back = unsqueezed(squeezed(figure))
    assert back.shape == figure.shape
    assert (back[..., 3] == figure[..., 3]).all()
    inside = figure[..., 3] == 255
    assert np.abs(back[inside].astype(int) - figure[inside].astype(int)).mean() < 4
