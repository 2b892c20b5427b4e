"""Training goes on from the delivered model."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from profile_models.install import HOME
from profile_workshop.studio_mini import checkpoint
from profile_workshop.studio_mini.begin import begin
from profile_workshop.studio_mini.export import NAME, export
from profile_workshop.studio_mini.home import Home


def test_what_was_begun_from_the_delivered_model_exports_as_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "studio-mini", tmp_path / "renders", tmp_path / "vision")
    begin(home)
    state = checkpoint.load(home.unet_state)
    assert state is not None
    assert state["step"] == 0
    export(home.unet_state, home.delivered_vae, home.merges, tmp_path / "models")
    for part in ("unet", "vae"):
        name = f"{part}/diffusion_pytorch_model.safetensors"
        before, after = load_file(HOME / NAME / name), load_file(tmp_path / "models" / NAME / name)
        assert before.keys() == after.keys()
        # Of the delivered files, older ones have halved vectors.
        assert all(torch.equal(before[key], after[key].to(before[key].dtype)) for key in before)
    tokens = "tokenizer/tokenizer.json"
    assert (HOME / NAME / tokens).read_text() == (tmp_path / "models" / NAME / tokens).read_text()


def test_a_training_that_stands_is_not_written_over(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path / "renders", tmp_path / "vision")
    home.unet_state.write_bytes(b"a state")
    with pytest.raises(FileExistsError, match="train on"):
        begin(home)
    assert home.unet_state.read_bytes() == b"a state"
