"""An adapter's file: how it is written, how it is read, and every check before one is served.

The form is what `StableDiffusionXLPipeline.save_lora_weights` writes for the UNet alone; the older diffusers naming is
read too. A layer's scale is alpha / rank; alpha is the rank unless the file says otherwise (a tensor `<layer>.alpha`,
or the metadata that diffusers writes).
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping, Sequence

import torch
from safetensors.torch import load

from profile_contract.adapter_format import BASE_MODEL_KEY, METADATA_KEY, PREFIX
from profile_draw.errors import Refused

from .header import ENTRY_BYTES, LoraSettings, read_header
from .tensor_file import tensor_file
from .weights import AdapterWeights, LayerSize, LayerWeights

log = logging.getLogger(__name__)

_TENSOR = re.compile(rf"^{re.escape(PREFIX)}(?P<module>.+?)\.(?P<part>lora_A|lora_B|lora\.down|lora\.up)\.weight$")
_ALPHA = re.compile(rf"^{re.escape(PREFIX)}(?P<module>.+?)\.alpha$")
_DOWN = {"lora_A", "lora.down"}


def write_adapter(layers: Mapping[str, LayerWeights], modules: Sequence[str], base_model: str) -> bytes:
    """The file of an adapter, in half precision: what `read_adapter` gives back.

    Half of the bytes for nothing that is seen. `modules`: the ends of the names of all layers, as PEFT chooses them by.
    Raises NotFinite, also for what half precision cannot hold.
    """
    tensors = {}
    for name, weights in layers.items():
        tensors[f"{PREFIX}{name}.lora_A.weight"] = weights.down.half()
        tensors[f"{PREFIX}{name}.lora_B.weight"] = weights.up.half()
    ranks = {name: weights.rank for name, weights in layers.items()}
    alphas = {name: _whole(weights.scale * weights.rank) for name, weights in layers.items()}
    rank, alpha = next(iter(ranks.values()), 0), next(iter(alphas.values()), 0)
    # The keys of diffusers' own metadata (diffusers.training_utils._collate_lora_metadata).
    lora = {
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": sorted(modules),
        "rank_pattern": {name: other for name, other in ranks.items() if other != rank},
        "alpha_pattern": {name: other for name, other in alphas.items() if other != alpha},
        "use_dora": False,
        "lora_bias": False,
    }
    text = json.dumps({f"{PREFIX}{key}": value for key, value in lora.items()})
    return tensor_file(tensors, {"format": "pt", METADATA_KEY: text, BASE_MODEL_KEY: base_model})


def _whole(number: float) -> float:
    """The number, without a fraction where it has none: ranks and alphas are written as whole numbers."""
    return int(number) if number.is_integer() else number


def largest_file(layers: Mapping[str, LayerSize], maximum_rank: int) -> int:
    """Bytes of the largest file that is read: all layers in float32, and its header.

    At twice the maximum rank: the nearest ones that cannot pass are refused for their rank, not for their size.
    """
    features = sum(math.prod(layer.down(1)) + layer.outputs for layer in layers.values())
    return features * 2 * maximum_rank * 4 + len(layers) * 2 * ENTRY_BYTES + (1 << 20)


def read_adapter(
    content: bytes,
    sha256: str,
    layers: Mapping[str, LayerSize],
    maximum_rank: int,
    dtype: torch.dtype,
    *,
    base_model: str = "",
) -> AdapterWeights:
    """Read a file whose digest was checked, for the UNet of `base_model` with these layers.

    A file that names another base model is refused even if it fits. Raises Refused with what is wrong, and nothing
    else: what is wrong with a file stays wrong however often it is read.
    """
    try:
        # Two matrices and an alpha for each layer; one more of each, so that what is too much is named.
        header = read_header(content, 3 * (len(layers) + 1))
        if base_model and header.base_model and header.base_model != base_model:
            raise Refused(
                f"the adapter was trained on the base model {header.base_model[:80]!r}; {base_model!r} is served here"
            )
        parts, alphas = _sorted_by_module(load(content))
        _check_layer_set(parts, alphas, layers)
        weights = {}
        for name, size in layers.items():
            down, up = _pair(name, parts[name], size, maximum_rank)
            scale = _scale(name, down.shape[0], alphas, header.settings)
            weights[name] = finite(name, LayerWeights(down.to(dtype), up.to(dtype), scale))
        return AdapterWeights(sha256, weights)
    except Refused:
        raise
    except Exception as error:
        log.warning("an adapter could not be read (%s)", type(error).__name__)
        raise Refused("the adapter is not a safetensors file, or a damaged one") from error


def _sorted_by_module(
    tensors: dict[str, torch.Tensor],
) -> tuple[dict[str, dict[bool, torch.Tensor]], dict[str, float]]:
    """Tensors by module (True: down, False: up), and the alphas that stand in the file."""
    parts: dict[str, dict[bool, torch.Tensor]] = {}
    alphas: dict[str, float] = {}
    for key, tensor in tensors.items():
        if match := _TENSOR.match(key):
            matrices, is_down = parts.setdefault(match["module"], {}), match["part"] in _DOWN
            if is_down in matrices:
                raise Refused(f"the adapter holds a matrix of {match['module'][:120]} twice, in two namings")
            matrices[is_down] = tensor
        elif (match := _ALPHA.match(key)) and tensor.numel() == 1:
            alphas[match["module"]] = float(tensor)
        elif not key.startswith(PREFIX):
            raise Refused(f"the adapter changes more than the UNet (such as {key[:80]!r}); only the UNet's is served")
        else:
            raise Refused(f"the adapter holds {key[:80]!r}, which is no plain LoRA weight")
    return parts, alphas


def _check_layer_set(parts: Mapping[str, object], alphas: Mapping[str, float], layers: Mapping[str, LayerSize]) -> None:
    """One layer set for all: then a slot never keeps a layer of the person before."""
    extra = sorted((parts.keys() | alphas.keys()) - layers.keys())
    missing = sorted(layers.keys() - parts.keys())
    if extra:
        raise Refused(
            f"the adapter changes {len(extra)} layers that are not served here, such as {extra[0][:120]}: "
            "it was trained on another base model or other modules"
        )
    if missing:
        raise Refused(
            f"the adapter lacks {len(missing)} of {len(layers)} layers, such as {missing[0]}: "
            "train on this base model, with the same adapter layers as the predictor's"
        )


def _pair(
    name: str, parts: Mapping[bool, torch.Tensor], size: LayerSize, maximum_rank: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The two matrices of a module."""
    if len(parts) != 2:
        raise Refused(f"the adapter holds only one of two matrices of {name}")
    down, up = parts[True], parts[False]
    dimensions = len(size.down(1))
    if not (down.ndim == up.ndim == dimensions and down.is_floating_point() and up.is_floating_point()):
        raise Refused(f"the adapter's weights of {name} are no matrices of floating point numbers")
    rank = down.shape[0]
    if tuple(down.shape) != size.down(rank) or tuple(up.shape) != size.up(rank):
        raise Refused(f"the adapter's weights of {name} do not fit: it was trained on another base model")
    if not 1 <= rank <= maximum_rank:
        raise Refused(f"the adapter has rank {rank} at {name}; at most {maximum_rank} is served")
    return down, up


def _scale(name: str, rank: int, alphas: Mapping[str, float], settings: LoraSettings) -> float:
    """What a layer's matrices are multiplied by: alpha by rank, or by its root where the file says so."""
    if settings.use_dora:
        raise Refused("the adapter uses DoRA, which is not served")
    alpha = alphas.get(name)
    if alpha is None:
        alpha = settings.alpha_of(name)
    if alpha is None:
        alpha = float(rank)
    if not math.isfinite(alpha) or alpha <= 0:
        raise Refused(f"the adapter's alpha of {name} is no positive number")
    return alpha / (math.sqrt(rank) if settings.use_rslora else rank)


def finite(name: str, weights: LayerWeights) -> LayerWeights:
    """The weights, checked in the type that is calculated in, which may hold less than the file's.

    Also the change that they make of a layer: no element of scale * up @ down can be larger than this bound. Raises
    Refused.
    """
    down, up = weights.down, weights.up
    if not (torch.isfinite(down).all() and torch.isfinite(up).all()):
        raise Refused(f"the adapter's weights of {name} are not finite: its training went wrong")
    bound = float(down.abs().max()) * float(up.abs().max()) * down.shape[0] * weights.scale
    if bound > torch.finfo(down.dtype).max:
        raise Refused(f"the adapter's weights of {name} are so large that nothing can be drawn with them")
    return weights
