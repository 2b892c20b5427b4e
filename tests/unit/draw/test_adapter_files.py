"""Adapter files: what is written is what is read, the same bytes for the same weights, and readers are told enough."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from diffusers.utils import convert_unet_state_dict_to_peft
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load, save

from profile_contract.stages.train import AdapterLayers
from profile_draw.adapted import size_of
from profile_draw.adapters.adapter_file import largest_file, read_adapter, write_adapter
from profile_draw.adapters.header import LENGTH_BYTES, read_header
from profile_draw.adapters.webui import write_webui
from profile_draw.adapters.weights import AdapterWeights, LayerSize, LayerWeights, trained_layers
from profile_draw.bank import adapted_layers
from profile_draw.errors import Refused
from profile_draw.families.sdxl import Sdxl
from profile_draw.finite import NotFinite
from properties import examples

LAYER = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
RANK, BASE = 4, "sdxl-base"
FAMILY, UNET = Sdxl(), {"layers_per_block": 2}
MODULES = FAMILY.modules(AdapterLayers.ATTENTION)
Layers = dict[str, LayerWeights]


def weights(rank: int = RANK) -> Layers:
    draw = torch.Generator().manual_seed(5)
    return {LAYER: LayerWeights(torch.randn(rank, 8, generator=draw), torch.randn(8, rank, generator=draw), 1.0)}


def served(layers: Layers) -> bytes:
    return write_adapter(layers, MODULES, BASE)


def twin(layers: Layers) -> bytes:
    return write_webui(layers, partial(FAMILY.webui_name, unet_config=UNET), FAMILY.webui_metadata(BASE, 1024))


def metadata_of(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    header: dict[str, dict[str, str]] = json.loads(data[8 : 8 + length])
    return header["__metadata__"]


def read(data: bytes, layers: Layers, dtype: torch.dtype = torch.float32, maximum_rank: int = 64) -> AdapterWeights:
    sizes = {
        name: LayerSize(layer.down.shape[1], layer.up.shape[0], tuple(layer.down.shape[2:]))
        for name, layer in layers.items()
    }
    assert len(data) <= largest_file(sizes, maximum_rank)
    return read_adapter(data, "digest", sizes, maximum_rank, dtype, base_model=BASE)


# --- written and read ---

_NAMES = st.lists(
    st.builds(
        "{}.{}.attentions.{}.transformer_blocks.{}.{}".format,
        st.sampled_from(["down_blocks", "up_blocks"]),
        st.integers(0, 3),
        st.integers(0, 2),
        st.integers(0, 9),
        st.sampled_from(["attn1.to_q", "attn2.to_out.0", "ff.net.0.proj", "ff.net.2"]),
    ),
    min_size=1,
    max_size=6,
    unique=True,
)
_DTYPES = st.sampled_from([torch.float16, torch.bfloat16, torch.float32])


@st.composite
def _adapters(draw: st.DrawFn) -> Layers:
    """Of one rank and the scale 1, as the trainer leaves it, or of any."""
    random = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    dtype, like_ours = draw(_DTYPES), draw(st.booleans())
    rank = draw(st.integers(1, 64))
    layers = {}
    for name in draw(_NAMES):
        own = rank if like_ours else draw(st.integers(1, 64))
        inputs, outputs = draw(st.integers(1, 12)), draw(st.integers(1, 12))
        kernel = draw(st.sampled_from([(), (1, 1), (3, 3)]))
        down = torch.randn(own, inputs, *kernel, generator=random)
        up = torch.randn(outputs, own, *(1 for _ in kernel), generator=random)
        scale = 1.0 if like_ours else draw(st.sampled_from([0.25, 0.3, 1.0, 2.0, 7.5]))
        layers[name] = LayerWeights(down.to(dtype), up.to(dtype), scale)
    return layers


@examples(100)
@given(_adapters(), _DTYPES)
def test_what_is_written_is_what_is_read(layers: Layers, dtype: torch.dtype) -> None:
    """For every rank, set of layers, type of the weights and type that is drawn in."""
    adapter = read(served(layers), layers, dtype)
    assert adapter.layers.keys() == layers.keys()
    for name, written in layers.items():
        layer = adapter.layers[name]
        assert torch.equal(layer.down, written.down.half().to(dtype))
        assert torch.equal(layer.up, written.up.half().to(dtype))
        assert layer.scale == pytest.approx(written.scale, rel=1e-9)


@examples(50)
@given(_adapters())
def test_the_twin_changes_its_layers_by_as_much(layers: Layers) -> None:
    tensors = load(twin(layers))
    assert len(tensors) == 3 * len(layers)
    for name, written in layers.items():
        key = "lora_unet_" + FAMILY.webui_name(name, UNET).replace(".", "_")
        down, up = tensors[f"{key}.lora_down.weight"], tensors[f"{key}.lora_up.weight"]
        assert torch.equal(down, written.down.half())
        assert torch.equal(up, written.up.half())
        assert tensors[f"{key}.alpha"].item() / down.shape[0] == pytest.approx(written.scale, rel=1e-6)


def test_the_twin_is_refused_by_name_where_the_adapter_is_wanted() -> None:
    with pytest.raises(Refused, match=r"such as 'lora_unet_input_blocks_4_1_.*only the UNet's is served"):
        read(twin(weights()), weights())


def test_an_adapter_of_another_base_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="trained on the base model 'other'; 'sdxl-base' is served here"):
        read(write_adapter(weights(), MODULES, "other"), weights())


def test_the_parameters_of_a_network_are_an_adapter() -> None:
    (layer,) = weights().values()
    a, b = f"{LAYER}.lora_A.default.weight", f"{LAYER}.lora_B.default.weight"
    assert trained_layers({a: layer.down, b: layer.up}) == {LAYER: LayerWeights(layer.down, layer.up, 1.0)}
    with pytest.raises(ValueError, match=f"{LAYER} has only one of two matrices"):
        trained_layers({a: layer.down})
    with pytest.raises(ValueError, match=r"conv_in\.weight is no matrix of an adapter"):
        trained_layers({"conv_in.weight": layer.down})


# --- bytes ---


@pytest.mark.parametrize("form", [served, twin])
def test_the_same_weights_give_the_same_bytes(form: Callable[[Layers], bytes]) -> None:
    assert len({hashlib.sha256(form(weights())).hexdigest() for _ in range(40)}) == 1
    names = list(metadata_of(form(weights())))
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("down", "up"),
    [((4, 8), (8, 4, 1, 1)), ((4, 8, 1, 1), (8, 4)), ((4, 8, 3, 3), (8, 4, 3, 3)), ((4, 8, 3, 1), (8, 4, 1, 1))],
)
def test_a_convolution_of_another_shape_is_refused(down: tuple[int, ...], up: tuple[int, ...]) -> None:
    data = served({LAYER: LayerWeights(torch.ones(down), torch.ones(up), 1.0)})
    with pytest.raises(Refused, match=r"do not fit|are no matrices"):
        read_adapter(data, "digest", {LAYER: LayerSize(8, 8, (3, 3))}, 64, torch.float32)


# --- names, on the real structure ---


def sdxl() -> UNet2DConditionModel:
    """SDXL's own UNet, without any weights."""
    with torch.device("meta"):
        return UNet2DConditionModel(
            sample_size=128,
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2048,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
            use_linear_projection=True,
        )


def test_every_layer_of_sdxl_has_the_name_that_other_programs_give_it() -> None:
    """Of Stability's names diffusers' own reader of such files makes the layers that they were made of."""
    unet = sdxl()

    def adapted(layers: AdapterLayers) -> list[str]:
        ends = FAMILY.modules(layers)
        return [name for name, _ in unet.named_modules() if any(f".{name}".endswith(f".{end}") for end in ends)]

    assert [len(adapted(layers)) for layers in AdapterLayers] == [560, 722, 790, 102]
    names = adapted(AdapterLayers.EVERYTHING)
    assert {*adapted(AdapterLayers.ATTENTION), *adapted(AdapterLayers.TRANSFORMER)} <= {*names}
    theirs = {f"model.diffusion_model.{FAMILY.webui_name(name, unet.config)}.weight": name for name in names}
    assert len(theirs) == len(names)
    # The reader asks for these, too.
    beside = [f"model.diffusion_model.label_emb.0.{place}.weight" for place in (0, 2)]
    asked = {**dict.fromkeys(beside, ""), **{key.replace(".weight", ".bias"): "" for key in (*theirs, *beside)}}
    read = convert_ldm_unet_checkpoint({**asked, **theirs}, unet.config)
    assert {key.removesuffix(".weight"): name for key, name in read.items() if name} == {name: name for name in names}


@pytest.mark.parametrize(("layers", "count"), [("attention", 560), ("transformer", 722), ("everything", 790)])
def test_the_library_puts_each_matrix_of_both_files_to_its_own_layer_of_sdxl(
    tmp_path: Path, layers: str, count: int
) -> None:
    """Every layer has numbers of its own, so that none can stand for another; and nothing is left over."""
    unet, modules = sdxl(), FAMILY.modules(AdapterLayers(layers))
    sizes = {name: size_of(layer) for name, layer in adapted_layers(unet, modules).items()}
    numbers = {name: (place + 1) / 1024 for place, name in enumerate(sizes)}
    adapter = {
        name: LayerWeights(torch.full(size.down(1), numbers[name]), torch.full(size.up(1), -numbers[name]), 1.0)
        for name, size in sizes.items()
    }
    names = partial(FAMILY.webui_name, unet_config=unet.config)
    (tmp_path / "served").write_bytes(write_adapter(adapter, modules, BASE))
    (tmp_path / "twin").write_bytes(write_webui(adapter, names, FAMILY.webui_metadata(BASE, 1024)))
    assert len(sizes) == count
    wanted = {f"{name}.lora_A.weight": number for name, number in numbers.items()}
    wanted |= {f"{name}.lora_B.weight": -number for name, number in numbers.items()}
    for file in ("served", "twin"):
        loaded, alphas = StableDiffusionXLPipeline.lora_state_dict(tmp_path / file, unet_config=unet.config)
        assert all(key.startswith("unet.") for key in loaded)
        assert set((alphas or {}).values()) <= {1.0}
        matrices = convert_unet_state_dict_to_peft({key.removeprefix("unet."): value for key, value in loaded.items()})
        assert {key: float(matrix.flatten()[0]) for key, matrix in matrices.items()} == wanted, file
        for name, size in sizes.items():
            assert tuple(matrices[f"{name}.lora_A.weight"].shape) == size.down(1)
            assert tuple(matrices[f"{name}.lora_B.weight"].shape) == size.up(1)


def test_an_upsampler_comes_behind_what_its_block_has() -> None:
    config = {"layers_per_block": 1, "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D")}
    names = [FAMILY.webui_name(f"up_blocks.{block}.upsamplers.0.conv", config) for block in (0, 1)]
    assert names == ["output_blocks.1.2.conv", "output_blocks.3.1.conv"]


def test_a_convolution_in_the_twin_changes_as_much_as_in_a_slot() -> None:
    layer = "down_blocks.0.resnets.0.conv1"
    draw = torch.Generator().manual_seed(3)
    weights = LayerWeights(torch.randn(4, 8, 3, 3, generator=draw), torch.randn(6, 4, 1, 1, generator=draw), 0.5)
    tensors = load(twin({layer: weights}))
    key = "lora_unet_input_blocks_1_0_in_layers_2"
    assert tensors[f"{key}.lora_down.weight"].shape == (4, 8, 3, 3)
    assert tensors[f"{key}.lora_up.weight"].shape == (6, 4, 1, 1)
    assert tensors[f"{key}.alpha"].item() == 2.0


@pytest.mark.parametrize(
    ("form", "sha256"),
    [
        (served, "302962adb7058404a6fc1f973cd0c7a18defb158cb1876011655f1157eb24762"),
        (twin, "5b38efc279ef27c7400c687ef20ce92fec66557002f02980a7c53744fb1b4b74"),
    ],
)
def test_files_are_byte_by_byte_those_of_earlier_releases(form: Callable[[Layers], bytes], sha256: str) -> None:
    """Adapters are named by their digest: another form is another version of training."""
    assert hashlib.sha256(form(known())).hexdigest() == sha256


def known() -> Layers:
    """Weights that no generator of random numbers may change."""
    down = (torch.arange(RANK * 8).reshape(RANK, 8) / 7 - 2).float()
    return {LAYER: LayerWeights(down, down.flip(0, 1).T.contiguous() / 3, 1.0)}


@pytest.mark.parametrize("form", [served, twin])
def test_what_is_written_is_a_safetensors_file_like_the_librarys_own(form: Callable[[Layers], bytes]) -> None:
    data = form(weights())
    own = save(load(data), metadata=metadata_of(data))
    assert len(own) == len(data)
    assert (8 + int.from_bytes(data[:8], "little")) % 8 == 0
    assert {k: v.tolist() for k, v in load(own).items()} == {k: v.tolist() for k, v in load(data).items()}


# --- what readers are told ---


def test_the_served_form_tells_rank_and_alpha() -> None:
    data = served(weights())
    assert set(load(data)) == {f"unet.{LAYER}.lora_A.weight", f"unet.{LAYER}.lora_B.weight"}
    lora = json.loads(metadata_of(data)["lora_adapter_metadata"])
    assert (lora["unet.r"], lora["unet.lora_alpha"]) == (RANK, RANK)
    assert lora["unet.target_modules"] == ["to_k", "to_out.0", "to_q", "to_v"]
    assert metadata_of(data)["base_model"] == BASE
    assert read_header(data, 2).base_model == BASE


def test_the_twin_tells_rank_and_alpha() -> None:
    key = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"
    tensors = load(twin(weights()))
    assert set(tensors) == {f"{key}.lora_down.weight", f"{key}.lora_up.weight", f"{key}.alpha"}
    assert tensors[f"{key}.alpha"].item() == RANK
    metadata = metadata_of(twin(weights()))
    assert (metadata["ss_network_dim"], metadata["ss_network_alpha"]) == (str(RANK), f"{RANK}.0")


@pytest.mark.parametrize("form", [served, twin])
@pytest.mark.parametrize("figure", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers_are_not_written(form: Callable[[Layers], bytes], figure: float) -> None:
    spoilt = weights()
    spoilt[LAYER].up[3, 1] = figure
    with pytest.raises(NotFinite, match="is not finite"):
        form(spoilt)


def test_what_half_precision_cannot_hold_is_not_written() -> None:
    large = weights()
    large[LAYER].up[0, 0] = 1e6
    with pytest.raises(NotFinite, match="lora_B"):
        served(large)
    with pytest.raises(NotFinite, match="lora_up"):
        twin(large)


def test_readers_of_the_library_find_the_metadata(tmp_path: Path) -> None:
    path = tmp_path / "adapter.safetensors"
    path.write_bytes(served(weights()))
    with safe_open(path, "pt") as file:
        assert file.metadata()["base_model"] == BASE
    assert LENGTH_BYTES == 8
