"""Adapters of other projects: one change under every name, converted without loss, or refused with a sentence."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft.tuners.loha.layer import make_weight, make_weight_cp
from safetensors.torch import save

from profile_contract.stages.train import AdapterLayers
from profile_draw.adapters.adapter_file import write_adapter
from profile_draw.adapters.known_forms import LayerNames
from profile_draw.adapters.look_file import LookReader
from profile_draw.adapters.weights import AdapterWeights, LayerSize, LayerWeights
from profile_draw.errors import Refused
from profile_draw.families.sdxl import Sdxl
from properties import examples

UNET = {"layers_per_block": 2, "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"]}
QUERY = "up_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q"
OUT = "up_blocks.0.attentions.1.transformer_blocks.0.attn2.to_out.0"
CONV = "down_blocks.1.resnets.0.conv1"
SIZES = {QUERY: LayerSize(6, 5), OUT: LayerSize(4, 5), CONV: LayerSize(3, 4, (3, 3))}
# As Stability's own code has them, which kohya's trainer and ComfyUI follow.
LDM = {
    QUERY: "output_blocks.1.1.transformer_blocks.0.attn1.to_q",
    OUT: "output_blocks.1.1.transformer_blocks.0.attn2.to_out.0",
    CONV: "input_blocks.4.0.in_layers.2",
}
BASE, MOST_RANK = "sdxl-base", 16
Tensors = dict[str, torch.Tensor]


def reader(*, unet_only: bool = False) -> LookReader:
    family = Sdxl()
    names = LayerNames(SIZES, lambda layer: family.webui_name(layer, UNET))
    return LookReader(BASE, SIZES, names, MOST_RANK, family.other_base, unet_only=unet_only)


def read(tensors: Tensors, metadata: Mapping[str, str] | None = None, *, unet_only: bool = False) -> AdapterWeights:
    content: bytes = save(
        {name: part.contiguous() for name, part in tensors.items()}, dict(metadata) if metadata else None
    )
    assert len(content) <= reader().largest
    return reader(unet_only=unet_only).read(content, "digest", torch.float32)


def refusal(tensors: Tensors, metadata: Mapping[str, str] | None = None) -> str:
    with pytest.raises(Refused) as refused:
        read(tensors, metadata)
    return str(refused.value)


def change(weights: LayerWeights, size: LayerSize) -> torch.Tensor:
    """What an adapter adds to a layer's weight."""
    product = weights.scale * (weights.up.flatten(1) @ weights.down.flatten(1))
    return product.view(size.outputs, size.inputs, *size.kernel)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def pair(layer: str, rank: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    size = SIZES[layer]
    return random(*size.down(rank)), random(*size.up(rank), seed=9)


# --- names ---


def kohya(layer: str, names: Mapping[str, str]) -> str:
    return "lora_unet_" + names[layer].replace(".", "_")


DIFFUSERS = {layer: layer for layer in SIZES}
# What stands before a layer's name, and behind it for the matrices into the rank and out of it.
FORMS: dict[str, tuple[Callable[[str], str], str, str]] = {
    "diffusers": (lambda layer: f"unet.{layer}", "lora_A.weight", "lora_B.weight"),
    "diffusers, older": (lambda layer: f"unet.{layer}", "lora.down.weight", "lora.up.weight"),
    "PEFT": (lambda layer: f"base_model.model.{layer}", "lora_A.weight", "lora_B.weight"),
    "kohya": (lambda layer: kohya(layer, LDM), "lora_down.weight", "lora_up.weight"),
    "kohya, diffusers' layers": (lambda layer: kohya(layer, DIFFUSERS), "lora_down.weight", "lora_up.weight"),
    "ComfyUI": (lambda layer: f"diffusion_model.{LDM[layer]}", "lora_down.weight", "lora_up.weight"),
    "ComfyUI, PEFT's sides": (lambda layer: f"diffusion_model.{LDM[layer]}", "lora_A.weight", "lora_B.weight"),
}


@pytest.mark.parametrize("form", FORMS)
def test_one_change_is_read_under_every_projects_names(form: str) -> None:
    tensors: Tensors = {}
    name, *sides = FORMS[form]
    for layer in SIZES:
        tensors |= {f"{name(layer)}.{side}": matrix for side, matrix in zip(sides, pair(layer), strict=True)}
    layers = read(tensors).layers
    assert layers.keys() == SIZES.keys()
    for layer in SIZES:
        down, up = pair(layer)
        assert torch.equal(layers[layer].down, down)
        assert torch.equal(layers[layer].up, up)
        assert layers[layer].scale == 1


def test_the_first_naming_of_diffusers_is_read() -> None:
    stem = QUERY.removesuffix(".to_q")
    down, up = pair(QUERY)
    out_down, out_up = pair(OUT)
    other = OUT.removesuffix(".to_out.0")
    layers = read(
        {
            f"unet.{stem}.processor.to_q_lora.down.weight": down,
            f"unet.{stem}.processor.to_q_lora.up.weight": up,
            f"unet.{other}.processor.to_out_lora.down.weight": out_down,
            f"unet.{other}.processor.to_out_lora.up.weight": out_up,
        }
    ).layers
    assert torch.equal(layers[QUERY].down, down)
    assert torch.equal(layers[OUT].up, out_up)


def test_what_is_written_here_is_read_here() -> None:
    down, up = (part.half().float() for part in pair(QUERY))
    layers = {QUERY: LayerWeights(down, up, 0.5)}
    content = write_adapter(layers, Sdxl().modules(AdapterLayers.ATTENTION), BASE)
    weights = reader().read(content, "digest", torch.float32).layers[QUERY]
    assert torch.equal(change(weights, SIZES[QUERY]), change(layers[QUERY], SIZES[QUERY]))


# --- methods ---


@pytest.mark.parametrize(("alpha", "scale"), [(None, 1.0), (2.0, 1.0), (1.0, 0.5), (8.0, 4.0)])
def test_alpha_by_rank_is_what_a_layers_change_is_multiplied_by(alpha: float | None, scale: float) -> None:
    down, up = pair(QUERY)
    stem = kohya(QUERY, LDM)
    tensors = {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up}
    weights = read(tensors | ({f"{stem}.alpha": torch.tensor(alpha)} if alpha else {})).layers[QUERY]
    assert weights.scale == scale


def test_a_locon_with_a_middle_is_one_product() -> None:
    """LyCORIS: up x middle x down, by the convolutions themselves."""
    down, middle, up = random(2, 3, 1, 1), random(2, 2, 3, 3), random(4, 2, 1, 1)
    stem = kohya(CONV, LDM)
    parts = {"lora_down.weight": down, "lora_mid.weight": middle, "lora_up.weight": up, "alpha": torch.tensor(1.0)}
    weights = read({f"{stem}.{part}": tensor for part, tensor in parts.items()}).layers[CONV]
    picture = random(1, 3, 7, 7)
    conv = torch.nn.functional.conv2d
    wanted = conv(conv(conv(picture, down), middle, padding=1), up) * 0.5
    assert torch.allclose(conv(picture, change(weights, SIZES[CONV]), padding=1), wanted, atol=1e-5)


@pytest.mark.parametrize("layer", [QUERY, CONV])
@pytest.mark.parametrize("rank", [1, 3])
def test_a_loha_is_one_product_of_all_pairs_of_directions(layer: str, rank: int) -> None:
    size = SIZES[layer]
    inputs = random(1, size.inputs, *size.kernel).numel()
    parts = {
        "w1_a": random(size.outputs, rank), "w1_b": random(rank, inputs, seed=1),
        "w2_a": random(size.outputs, rank, seed=2), "w2_b": random(rank, inputs, seed=3),
    }  # fmt: skip
    stem = kohya(layer, LDM)
    alpha = {f"{stem}.alpha": torch.tensor(2.0)}
    weights = read({f"{stem}.hada_{part}": tensor for part, tensor in parts.items()} | alpha).layers[layer]
    wanted = make_weight(*parts.values(), torch.tensor(2.0 / rank)).view(size.outputs, size.inputs, *size.kernel)
    assert weights.rank == rank * rank
    assert torch.allclose(change(weights, size), wanted, atol=1e-5)


def test_a_loha_of_a_convolutions_core_is_one_product() -> None:
    size, rank = SIZES[CONV], 2
    parts = {
        "t1": random(rank, rank, 3, 3), "w1_a": random(rank, size.outputs), "w1_b": random(rank, size.inputs),
        "t2": random(rank, rank, 3, 3, seed=4), "w2_a": random(rank, size.outputs, seed=5),
        "w2_b": random(rank, size.inputs, seed=6),
    }  # fmt: skip
    weights = read({f"{kohya(CONV, LDM)}.hada_{part}": tensor for part, tensor in parts.items()}).layers[CONV]
    order = ("t1", "w1_a", "w1_b", "t2", "w2_a", "w2_b")
    wanted = make_weight_cp(*(parts[part] for part in order), torch.tensor(1.0))
    assert torch.allclose(change(weights, size), wanted, atol=1e-5)


# --- what is refused ---

STEM = kohya(QUERY, LDM)
GOOD: Tensors = {f"{STEM}.lora_down.weight": pair(QUERY)[0], f"{STEM}.lora_up.weight": pair(QUERY)[1]}
REFUSED: dict[str, tuple[Tensors, dict[str, str], str]] = {
    "DoRA": (GOOD | {f"{STEM}.dora_scale": random(5, 1)}, {}, "DoRA"),
    "DoRA of PEFT": (GOOD | {f"unet.{QUERY}.lora_magnitude_vector.weight": random(5)}, {}, "DoRA"),
    "DoRA by its metadata": (GOOD, {"lora_adapter_metadata": json.dumps({"unet.use_dora": True})}, "DoRA"),
    "LoKr": ({f"{STEM}.lokr_w1": random(1, 1), f"{STEM}.lokr_w2": random(5, 6)}, {}, "LoKr"),
    "OFT": ({f"{STEM}.oft_blocks": random(2, 3, 3)}, {}, "OFT"),
    "IA3": ({f"{STEM}.weight": random(6), f"{STEM}.on_input": torch.tensor(1.0)}, {}, "IA3"),
    "whole differences": ({f"{STEM}.diff": random(5, 6)}, {}, "whole differences of weights"),
    "text encoders": (GOOD | {"lora_te1_text_model_encoder.alpha": torch.tensor(1.0)}, {}, "--unet-only"),
    "Flux": ({"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": random(2, 6)}, {}, "Flux"),
    "another base, by kohya": (GOOD, {"ss_base_model_version": "sd_v1.5"}, "'sd_v1.5'"),
    "another base, by its model card": (GOOD, {"modelspec.architecture": "flux-1-dev/lora"}, "'flux-1-dev/lora'"),
    "another base, by name": (GOOD, {"base_model": "pony"}, "'pony'; it is to be drawn with 'sdxl-base'"),
    "another base's layer": ({"lora_unet_output_blocks_5_1_proj_in.alpha": torch.tensor(1.0)}, {}, "does not have"),
    "embeddings": ({"lora_unet_time_embedding_linear_1.alpha": torch.tensor(1.0)}, {}, "hears of time and size"),
    "embeddings of Stability": ({"lora_unet_label_emb_0_0.alpha": torch.tensor(1.0)}, {}, "hears of time and size"),
    "another width": (GOOD | {f"{STEM}.lora_down.weight": random(2, 7)}, {}, "2x7 instead of 2x6"),
    "another kernel": ({f"{kohya(CONV, LDM)}.lora_down.weight": random(2, 3, 1, 1),
                        f"{kohya(CONV, LDM)}.lora_up.weight": random(4, 2, 1, 1)}, {}, "2x3x1x1 instead of 2x3x3x3"),
    "too great a rank": ({f"{STEM}.lora_down.weight": random(17, 6), f"{STEM}.lora_up.weight": random(5, 17)}, {},
                         "rank 17 at"),
    "too great a rank as LoHa": ({f"{STEM}.hada_{part}": random(*shape) for part, shape in
                                  {"w1_a": (5, 5), "w1_b": (5, 6), "w2_a": (5, 5), "w2_b": (5, 6)}.items()}, {},
                                 "LoHa of rank 5, which is served as rank 25"),
    "half a pair": ({f"{STEM}.lora_down.weight": pair(QUERY)[0]}, {}, "only a part of the matrices"),
    "an alpha alone": ({f"{STEM}.alpha": torch.tensor(1.0)}, {}, "only a part of the matrices"),
    "NaN": (GOOD | {f"{STEM}.lora_up.weight": torch.full((5, 2), float("nan"))}, {}, "not finite"),
    "numbers too large": ({key: part * 1e30 for key, part in GOOD.items()}, {}, "so large"),
    "an alpha below nothing": (GOOD | {f"{STEM}.alpha": torch.tensor(-1.0)}, {}, "no positive number"),
    "whole numbers": (GOOD | {f"{STEM}.lora_up.weight": torch.ones(5, 2, dtype=torch.int8)}, {}, "floating point"),
    "twice": (GOOD | {f"unet.{QUERY}.lora_A.weight": pair(QUERY)[0]}, {}, "twice"),
    "something else": (GOOD | {"emb_params": random(2, 6)}, {}, "'emb_params'"),
    "nothing": ({}, {}, "changes no layer"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_sum_or_does_not_fit_is_refused_by_name(case: str) -> None:
    tensors, metadata, text = REFUSED[case]
    assert text in refusal(tensors, metadata)


@pytest.mark.parametrize("content", [b"\x80\x04\x95rest of a pickle", b"PK\x03\x04rest of an archive"])
def test_a_pickle_is_told_as_one_and_never_opened(content: bytes) -> None:
    with pytest.raises(Refused, match="pickle"):
        reader().read(content, "digest", torch.float32)


def test_what_is_of_text_encoders_can_be_left_out() -> None:
    more = {"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": random(2, 6)}
    assert read(GOOD | more, unet_only=True).layers.keys() == {QUERY}


def test_long_metadata_of_kohyas_trainer_are_no_hindrance() -> None:
    said = {"ss_tag_frequency": json.dumps({f"word{number}": number for number in range(20_000)})}
    assert read(GOOD, {"ss_base_model_version": "sdxl_base_v1-0", **said}).layers.keys() == {QUERY}


@examples(80)
@given(st.binary(max_size=400), st.integers(0, 200), st.integers(0, 255))
def test_whatever_bytes_come_there_is_a_sentence_or_an_adapter(noise: bytes, place: int, letter: int) -> None:
    content = bytearray(save(GOOD))
    content[place] = letter
    for data in (noise, bytes(content)):
        with contextlib.suppress(Refused):
            assert reader().read(data, "digest", torch.float32).layers
