"""A small random model of SDXL's architecture, made from its configuration.

For tests, and for the demo until a trained small model exists: the same classes, the same number of
text encoders, added time ids, module names and file layout as `stabilityai/stable-diffusion-xl-base-1.0`
with an OpenPose ControlNet, but thin and untrained. Its pictures are coloured noise; they depend on
prompt, seed, adapter and pose map, so that everything around the model can be tested for real.

Two layers per block, as SDXL has: the names that the WebUI gives to LoRA modules depend on it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, ControlNetModel, EulerDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from profile_models.text import TextSize, let_everybody_read, make_text_encoders
from profile_models.tokenizer import make_tokenizer
from profile_runtime.weights import SUMS, write_sums

NAME = "studio-random"
CONTROL_NAME = "studio-random-controlnet"
# What the weights were made of stands in it.
STAMP = "made-of.json"
RECIPE = Path(__file__).parent / "recipes" / f"{NAME}.yaml"
SEED = 20260101
NATIVE_SIZE = 128
"""Pixels; SDXL's is 1024."""

LATENT_FACTOR = 8
TEXT_WIDTH = 64
TIME_WIDTH = 16
# Untrained layers damp what goes through them. These gains make the noise prediction and the picture of about the
# size that a trained model's have (standard deviation near 1), and let text and pose be seen in the picture.
UNET_OUTPUT_GAIN = 4.0
TEXT_GAIN = 6.0
PICTURE_GAIN = 2.0
CONTROL_STD = 0.05
POSE_GAIN = 12.0


def make(models: Path) -> None:
    """Write `studio-random` and `studio-random-controlnet` below `models`, unless they are there already."""
    parts = _made_of()
    if all(_stamp_of(models / name) == parts for name in (NAME, CONTROL_NAME)):
        for name in (NAME, CONTROL_NAME):
            if not (models / name / SUMS).is_file():
                write_sums(models / name)
        return
    print(f"models: making {NAME} and {CONTROL_NAME} in {models}", file=sys.stderr, flush=True)
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models, prefix=".making-") as scratch:
        unet = make_unet()
        _save_pipeline(unet, Path(scratch) / NAME)
        shutil.copyfile(RECIPE, Path(scratch) / NAME / "recipe.yaml")
        make_controlnet(unet).save_pretrained(Path(scratch) / CONTROL_NAME)
        for name in (CONTROL_NAME, NAME):
            (Path(scratch) / name / STAMP).write_text(json.dumps(parts))
            write_sums(Path(scratch) / name)
            let_everybody_read(Path(scratch) / name)
            shutil.rmtree(models / name, ignore_errors=True)
            (Path(scratch) / name).rename(models / name)


def _made_of() -> dict[str, str]:
    """What the folders depend on; where it stands beside them, they need not be made again."""
    sources = (Path(__file__).parent / name for name in ("random_sdxl.py", "text.py", "tokenizer.py", "merges.txt"))
    code = b"".join(source.read_bytes() for source in (*sources, RECIPE))
    versions = {library.__name__: library.__version__ for library in (torch, diffusers, transformers)}
    return {"code": hashlib.sha256(code).hexdigest(), **versions}


def _stamp_of(folder: Path) -> dict[str, str] | None:
    """What stands beside weights that were made before; None where nothing does."""
    path = folder / STAMP
    if not path.is_file():
        return None
    parts: dict[str, str] = json.loads(path.read_text())
    return parts


def make_unet() -> UNet2DConditionModel:
    """SDXL's UNet: latents of 4 channels, text of 2 x 64 features, pooled text and six size figures added to time."""
    torch.manual_seed(SEED)
    unet = UNet2DConditionModel(
        sample_size=NATIVE_SIZE // LATENT_FACTOR,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(32, 64, 64),
        layers_per_block=2,
        transformer_layers_per_block=(1, 1, 2),
        attention_head_dim=(1, 2, 2),
        cross_attention_dim=2 * TEXT_WIDTH,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=TIME_WIDTH,
        projection_class_embeddings_input_dim=TEXT_WIDTH + 6 * TIME_WIDTH,
        norm_num_groups=16,
    )
    with torch.no_grad():
        unet.conv_out.weight.mul_(UNET_OUTPUT_GAIN)
        for name, parameter in unet.named_parameters():
            if "attn2.to_v" in name or "attn2.to_out.0.weight" in name:
                parameter.mul_(TEXT_GAIN)
    return unet


def make_controlnet(unet: UNet2DConditionModel) -> ControlNetModel:
    """A ControlNet for pose maps of the picture's size. Its outputs start at zero in training; here they must not."""
    torch.manual_seed(SEED + 1)
    controlnet = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16, 32, 32))
    with torch.no_grad():
        for layer in [*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block]:
            torch.nn.init.normal_(layer.weight, std=CONTROL_STD)
        # A pose map is mostly black: with torch's default small weights nothing of it would be left after eight layers.
        embedding = controlnet.controlnet_cond_embedding
        for layer in [embedding.conv_in, *embedding.blocks, embedding.conv_out]:
            torch.nn.init.kaiming_normal_(layer.weight)
        embedding.conv_out.weight.mul_(POSE_GAIN)
    return controlnet


def make_vae() -> AutoencoderKL:
    """Factor 8, 4 latent channels and SDXL's scaling factor."""
    torch.manual_seed(SEED + 2)
    vae = AutoencoderKL(
        sample_size=NATIVE_SIZE,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 16, 32, 32),
        layers_per_block=1,
        norm_num_groups=8,
        scaling_factor=0.13025,
        force_upcast=False,
    )
    with torch.no_grad():
        vae.decoder.conv_out.weight.mul_(PICTURE_GAIN)
    return vae


def make_texts(tokenizer: CLIPTokenizer) -> tuple[CLIPTextModel, CLIPTextModelWithProjection]:
    """SDXL's pair, random."""
    torch.manual_seed(SEED + 3)
    return make_text_encoders(tokenizer, TextSize(TEXT_WIDTH, layers=2, heads=4))


def make_scheduler() -> EulerDiscreteScheduler:
    """SDXL base's noise schedule."""
    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
    )


def _save_pipeline(unet: UNet2DConditionModel, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = make_tokenizer(Path(scratch), pad_token="<|endoftext|>")  # noqa: S106
        tokenizer_2 = make_tokenizer(Path(scratch), pad_token="!")  # noqa: S106
    text_encoder, text_encoder_2 = make_texts(tokenizer)
    diffusers.StableDiffusionXLPipeline(
        vae=make_vae(),
        text_encoder=text_encoder,
        text_encoder_2=text_encoder_2,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer_2,
        unet=unet,
        scheduler=make_scheduler(),
        add_watermarker=False,
    ).save_pretrained(folder)
