"""Stable Diffusion XL: two text encoders, a pooled text, and numbers that tell how a picture was cut."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers import (
    StableDiffusionXLControlNetImg2ImgPipeline,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)

from profile_contract.stages.train import AdapterLayers
from profile_draw.control import EndingControlNet

from .family import Crop, Family, TextEmbedding

_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
_REST_OF_A_TRANSFORMER = ("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")
_TRANSFORMER = (*_ATTENTION, *_REST_OF_A_TRANSFORMER)
# "conv" is what changes the size between two blocks.
_CONVOLUTIONS = ("conv_in", "conv1", "conv2", "conv_shortcut", "conv", "conv_out", "time_emb_proj")
# Where style lives, and content does not (B-LoRA, arXiv 2403.14572; InstantStyle, 2404.02733).
_STYLE = "up_blocks.0.attentions.1"
_IN_A_BLOCK = (
    *(f"{attention}.{layer}" for attention in ("attn1", "attn2") for layer in _ATTENTION),
    "ff.net.0.proj",
    "ff.net.2",
)
_MODULES = {
    AdapterLayers.ATTENTION: _ATTENTION,
    AdapterLayers.TRANSFORMER: _TRANSFORMER,
    AdapterLayers.EVERYTHING: (*_TRANSFORMER, *_CONVOLUTIONS),
    # However many transformers stand there: SDXL has ten.
    AdapterLayers.LOOK: (
        *(f"{_STYLE}.transformer_blocks.{place}.{layer}" for place in range(10) for layer in _IN_A_BLOCK),
        f"{_STYLE}.proj_in",
        f"{_STYLE}.proj_out",
    ),
}
# What Stability's own code calls a residual block's layers, and those beside all blocks.
_RESIDUAL = {
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_ENDS = {"conv_in": "input_blocks.0.0", "conv_out": "out.2"}
_OUTER = re.compile(r"(?P<side>down|up)_blocks\.(?P<block>\d+)\.(?P<kind>[a-z]+)\.(?P<place>\d+)\.(?P<rest>.+)")
_MIDDLE = re.compile(r"mid_block\.(?P<kind>[a-z]+)\.(?P<place>\d+)\.(?P<rest>.+)")


class Sdxl(Family):
    """SDXL and whatever has its architecture."""

    named = "StableDiffusionXL"
    ways = {
        (False, False): StableDiffusionXLPipeline,
        (False, True): StableDiffusionXLImg2ImgPipeline,
        (True, False): StableDiffusionXLControlNetPipeline,
        (True, True): StableDiffusionXLControlNetImg2ImgPipeline,
    }
    control = EndingControlNet
    known_as = {"ss_base_model_version": "sdxl", "modelspec.architecture": "stable-diffusion-xl"}
    text_encoders = ("text_encoder", "text_encoder_2")
    tokenizers = ("tokenizer", "tokenizer_2")

    def encode(self, encoders: Sequence[Any], ids: Sequence[torch.Tensor]) -> TextEmbedding:
        """The last layer but one of both, side by side, and the pooled text of the second."""
        outputs = [encoder(rows, output_hidden_states=True) for encoder, rows in zip(encoders, ids, strict=True)]
        return TextEmbedding(torch.cat([output.hidden_states[-2] for output in outputs], dim=-1), outputs[-1][0])

    def embed(self, pipeline: Any, prompt: str, device: torch.device) -> TextEmbedding:
        """One prompt of 75 tokens at most; what is longer is cut."""
        tokens, _, pooled, _ = pipeline.encode_prompt(
            prompt, device=device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return TextEmbedding(tokens.float(), pooled.float())

    def words(self, text: TextEmbedding, negative: TextEmbedding | None) -> dict[str, torch.Tensor]:
        """Tokens and pooled text of either prompt."""
        words = {"prompt_embeds": text.tokens, "pooled_prompt_embeds": text.pooled}
        if negative is not None:
            words |= {"negative_prompt_embeds": negative.tokens, "negative_pooled_prompt_embeds": negative.pooled}
        return words

    def crop_ids(self, crop: Crop) -> list[int]:
        """Six: original height and width, top and left of the crop, height and width."""
        (original_width, original_height), (width, height) = crop.original_size, crop.size
        return [original_height, original_width, crop.top, crop.left, height, width]

    def conditions(self, text: TextEmbedding, crop_ids: torch.Tensor) -> dict[str, Any]:
        """Tokens for the transformers; pooled text and the crop's numbers beside the time."""
        added = {"text_embeds": text.pooled, "time_ids": crop_ids}
        return {"encoder_hidden_states": text.tokens, "added_cond_kwargs": added}

    def modules(self, layers: AdapterLayers) -> tuple[str, ...]:
        """Of the transformers' attention, of whole transformers, or of all that is not told of text and time alone."""
        return _MODULES[layers]

    def webui_name(self, layer: str, unet_config: Mapping[str, Any]) -> str:
        """The name that Stability's own code gives a layer.

        A down block is `layers_per_block` layers and a downsampler, behind the input convolution; an up block is one
        layer more, the upsampler in its last. Raises ValueError for a layer that no adapter changes.
        """
        if layer in _ENDS:
            return _ENDS[layer]
        stride = int(unet_config["layers_per_block"]) + 1
        if outer := _OUTER.fullmatch(layer):
            block, place, inner = int(outer["block"]), int(outer["place"]), _inner(outer["kind"], outer["rest"])
            if inner and outer["side"] == "down":
                return f"input_blocks.{1 + stride * block + place}.{inner}"
            if inner:
                return f"output_blocks.{stride * block + place}.{inner}"
            if outer["kind"] == "downsamplers" and outer["rest"] == "conv":
                return f"input_blocks.{stride * (block + 1)}.0.op"
            if outer["kind"] == "upsamplers" and outer["rest"] == "conv":
                behind = 2 if "Attn" in unet_config["up_block_types"][block] else 1
                return f"output_blocks.{stride * block + stride - 1}.{behind}.conv"
        if (middle := _MIDDLE.fullmatch(layer)) and (inner := _inner(middle["kind"], middle["rest"])):
            part, _, rest = inner.partition(".")
            return f"middle_block.{2 * int(middle['place']) + int(part)}.{rest}"
        raise ValueError(f"{layer} is no layer of an SDXL UNet that an adapter changes")

    def webui_metadata(self, base_model: str, resolution: int) -> dict[str, str]:
        """As kohya's trainer and Stability's model specification have them."""
        return {
            "ss_base_model_version": "sdxl_base_v1-0",
            "modelspec.sai_model_spec": "1.0.0",
            "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
            "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
            "modelspec.title": f"profile adapter for {base_model}",
            "modelspec.resolution": f"{resolution}x{resolution}",
        }


def _inner(kind: str, rest: str) -> str:
    """A layer's name within its block: `0.` of the residual block, `1.` of the transformer; empty for another kind."""
    if kind == "attentions":
        return f"1.{rest}"
    return f"0.{_RESIDUAL[rest]}" if kind == "resnets" and rest in _RESIDUAL else ""
