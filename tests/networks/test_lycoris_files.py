"""Adapters that LyCORIS writes for kohya's trainer: what it draws with is what is read, or they are refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from profile_draw.errors import Refused
from profile_draw.layer_sizes import look_reader

MODELS = Path(__file__).resolve().parents[2] / "models"
MODEL = "studio-mini"


@pytest.fixture(scope="module")
def unet() -> Any:
    folder = MODELS / MODEL / "unet"
    return UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder))


def written(unet: Any, folder: Path, algorithm: str, module: str, **options: Any) -> tuple[bytes, list[Any]]:
    """The file of a network whose numbers are not nothing, and its modules, one a layer."""
    from lycoris.kohya import create_network

    (folder / "preset.toml").write_text(f'unet_target_module = ["{module}"]\nunet_target_name = []\n')
    preset = str(folder / "preset.toml")
    network = create_network(
        1.0, 4, 2.0, None, [], unet, algo=algorithm, conv_dim=2, conv_alpha=1.0, preset=preset, **options
    )
    network.apply_to([], unet, apply_text_encoder=False, apply_unet=True)
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=draw))
    network.save_weights(
        str(folder / "adapter.safetensors"), torch.float32, {"ss_base_model_version": "sdxl_base_v1-0"}
    )
    network.restore()
    return (folder / "adapter.safetensors").read_bytes(), list(network.unet_loras)


@pytest.mark.parametrize(
    ("algorithm", "module", "options"),
    [
        ("lora", "Transformer2DModel", {}),
        ("locon", "ResnetBlock2D", {}),
        ("locon", "ResnetBlock2D", {"use_tucker": True}),
        ("loha", "Transformer2DModel", {}),
    ],
)  # fmt: skip
def test_what_it_adds_to_each_layer_is_what_is_read(
    unet: Any, tmp_path: Path, algorithm: str, module: str, options: dict[str, Any]
) -> None:
    """By its own way through a layer: what it tells of a LoHa's weights has alpha twice, what it draws has it once."""
    content, modules = written(unet, tmp_path, algorithm, module, **options)
    layers = look_reader(MODELS, MODEL, 64).read(content, "digest", torch.float32).layers
    names = {f"lora_unet_{name}".replace(".", "_"): name for name in layers}
    assert names.keys() == {layer.lora_name for layer in modules}
    assert len(layers) > 20
    for layer in modules:
        weights = layers[names[layer.lora_name]]
        change = (weights.scale * weights.up.flatten(1) @ weights.down.flatten(1)).view(layer.org_weight.shape)
        x = torch.randn(2, change.shape[1], *[5] * (change.ndim - 2), generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            added = layer.forward(x) - layer.org_forward(x)
            ours = layer.op(x, change, None, **layer.kw_dict)
        assert torch.allclose(ours, added, atol=1e-4), layer.lora_name
        assert added.abs().max() > 1e-3


@pytest.mark.parametrize(
    ("algorithm", "options", "method"),
    [("lora", {"dora_wd": True}, "DoRA"), ("lokr", {}, "LoKr"), ("full", {}, "whole differences"), ("ia3", {}, "IA3")],
)
def test_what_is_no_sum_of_few_directions_is_refused_by_name(
    unet: Any, tmp_path: Path, algorithm: str, options: dict[str, Any], method: str
) -> None:
    content, _ = written(unet, tmp_path, algorithm, "Transformer2DModel", **options)
    with pytest.raises(Refused, match=method):
        look_reader(MODELS, MODEL, 64).read(content, "digest", torch.float32)
