"""The networks from their configuration: SDXL's classes and block types, few levels and wide ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import nn
from transformers import CLIPTokenizer

from profile_models.text import TextSize, make_text_encoders
from profile_workshop.portraits.linear import BLOCK, CHANNELS
from profile_workshop.studio_mini.compose import SIZE

TEXT_WIDTH = 96
# SDXL takes the last layer but one: of two, the last would never be trained.
TEXT = TextSize(TEXT_WIDTH, layers=3, heads=3)
TIME_WIDTH = 32
HEAD_WIDTH = 32


@dataclass(frozen=True)
class UNetShape:
    """The levels of the UNet, the finest first: channels, and whether there is attention. An eye is one cell of the
    finest level, so it needs attention there; thin levels waste a processor's arithmetic."""

    widths: tuple[int, ...] = (160, 256)
    attention: tuple[bool, ...] = (True, True)
    layers: int = 1
    channels: int = CHANNELS
    """Of the latents."""


def make_unet(shape: UNetShape) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=SIZE // BLOCK,
        in_channels=shape.channels,
        out_channels=shape.channels,
        down_block_types=tuple("CrossAttnDownBlock2D" if seen else "DownBlock2D" for seen in shape.attention),
        up_block_types=tuple("CrossAttnUpBlock2D" if seen else "UpBlock2D" for seen in reversed(shape.attention)),
        block_out_channels=shape.widths,
        layers_per_block=shape.layers,
        transformer_layers_per_block=1,
        # diffusers' name is wrong by history: this is the number of heads.
        attention_head_dim=tuple(width // HEAD_WIDTH for width in shape.widths),
        cross_attention_dim=2 * TEXT_WIDTH,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=TIME_WIDTH,
        projection_class_embeddings_input_dim=TEXT_WIDTH + 6 * TIME_WIDTH,
        norm_num_groups=16,
    )


def make_networks(tokenizer: CLIPTokenizer, shape: UNetShape, device: torch.device) -> dict[str, nn.Module]:
    """By the names of a diffusers folder, and `controlnet`; the same weights every time."""
    torch.manual_seed(7)
    first, second = make_text_encoders(tokenizer, TEXT)
    unet = make_unet(shape)
    controlnet = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16, 32, 64))
    if device.type == "cpu":
        for network in (unet, controlnet):
            # On a processor, the fused attention is slow backwards.
            network.set_attn_processor(AttnProcessor())
    networks: dict[str, nn.Module] = {
        "text_encoder": first,
        "text_encoder_2": second,
        "unet": unet,
        "controlnet": controlnet,
    }
    return {name: network.to(device) for name, network in networks.items()}
