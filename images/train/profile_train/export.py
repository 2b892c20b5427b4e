"""Writes the adapter: in the form that the predictor serves, and as a twin that WebUI and ComfyUI load."""

from __future__ import annotations

import json
import re

import torch
from safetensors.torch import save

from profile_contract.stages.train import AdapterLayers
from profile_draw.layers import modules_of

from .finite import check_finite
from .model import ADAPTER

PREFIX = "unet."
# A safetensors file begins with the length of its JSON header, little-endian.
LENGTH_BYTES = 8


def served_form(weights: dict[str, torch.Tensor], rank: int, layers: AdapterLayers, base_model: str) -> bytes:
    """diffusers' own LoRA file: PEFT names below `unet.`, with the LoRA metadata that tells rank and alpha.

    Raises NotFinite.
    """
    tensors = {PREFIX + _peft_name(name): weight.float().contiguous() for name, weight in weights.items()}
    # The keys of diffusers' own metadata (diffusers.training_utils._collate_lora_metadata).
    lora = {
        "unet.r": rank,
        "unet.lora_alpha": rank,
        "unet.target_modules": sorted(modules_of(layers)),
        "unet.rank_pattern": {},
        "unet.alpha_pattern": {},
        "unet.use_dora": False,
        "unet.lora_bias": False,
    }
    metadata = {"format": "pt", "lora_adapter_metadata": json.dumps(lora), "base_model": base_model}
    return _file(tensors, metadata)


def webui_form(
    weights: dict[str, torch.Tensor], rank: int, base_model: str, layers_per_block: int, resolution: int
) -> bytes:
    """kohya's form with Stability's block names, as WebUI and ComfyUI expect of an SDXL LoRA; half precision.

    The metadata describe the file, never the person: no file names, no captions. Raises NotFinite, also for what half
    precision cannot hold.
    """
    tensors: dict[str, torch.Tensor] = {}
    for name, weight in weights.items():
        module, part = _peft_name(name).rsplit(".lora_", 1)
        key = "lora_unet_" + sgm_name(module, layers_per_block).replace(".", "_")
        side = "lora_down" if part.startswith("A") else "lora_up"
        tensors[f"{key}.{side}.weight"] = weight.half().contiguous()
        tensors[f"{key}.alpha"] = torch.tensor(float(rank))
    metadata = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(rank),
        "ss_network_alpha": str(float(rank)),
        "ss_base_model_version": "sdxl_base_v1-0",
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
        "modelspec.title": f"profile adapter for {base_model}",
        "modelspec.resolution": f"{resolution}x{resolution}",
    }
    return _file(tensors, metadata)


def _file(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> bytes:
    """The safetensors file, the same bytes for the same content: the library writes metadata in no fixed order."""
    check_finite(tensors)
    data = save(tensors, metadata=metadata)
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    header = json.loads(data[LENGTH_BYTES : LENGTH_BYTES + length])
    header = {
        "__metadata__": dict(sorted(metadata.items())),
        **{k: v for k, v in header.items() if k != "__metadata__"},
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    # The data begin at a multiple of 8, as the library has it.
    text += b" " * (-len(text) % LENGTH_BYTES)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text + data[LENGTH_BYTES + length :]


def sgm_name(module: str, layers_per_block: int) -> str:
    """The name that Stability's own code gives a transformer's module of diffusers' UNet.

    A down block is `layers_per_block` layers and a downsampler, behind the input convolution; an up block is one layer
    more. Raises ValueError for a module of something else.
    """
    stride = layers_per_block + 1
    found = re.fullmatch(r"(down_blocks|up_blocks)\.(\d+)\.attentions\.(\d+)\.(.+)", module)
    if found:
        block, layer = int(found[2]), int(found[3])
        if found[1] == "down_blocks":
            return f"input_blocks.{1 + stride * block + layer}.1.{found[4]}"
        return f"output_blocks.{stride * block + layer}.1.{found[4]}"
    middle = re.fullmatch(r"mid_block\.attentions\.0\.(.+)", module)
    if middle:
        return f"middle_block.1.{middle[1]}"
    raise ValueError(f"{module} is in no transformer of an SDXL UNet")


def _peft_name(parameter: str) -> str:
    """`x.lora_A.default.weight` without the adapter's name, as files have it."""
    return parameter.replace(f".{ADAPTER}.weight", ".weight")
