"""The twin of an adapter that WebUI and ComfyUI load: kohya's form, in half precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from .tensor_file import tensor_file
from .weights import LayerWeights


def write_webui(
    layers: Mapping[str, LayerWeights], webui_name: Callable[[str], str], metadata: Mapping[str, str]
) -> bytes:
    """The twin of an adapter. `webui_name`: what those programs call a layer; `metadata`: what they ask of a file of
    this family.

    The metadata describe the file, never the person: no file names, no captions. Raises NotFinite, also for what half
    precision cannot hold.
    """
    tensors: dict[str, torch.Tensor] = {}
    for name, weights in layers.items():
        key = "lora_unet_" + webui_name(name).replace(".", "_")
        tensors[f"{key}.lora_down.weight"] = weights.down.half()
        tensors[f"{key}.lora_up.weight"] = weights.up.half()
        tensors[f"{key}.alpha"] = torch.tensor(weights.scale * weights.rank)
    ranks = {weights.rank for weights in layers.values()}
    rank = str(max(ranks, default=0))
    network = {"ss_network_module": "networks.lora", "ss_network_dim": rank, "ss_network_alpha": f"{float(rank)}"}
    return tensor_file(tensors, {**network, **metadata})
