"""Stable Diffusion XL: two text encoders, a pooled text, and numbers that tell how a picture was cut."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers import (
    ControlNetModel,
    StableDiffusionXLControlNetImg2ImgPipeline,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)

from profile_contract.stages.train import AdapterLayers

from .family import Crop, Family, TextEmbedding

_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
_REST_OF_A_TRANSFORMER = ("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")


class Sdxl(Family):
    """SDXL and whatever has its architecture."""

    named = "StableDiffusionXL"
    ways = {
        (False, False): StableDiffusionXLPipeline,
        (False, True): StableDiffusionXLImg2ImgPipeline,
        (True, False): StableDiffusionXLControlNetPipeline,
        (True, True): StableDiffusionXLControlNetImg2ImgPipeline,
    }
    control = ControlNetModel
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
        """Of the transformers' attention, or of whole transformers."""
        return _ATTENTION if layers is AdapterLayers.ATTENTION else (*_ATTENTION, *_REST_OF_A_TRANSFORMER)

    def webui_name(self, layer: str, unet_config: Mapping[str, Any]) -> str:
        """The name that Stability's own code gives a transformer's layer.

        A down block is `layers_per_block` layers and a downsampler, behind the input convolution; an up block is one
        layer more. Raises ValueError for a layer of something else.
        """
        stride = int(unet_config["layers_per_block"]) + 1
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
