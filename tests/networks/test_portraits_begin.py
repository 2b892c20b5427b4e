"""Training goes on from the delivered model."""

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file

from profile_models.install import HOME
from profile_workshop.portraits.begin import begin
from profile_workshop.portraits.export import export
from profile_workshop.portraits.home import PortraitsHome
from profile_workshop.portraits.linear import LinearTransform
from profile_workshop.studio_mini.export import NAME


def test_what_was_begun_from_the_delivered_model_exports_as_it(tmp_path: Path) -> None:
    home = PortraitsHome(tmp_path / "studio-mini", tmp_path / "renders", tmp_path / "vision")
    begin(home)
    export(home, home.state, tmp_path / "models")
    for part in ("unet", "vae"):
        name = f"{part}/diffusion_pytorch_model.safetensors"
        before, after = load_file(HOME / NAME / name), load_file(tmp_path / "models" / NAME / name)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key].to(before[key].dtype)) for key in before)
    tokens = "tokenizer/tokenizer.json"
    assert (HOME / NAME / tokens).read_text() == (tmp_path / "models" / NAME / tokens).read_text()


def test_latents_are_those_of_the_delivered_autoencoder(tmp_path: Path) -> None:
    home = PortraitsHome(tmp_path / "studio-mini", tmp_path / "renders", tmp_path / "vision")
    begin(home)
    transform = LinearTransform.load(home.transform)
    assert torch.allclose(transform.basis.T @ transform.basis, torch.eye(transform.channels), atol=0.02)
    picture = torch.rand(1, 3, 160, 160, generator=torch.Generator().manual_seed(3)) * 2 - 1
    autoencoder = AutoencoderKL.from_pretrained(HOME / NAME / "vae").float()
    with torch.no_grad():
        latents = autoencoder.encode(picture).latent_dist.mean
    ours = transform.encode(picture)
    assert float((ours - latents).norm() / latents.norm()) < 0.02


def test_a_training_that_stands_is_not_written_over(tmp_path: Path) -> None:
    home = PortraitsHome(tmp_path, tmp_path / "renders", tmp_path / "vision")
    home.state.write_bytes(b"a state")
    with pytest.raises(FileExistsError, match="train on"):
        begin(home)
    assert home.state.read_bytes() == b"a state"
