"""KNOWN_FORMS: what other projects call an adapter's tensors, and which of their methods are served here."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from profile_draw.errors import Refused

# The ends of tensors' names: which part of a layer's adapter it is.
PARTS: Mapping[str, str] = {
    "lora_A.weight": "down",
    "lora_A.default.weight": "down",
    "lora_down.weight": "down",
    "lora.down.weight": "down",
    "lora_B.weight": "up",
    "lora_B.default.weight": "up",
    "lora_up.weight": "up",
    "lora.up.weight": "up",
    "lora_mid.weight": "mid",
    "alpha": "alpha",
    **{f"hada_{part}": part for part in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")},
}
# Methods whose change is no sum of what a slot can hold, by what only their tensors' names hold.
_OTHER_METHODS: Mapping[str, str] = {
    ".dora_scale": "DoRA, which scales the layer's own weights",
    ".lora_magnitude_vector": "DoRA, which scales the layer's own weights",
    ".lokr_": "LoKr, whose change has too many directions",
    ".oft_": "OFT, which turns the layer's own weights",
    ".boft_": "BOFT, which turns the layer's own weights",
    ".on_input": "IA3, which scales what goes through a layer",
    ".diff": "whole differences of weights",
    ".a1.weight": "GLoRA",
    ".b1.weight": "GLoRA",
    ".w_norm": "norms",
    ".b_norm": "norms",
    ".lora_A.bias": "biases",
    ".lora_B.bias": "biases",
    ".bias": "biases",
}
_TEXT_ENCODERS = (
    "lora_te_", "lora_te1_", "lora_te2_", "text_encoder.", "text_encoder_2.", "te1_", "te2_", "clip_l.", "clip_g.",
)  # fmt: skip
# By diffusers' names and by Stability's.
_EMBEDDINGS = ("time_embed", "add_embedding", "label_emb")
_TRANSFORMERS = ("transformer.", "lora_transformer_", "lora_unet_double_blocks_", "lora_unet_joint_blocks_")
# diffusers' first naming of an attention's matrices.
_PROCESSOR = re.compile(r"\.processor\.to_(?P<matrix>q|k|v|out)_lora\.(?P<part>down|up)\.weight$")
_OUT = {"q": "to_q", "k": "to_k", "v": "to_v", "out": "to_out.0"}
# Before a layer's name, the longest first: as diffusers, ComfyUI, PEFT and kohya's trainer have it.
_PREFIXES = ("model.diffusion_model.", "base_model.model.", "diffusion_model.", "lora_unet_", "unet.")


@dataclass(frozen=True)
class LayerPart:
    """Which layer's adapter a tensor is a part of: `down`, `up`, `mid`, `alpha`, or one of LoHa's."""

    layer: str
    part: str


class LayerNames:
    """The layers of a base model's network, by whatever other projects call them."""

    def __init__(self, layers: Iterable[str], webui_name: Callable[[str], str]) -> None:
        """`webui_name` raises ValueError for a layer that WebUI and ComfyUI cannot change."""
        self._layers: dict[str, str] = {}
        for layer in layers:
            names = [layer]
            with contextlib.suppress(ValueError):
                names.append(webui_name(layer))
            # kohya's trainer writes underscores for dots; a name with dots is found so, too.
            self._layers |= {name.replace(".", "_"): layer for name in names}

    def part(self, key: str) -> LayerPart:
        """What a tensor of an adapter's file is. Raises Refused for one that is no part of a layer's adapter."""
        key = _PROCESSOR.sub(lambda match: f".{_OUT[match['matrix']]}.lora.{match['part']}.weight", key)
        end = next((end for end in sorted(PARTS, key=len, reverse=True) if key.endswith(f".{end}")), None)
        prefix = next((prefix for prefix in _PREFIXES if key.startswith(prefix)), "")
        if end is None or not prefix:
            raise Refused(f"the adapter holds {key[:80]!r}, which is no weight of an adapter in a form that is known")
        name = key.removeprefix(prefix).removesuffix(f".{end}")
        layer = self._layers.get(name.replace(".", "_"))
        if layer is None and name.startswith(_EMBEDDINGS):
            raise Refused(
                f"the adapter changes {name[:120]!r}, by which the base model hears of time and size: everybody in a "
                "batch shares it; train it without the embeddings (LyCORIS's presets name them in unet_target_name)"
            )
        if layer is None:
            raise Refused(
                f"the adapter changes the layer {name[:120]!r}, which the base model does not have: it was trained on "
                "another one"
            )
        return LayerPart(layer, PARTS[end])


def is_of_text(key: str) -> bool:
    """Whether a tensor belongs to a text encoder."""
    return key.startswith(_TEXT_ENCODERS)


def check_method(key: str) -> None:
    """Raises Refused, naming it, for a tensor of a network or of a method that is not served."""
    if is_of_text(key):
        raise Refused(
            f"the adapter changes text encoders too (such as {key[:80]!r}), which everybody shares here: import it "
            "with --unet-only to leave that out; what it draws may differ then"
        )
    if key.startswith(_TRANSFORMERS):
        raise Refused(f"the adapter changes {key[:80]!r}: it is for a model without a UNet, such as Flux or SD3")
    method = next((text for mark, text in _OTHER_METHODS.items() if mark in key), None)
    if method is not None:
        raise Refused(f"the adapter holds {key[:80]!r}: it uses {method}; LoRA, LoCon and LoHa are served")
