"""The adapter's files: the same bytes for the same weights, and what their readers must be told."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save

from profile_contract.stages.train import AdapterLayers
from profile_train import export
from profile_train.export import served_form, webui_form
from profile_train.finite import NotFinite

MODULE = "down_blocks.1.attentions.0.transformer_blocks.0.attn1"
DOWN, UP = f"{MODULE}.to_q.lora_A.default.weight", f"{MODULE}.to_q.lora_B.default.weight"
RANK = 4


def weights() -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(5)
    return {DOWN: torch.randn(RANK, 8, generator=draw), UP: torch.randn(8, RANK, generator=draw)}


def served(tensors: dict[str, torch.Tensor]) -> bytes:
    return served_form(tensors, RANK, AdapterLayers.ATTENTION, "sdxl-base")


def twin(tensors: dict[str, torch.Tensor]) -> bytes:
    return webui_form(tensors, RANK, "sdxl-base", layers_per_block=2, resolution=1024)


def metadata_of(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    header: dict[str, dict[str, str]] = json.loads(data[8 : 8 + length])
    return header["__metadata__"]


@pytest.mark.parametrize("form", [served, twin])
def test_the_same_weights_give_the_same_bytes(form: object) -> None:
    assert callable(form)
    assert len({hashlib.sha256(form(weights())).hexdigest() for _ in range(40)}) == 1
    names = list(metadata_of(form(weights())))
    assert names == sorted(names)


@pytest.mark.parametrize("form", [served, twin])
def test_what_is_written_is_a_safetensors_file_like_the_librarys_own(form: object, tmp_path: object) -> None:
    assert callable(form)
    data = form(weights())
    own = save(load(data), metadata=metadata_of(data))
    assert len(own) == len(data)
    assert (8 + int.from_bytes(data[:8], "little")) % 8 == 0
    assert {k: v.tolist() for k, v in load(own).items()} == {k: v.tolist() for k, v in load(data).items()}


def test_the_served_form_tells_rank_and_alpha() -> None:
    data = served(weights())
    assert set(load(data)) == {f"unet.{MODULE}.to_q.lora_A.weight", f"unet.{MODULE}.to_q.lora_B.weight"}
    assert torch.equal(load(data)[f"unet.{MODULE}.to_q.lora_A.weight"], weights()[DOWN])
    lora = json.loads(metadata_of(data)["lora_adapter_metadata"])
    assert (lora["unet.r"], lora["unet.lora_alpha"]) == (RANK, RANK)
    assert lora["unet.target_modules"] == ["to_k", "to_out.0", "to_q", "to_v"]
    assert metadata_of(data)["base_model"] == "sdxl-base"


def test_the_twin_scales_as_the_served_form_does() -> None:
    key = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"
    tensors = load(twin(weights()))
    assert set(tensors) == {f"{key}.lora_down.weight", f"{key}.lora_up.weight", f"{key}.alpha"}
    assert tensors[f"{key}.alpha"].item() == RANK
    assert torch.equal(tensors[f"{key}.lora_up.weight"], weights()[UP].half())
    assert metadata_of(twin(weights()))["ss_network_dim"] == str(RANK)


@pytest.mark.parametrize("form", [served, twin])
@pytest.mark.parametrize("figure", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers_are_not_written(form: object, figure: float) -> None:
    assert callable(form)
    spoilt = weights()
    spoilt[UP][3, 1] = figure
    with pytest.raises(NotFinite, match="is not finite"):
        form(spoilt)


def test_what_half_precision_cannot_hold_is_not_written() -> None:
    large = weights()
    large[UP][0, 0] = 1e6
    assert served(large)
    with pytest.raises(NotFinite, match="lora_up"):
        twin(large)


def test_readers_of_the_library_find_the_metadata(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("files") / "adapter.safetensors"
    path.write_bytes(served(weights()))
    with safe_open(path, "pt") as file:
        assert file.metadata()["base_model"] == "sdxl-base"
    assert export.LENGTH_BYTES == 8
