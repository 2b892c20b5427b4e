"""The networks of studio-mini, from their configuration: SDXL's classes and block types, thin."""

from __future__ import annotations

from diffusers import AutoencoderKL, ControlNetModel, EulerDiscreteScheduler, UNet2DConditionModel

from profile_models.text import TextSize
from profile_workshop.studio_mini.compose import SIZE

LATENT_FACTOR = 8
# Four times SDXL's: at 128 px a face is fifty pixels, and four numbers for 64 of them keep no likeness. Sixteen cost
# the UNet nothing but its first and last layer; factor 4 instead would cost it four times as much.
LATENT_CHANNELS = 16
TEXT_WIDTH = 96
# SDXL takes the last layer but one: of two, the last would never be trained.
TEXT = TextSize(TEXT_WIDTH, layers=3, heads=3)
TIME_WIDTH = 32
CHANNELS = (64, 96, 160)
HEAD_WIDTH = 32


def make_vae() -> AutoencoderKL:
    """SDXL's autoencoder without attention in the middle, which at 16 x 16 tokens is dear and of little use."""
    return AutoencoderKL(
        sample_size=SIZE,
        latent_channels=LATENT_CHANNELS,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 64, 96),
        layers_per_block=1,
        # One group: channels that are normalised apart from each other forget colours.
        norm_num_groups=1,
        mid_block_add_attention=False,
        force_upcast=False,
        scaling_factor=1.0,
    )


def make_unet() -> UNet2DConditionModel:
    """SDXL's UNet: no attention at the finest level, two layers a block, six size figures added to the time."""
    return UNet2DConditionModel(
        sample_size=SIZE // LATENT_FACTOR,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=CHANNELS,
        layers_per_block=2,
        transformer_layers_per_block=1,
        # diffusers' name is wrong by history: this is the number of heads.
        attention_head_dim=tuple(channels // HEAD_WIDTH for channels in CHANNELS),
        cross_attention_dim=2 * TEXT_WIDTH,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=TIME_WIDTH,
        projection_class_embeddings_input_dim=TEXT_WIDTH + 6 * TIME_WIDTH,
        norm_num_groups=16,
    )


def make_controlnet(unet: UNet2DConditionModel) -> ControlNetModel:
    return ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16, 32, 64))


def make_scheduler() -> EulerDiscreteScheduler:
    """SDXL's sampler; v-prediction with linear betas, since 16 x 16 latents are noised too little by SDXL's own.

    (Hoogeboom et al. 2023, "simple diffusion": the smaller the picture, the more noise it takes to hide it.)
    """
    return EulerDiscreteScheduler(
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
    )
