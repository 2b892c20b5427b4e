"""The random model is an SDXL in all but size: diffusers loads it, and its pictures heed what they are given."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionXLControlNetPipeline
from peft import LoraConfig
from PIL import Image, ImageDraw

from profile_models import random_sdxl
from profile_models.model_recipe import recipe_for

PROMPT = "studio profile portrait of sks woman, warm tones"


@pytest.fixture(scope="module")
def pipeline(random_models: Path) -> StableDiffusionXLControlNetPipeline:
    local = {"local_files_only": True}
    controlnet = ControlNetModel.from_pretrained(random_models / random_sdxl.CONTROL_NAME, **local)
    folder = random_models / random_sdxl.NAME
    loaded = StableDiffusionXLControlNetPipeline.from_pretrained(folder, controlnet=controlnet, **local)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def stick_figure(shift: int) -> Image.Image:
    """A head, shoulders and trunk in OpenPose's colours, moved sideways by `shift` pixels."""
    picture = Image.new("RGB", (128, 128))
    pen = ImageDraw.Draw(picture)
    pen.line([(64 + shift, 20), (64 + shift, 60)], fill=(255, 0, 0), width=4)
    pen.line([(30 + shift, 60), (98 + shift, 60)], fill=(0, 255, 85), width=4)
    return picture


def draw(
    pipeline: StableDiffusionXLControlNetPipeline, prompt: str = PROMPT, seed: int = 1, shift: int = 0
) -> np.ndarray:
    result = pipeline(
        prompt,
        image=stick_figure(shift),
        generator=torch.Generator().manual_seed(seed),
        height=128,
        width=128,
        num_inference_steps=4,
        output_type="np",
    )
    return np.asarray(result.images[0])


def difference(left: np.ndarray, right: np.ndarray) -> float:
    """Mean absolute difference of two pictures in 0..1."""
    return float(np.abs(left - right).mean())


def test_it_brings_its_recipe(random_models: Path) -> None:
    model = recipe_for(random_models / random_sdxl.NAME)
    assert (model.remark, model.recipe.training.rank) == ("", 8)
    assert "noise" in model.recipe.toy


def test_pictures_follow_prompt_seed_pose_and_adapter(pipeline: StableDiffusionXLControlNetPipeline) -> None:
    reference = draw(pipeline)
    assert reference.shape == (128, 128, 3)
    assert 0.1 < reference.std() < 0.5
    assert difference(reference, draw(pipeline)) == 0
    # One grey level of 256 is .004: each change must be one that a person sees in the noise.
    assert difference(reference, draw(pipeline, "business man, cool blue light")) > 0.01
    assert difference(reference, draw(pipeline, seed=2)) > 0.05
    assert difference(reference, draw(pipeline, shift=12)) > 0.01
    pipeline.unet.add_adapter(LoraConfig(r=4, init_lora_weights=False, target_modules=["to_q", "to_k", "to_v"]))
    assert difference(reference, draw(pipeline)) > 0.005
    pipeline.unload_lora_weights()
    assert difference(reference, draw(pipeline)) == 0


def test_the_layout_is_sdxl(pipeline: StableDiffusionXLControlNetPipeline) -> None:
    unet = pipeline.unet.config
    assert unet.layers_per_block == 2
    assert unet.addition_embed_type == "text_time"
    assert pipeline.vae_scale_factor == 8
    assert pipeline.text_encoder_2.config.projection_dim + 6 * unet.addition_time_embed_dim == (
        unet.projection_class_embeddings_input_dim
    )
    blocks = {
        m.group(0) for n, _ in pipeline.unet.named_modules() if (m := re.match(r"(down|up)_blocks\.\d\.a\w+\.\d", n))
    }
    assert blocks == {
        *(f"down_blocks.{block}.attentions.{layer}" for block in (1, 2) for layer in range(2)),
        *(f"up_blocks.{block}.attentions.{layer}" for block in (0, 1) for layer in range(3)),
    }


def test_padding_and_pooling_are_clips(pipeline: StableDiffusionXLControlNetPipeline) -> None:
    first, second = pipeline.tokenizer, pipeline.tokenizer_2
    ids = first("sks woman", padding="max_length").input_ids
    assert len(ids) == 77
    assert ids[0] == first.bos_token_id
    assert ids[-1] == first.eos_token_id
    assert second("sks woman", padding="max_length").input_ids[-1] == second.convert_tokens_to_ids("!") == 0
    assert pipeline.text_encoder.config.eos_token_id == first.eos_token_id


def test_the_same_bytes_every_time(random_models: Path, tmp_path: Path) -> None:
    random_sdxl.make(tmp_path)
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert Path(random_sdxl.NAME, "model_index.json") in made
    for path in made:
        assert (tmp_path / path).read_bytes() == (random_models / path).read_bytes(), path


def test_pods_of_any_user_can_read_it(random_models: Path) -> None:
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in random_models.rglob("*"))


def test_it_is_made_once(random_models: Path) -> None:
    index = random_models / random_sdxl.NAME / "model_index.json"
    before = index.stat().st_mtime_ns
    random_sdxl.make(random_models)
    assert index.stat().st_mtime_ns == before
