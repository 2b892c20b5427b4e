"""Stable Diffusion XL: the names of its layers, to us and to other programs."""

from __future__ import annotations

import re

from profile_contract.stages.train import AdapterLayers

_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
_REST_OF_A_TRANSFORMER = ("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")


def modules_of(layers: AdapterLayers) -> tuple[str, ...]:
    """The layers' names, as they end in diffusers' UNet."""
    return _ATTENTION if layers is AdapterLayers.ATTENTION else (*_ATTENTION, *_REST_OF_A_TRANSFORMER)


def webui_metadata(base_model: str, resolution: int) -> dict[str, str]:
    """What WebUI and ComfyUI ask of a file of this architecture; `resolution`: edge in pixels that was trained at."""
    return {
        "ss_base_model_version": "sdxl_base_v1-0",
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
        "modelspec.title": f"profile adapter for {base_model}",
        "modelspec.resolution": f"{resolution}x{resolution}",
    }


def webui_name(layer: str, layers_per_block: int) -> str:
    """The name that Stability's own code gives a transformer's layer of diffusers' UNet.

    A down block is `layers_per_block` layers and a downsampler, behind the input convolution; an up block is one layer
    more. Raises ValueError for a layer of something else.
    """
    stride = layers_per_block + 1
    outer = re.fullmatch(r"(down_blocks|up_blocks)\.(\d+)\.attentions\.(\d+)\.(.+)", layer)
    if outer:
        side, block, place, rest = outer[1], int(outer[2]), int(outer[3]), outer[4]
        if side == "down_blocks":
            return f"input_blocks.{1 + stride * block + place}.1.{rest}"
        return f"output_blocks.{stride * block + place}.1.{rest}"
    middle = re.fullmatch(r"mid_block\.attentions\.0\.(.+)", layer)
    if middle:
        return f"middle_block.1.{middle[1]}"
    raise ValueError(f"{layer} is in no transformer of an SDXL UNet")
