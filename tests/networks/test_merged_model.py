"""Looks merged into a base model: the folder draws what the base model draws with them, and is a whole model."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from profile_contract.style import Mode
from profile_draw.adapters.weights import AdapterWeights, LayerWeights
from profile_draw.config import EngineConfig
from profile_draw.errors import Refused
from profile_draw.merged_model import write_merged
from profile_draw.pipeline import Pipeline
from profile_draw.rows import Row, Shape
from profile_models import random_sdxl
from profile_runtime.weights import SUMS, check_model, write_sums

SHAPE = Shape(64, 64, 3, 4.0, Mode.TEXT_TO_IMAGE, 0.0, has_pose=False, control_weight=0.0, control_end=0.0)


@pytest.fixture(scope="module")
def models(random_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(random_models, tmp_path_factory.mktemp("merged") / "models")


def pipeline(models: Path, name: str) -> Pipeline:
    return Pipeline.load(EngineConfig(models, name, slots=4, device="cpu", threads=1))


def looks_of(base: Pipeline) -> list[tuple[AdapterWeights, float]]:
    """One of transformers, at alpha 1/2, and one of the convolutions of a block; both plainly seen."""
    random, chosen = torch.Generator().manual_seed(4), []
    for number, (begin, scale) in enumerate((("up_blocks.0.attentions.1.", 0.5), ("up_blocks.1.resnets.", 1.0))):
        layers = {
            name: LayerWeights(
                0.1 * torch.randn(size.down(2), generator=random),
                0.1 * torch.randn(size.up(2), generator=random),
                scale,
            )
            for name, size in base.bank.all_layers.items()
            if name.startswith(begin)
        }
        assert layers
        chosen.append((AdapterWeights(str(number), layers), (0.6, 1.2)[number]))
    return chosen


def drawn(base: Pipeline, looks: list[tuple[AdapterWeights, float]]) -> np.ndarray:
    row = Row(0, seed=7, prompt="portrait of a person", negative_prompt="hat", adapters=tuple(looks))
    return np.asarray(base.draw(SHAPE, [row])[0]).astype(int)


def test_a_merged_model_draws_what_its_base_draws_with_the_looks(models: Path) -> None:
    base = pipeline(models, random_sdxl.NAME)
    looks = looks_of(base)
    write_merged(models / random_sdxl.NAME, looks, models / "golden", {"recipe.yaml": "licence: ours\n"})
    wanted, plain = drawn(base, looks), drawn(base, [])
    merged = drawn(pipeline(models, "golden"), [])
    assert np.abs(merged - wanted).max() <= 1
    assert np.abs(merged - plain).max() > 8
    # As it was made, and a whole model: what is loaded is listed, and all but the network is the base model's.
    assert check_model(models, "golden")
    assert (models / "golden" / "recipe.yaml").read_text() == "licence: ours\n"
    before, after = (
        {file.relative_to(models / name): file.read_bytes() for file in (models / name).rglob("*") if file.is_file()}
        for name in (random_sdxl.NAME, "golden")
    )
    other = {str(file) for file in after if before.get(file) != after[file]}
    assert other == {"unet/diffusion_pytorch_model.safetensors", "recipe.yaml", SUMS}
    assert not list(models.glob(".golden*"))


def test_only_the_network_that_is_read_is_there_and_in_its_own_precision(models: Path, tmp_path: Path) -> None:
    base = pipeline(models, random_sdxl.NAME)
    folder = tmp_path / "half"
    write_merged(models / random_sdxl.NAME, [], folder, {})
    tensors = {
        name: tensor.half() for name, tensor in load_file(folder / "unet/diffusion_pytorch_model.safetensors").items()
    }

    save_file(tensors, folder / "unet/diffusion_pytorch_model.fp16.safetensors", {"format": "pt"})
    (folder / "unet/diffusion_pytorch_model.safetensors").unlink()
    (folder / "unet/diffusion_pytorch_model.fp16.bin").write_bytes(b"a pickle")
    write_sums(folder)
    write_merged(folder, looks_of(base)[:1], tmp_path / "golden", {})
    (weights,) = [file for file in (tmp_path / "golden/unet").iterdir() if file.suffix != ".json"]
    assert weights.name == "diffusion_pytorch_model.fp16.safetensors"
    after = load_file(weights)
    assert {tensor.dtype for tensor in after.values()} == {torch.float16}
    changed = {name for name in after if not torch.equal(after[name], tensors[name])}
    assert changed == {f"{layer}.weight" for layer in looks_of(base)[0][0].layers}


def test_what_cannot_be_merged_leaves_nothing_behind(models: Path, tmp_path: Path) -> None:
    base, one = models / random_sdxl.NAME, torch.ones(1, 1)
    (tmp_path / "there").mkdir()
    with pytest.raises(Refused, match="is there already"):
        write_merged(base, [], tmp_path / "there", {})
    other = AdapterWeights("x", {"mid_block.none": LayerWeights(one, one, 1.0)})
    with pytest.raises(Refused, match=r"changes mid_block\.none, which is no such layer"):
        write_merged(base, [(other, 1.0)], tmp_path / "golden", {})
    layer = "up_blocks.0.attentions.1.proj_in"
    size = pipeline(models, random_sdxl.NAME).bank.all_layers[layer]
    endless = LayerWeights(torch.full(size.down(1), 1e30), torch.full(size.up(1), 1e30), 1.0)
    with pytest.raises(Refused, match="more than the model's precision holds"):
        write_merged(base, [(AdapterWeights("x", {layer: endless}), 1.0)], tmp_path / "golden", {})
    assert [file.name for file in tmp_path.iterdir()] == ["there"]
