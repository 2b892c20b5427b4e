"""NetworkSize: configurations of SDXL's networks, at full size or thin, and folders of them with random weights."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from profile_models.random_sdxl import make_scheduler
from profile_models.tokenizer import make_tokenizer

SEED = 20261128
# Numbers drawn once, of which every weight takes as many as it needs from another place.
BLOCK = 1 << 24
# Hubs split what is larger.
SHARD = "2GB"
VARIANT = "fp16"


@dataclass(frozen=True)
class NetworkSize:
    """What the networks of one size are made from: `native` is the edge in pixels that the UNet is told of."""

    name: str
    native: int
    unet: Mapping[str, Any]
    embedding: tuple[int, ...]
    vae: Mapping[str, Any]
    texts: tuple[Mapping[str, Any], Mapping[str, Any]]
    control: str = ""

    @property
    def control_name(self) -> str:
        """The folder of the ControlNet."""
        return self.control or f"{self.name}-controlnet"


_UNET = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 2,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
}
_VAE = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "scaling_factor": 0.13025,
}

# As stabilityai/stable-diffusion-xl-base-1.0 and xinsir/controlnet-openpose-sdxl-1.0 have them.
FULL = NetworkSize(
    name="sdxl-random",
    native=1024,
    unet={
        **_UNET,
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048,
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    embedding=(16, 32, 96, 256),
    vae={**_VAE, "sample_size": 1024, "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2},
    texts=(
        {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
         "projection_dim": 768, "hidden_act": "quick_gelu"},
        {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20,
         "projection_dim": 1280, "hidden_act": "gelu"},
    ),
)  # fmt: skip
# The same structure, thin, by which the command is tested.
SMALL = NetworkSize(
    name="sdxl-random-small",
    native=128,
    unet={
        **_UNET,
        "sample_size": 16,
        "block_out_channels": (32, 64, 64),
        "transformer_layers_per_block": (1, 1, 2),
        "attention_head_dim": (1, 2, 2),
        "cross_attention_dim": 128,
        "addition_time_embed_dim": 16,
        "projection_class_embeddings_input_dim": 160,
        "norm_num_groups": 16,
    },
    embedding=(8, 16, 32, 32),
    vae={
        **_VAE, "sample_size": 128, "block_out_channels": (8, 16, 32, 32), "layers_per_block": 1, "norm_num_groups": 8,
    },
    texts=(
        {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
         "projection_dim": 64, "hidden_act": "quick_gelu"},
        {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
         "projection_dim": 64, "hidden_act": "gelu"},
    ),
)  # fmt: skip
SIZES = {"full": FULL, "small": SMALL}


def on_meta(kind: type[Any], configuration: Mapping[str, Any]) -> Any:
    """A network without weights' contents, in the precision of hubs."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float16)
    try:
        with torch.device("meta"):
            return kind(**configuration) if issubclass(kind, torch.nn.Module) else kind(configuration)
    finally:
        torch.set_default_dtype(before)


def unet_of(size: NetworkSize) -> Any:
    """The UNet, without contents."""
    return on_meta(UNet2DConditionModel, size.unet)


def control_of(size: NetworkSize) -> Any:
    """The ControlNet, without contents: the UNet's first half, and what reads pose maps."""
    shared = {name: value for name, value in size.unet.items() if name not in ("up_block_types", "sample_size")}
    return on_meta(ControlNetModel, {**shared, "conditioning_embedding_out_channels": size.embedding})


def vae_of(size: NetworkSize) -> Any:
    """The autoencoder, without contents."""
    return on_meta(AutoencoderKL, size.vae)


def texts_of(size: NetworkSize) -> tuple[Any, Any]:
    """The two text encoders, without contents. Their vocabulary is CLIP's in size, the tokenizer our own small one."""
    marks = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1, "vocab_size": 49408}
    first, second = (CLIPTextConfig(**{**text, **marks}) for text in size.texts)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float16)
    try:
        with torch.device("meta"):
            return CLIPTextModel(first), CLIPTextModelWithProjection(second)
    finally:
        torch.set_default_dtype(before)


@torch.no_grad()
def filled(network: Any, seed: int) -> Any:
    """The network on the CPU with random weights of trained networks' size: layers neither damp nor swell."""
    network.to_empty(device="cpu")
    block = torch.empty(BLOCK, dtype=torch.bfloat16)
    block.normal_(generator=torch.Generator().manual_seed(seed))
    twice = torch.cat([block, block])
    place = 0
    for name, weight in network.named_parameters():
        if weight.dim() < 2:
            weight.fill_(1.0 if name.endswith("weight") else 0.0)
            continue
        flat = weight.view(-1)
        scale = 1 / math.sqrt(weight[0].numel())
        for begin in range(0, len(flat), BLOCK):
            part = flat[begin : begin + BLOCK]
            place = (place + 1_000_003) % BLOCK
            part.copy_(twice[place : place + len(part)] * scale)
    return network.to(torch.float16)


def make(models: Path, size: NetworkSize) -> None:
    """Write base model and ControlNet below `models` unless they are there, in files as hubs deliver them: in half
    precision, the UNet and the ControlNet in shards, all else whole."""
    models.mkdir(parents=True, exist_ok=True)
    for name, write in ((size.name, _write_base), (size.control_name, _write_control)):
        if (models / name).is_dir():
            continue
        with tempfile.TemporaryDirectory(dir=models, prefix=".making-") as scratch:
            folder = Path(scratch) / name
            folder.mkdir()
            write(folder, size)
            folder.rename(models / name)


def _write_base(folder: Path, size: NetworkSize) -> None:
    """A pipeline's folder, network after network: all of them together would be 7 GB in memory."""
    parts = {"unet": unet_of, "vae": vae_of}
    for number, (part, network_of) in enumerate(parts.items()):
        filled(network_of(size), SEED + number).save_pretrained(folder / part, variant=VARIANT, max_shard_size=SHARD)
    for number, encoder in enumerate(texts_of(size)):
        part = "text_encoder" if number == 0 else "text_encoder_2"
        filled(encoder, SEED + 10 + number).save_pretrained(folder / part, variant=VARIANT)
    for part, pad in (("tokenizer", "<|endoftext|>"), ("tokenizer_2", "!")):
        with tempfile.TemporaryDirectory() as scratch:
            make_tokenizer(Path(scratch), pad_token=pad).save_pretrained(folder / part)
    make_scheduler().save_pretrained(folder / "scheduler")
    classes = {
        "scheduler": ("diffusers", "EulerDiscreteScheduler"),
        "text_encoder": ("transformers", "CLIPTextModel"),
        "text_encoder_2": ("transformers", "CLIPTextModelWithProjection"),
        "tokenizer": ("transformers", "CLIPTokenizer"),
        "tokenizer_2": ("transformers", "CLIPTokenizer"),
        "unet": ("diffusers", "UNet2DConditionModel"),
        "vae": ("diffusers", "AutoencoderKL"),
    }
    index = {"_class_name": "StableDiffusionXLPipeline", "force_zeros_for_empty_prompt": True, **classes}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))


def _write_control(folder: Path, size: NetworkSize) -> None:
    """The ControlNet's folder."""
    filled(control_of(size), SEED + 20).save_pretrained(folder, variant=VARIANT, max_shard_size=SHARD)


def forget(models: Path, size: NetworkSize) -> None:
    """Delete both folders."""
    for name in (size.name, size.control_name):
        shutil.rmtree(models / name, ignore_errors=True)
