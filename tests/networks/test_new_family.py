"""A new model family is one module: trained on and drawn with, though it has one text encoder and no pooled text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from diffusers import (
    ControlNetModel,
    StableDiffusionControlNetImg2ImgPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)

from profile_contract.generation import AdapterGrant, GenerationItem, GenerationOrder
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import DatasetImage, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import AdapterLayers, TrainOrder, TrainParameters, TrainReport
from profile_draw.families import table
from profile_draw.families.family import Crop, Family, TextEmbedding
from profile_draw.families.sdxl import Sdxl
from profile_models import random_sdxl
from profile_models.text import TextSize, make_text_encoders
from profile_models.tokenizer import make_tokenizer
from profile_predictor.engine import Engine, EngineConfig
from profile_runtime.shell import run_stage
from profile_runtime.store.folder import FolderStore
from profile_train import stage
from profile_train.judge import Judgement
from store_files import StoreFiles

REQUEST = RequestRef(namespace="hr", name="minji")
EDGE = 64


class OneEncoder(Family):
    """As Stable Diffusion 1.5: nothing is pooled, and the network is not told of crops."""

    named = "StableDiffusionPipeline"
    ways = {
        (False, False): StableDiffusionPipeline,
        (False, True): StableDiffusionImg2ImgPipeline,
        (True, False): StableDiffusionControlNetPipeline,
        (True, True): StableDiffusionControlNetImg2ImgPipeline,
    }
    control = ControlNetModel
    text_encoders = ("text_encoder",)
    tokenizers = ("tokenizer",)

    def encode(self, encoders: Sequence[Any], ids: Sequence[torch.Tensor]) -> TextEmbedding:
        tokens = encoders[0](ids[0])[0]
        return TextEmbedding(tokens, tokens[:, 0, :0])

    def embed(self, pipeline: Any, prompt: str, device: torch.device) -> TextEmbedding:
        tokens, _ = pipeline.encode_prompt(prompt, device, 1, False)
        return TextEmbedding(tokens, tokens[:, 0, :0])

    def words(self, text: TextEmbedding, negative: TextEmbedding | None) -> dict[str, torch.Tensor]:
        unwanted = {} if negative is None else {"negative_prompt_embeds": negative.tokens}
        return {"prompt_embeds": text.tokens, **unwanted}

    def crop_ids(self, crop: Crop) -> list[int]:
        return []

    def conditions(self, text: TextEmbedding, crop_ids: torch.Tensor) -> dict[str, Any]:
        return {"encoder_hidden_states": text.tokens}

    def modules(self, layers: AdapterLayers) -> tuple[str, ...]:
        return Sdxl().modules(layers)

    def webui_name(self, layer: str, unet_config: Mapping[str, Any]) -> str:
        return layer

    def webui_metadata(self, base_model: str, resolution: int) -> dict[str, str]:
        return {"ss_base_model_version": "sd_v1"}


class Alike:
    """A judge to whom every portrait is like the person."""

    reader = None

    def judged(self, pictures: list[np.ndarray]) -> Judgement:
        assert [picture.shape for picture in pictures] == [(EDGE, EDGE, 3)]
        return Judgement(100.0)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models folder with a random model of this family."""
    tokenizer = make_tokenizer(tmp_path, pad_token="<|endoftext|>")
    text_encoder, _ = make_text_encoders(tokenizer, TextSize(32, layers=2, heads=2))
    torch.manual_seed(1)
    unet = UNet2DConditionModel(
        sample_size=EDGE // 8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=1,
        attention_head_dim=2,
        cross_attention_dim=32,
        norm_num_groups=8,
    )
    StableDiffusionPipeline(
        vae=random_sdxl.make_vae(),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=random_sdxl.make_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(tmp_path / "models" / "one")
    return tmp_path / "models"


def dataset(store: FolderStore) -> str:
    """The key of a report of four grey pictures."""
    images = []
    for number in range(4):
        for part in ("image", "mask"):
            grey = np.full((EDGE, EDGE), 200 - 20 * number, np.uint8)
            store.write(f"{number}/{part}.png", cv2.imencode(".png", grey)[1].tobytes())
        images.append(
            DatasetImage(
                photo=f"{number}.jpg",
                image=f"{number}/image.png",
                mask=f"{number}/mask.png",
                pose="",
                caption="photo of {subject}",
                width=EDGE,
                height=EDGE,
                face_box=(16, 16, 24, 24),
            )
        )
    store.write("report.json", PreprocessReport(digest="d", images=images, ceiling=0.6).to_json().encode())
    return "report.json"


def test_a_person_is_learnt_and_drawn(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "FAMILIES", (*table.FAMILIES, OneEncoder()))
    monkeypatch.setattr(stage, "judge_of", lambda *_: Alike())
    store = FolderStore(tmp_path / "store")
    parameters = TrainParameters(
        base_model="one", rank=4, steps=2, batch=2, resolution=EDGE, crops_per_photo=1, checkpoint_steps=2,
        validation_images=1, validation_sampler_steps=1, learning_rate=1e-2,
    )  # fmt: skip
    order = TrainOrder(request=REQUEST, digest="a", output="adapter/", dataset=dataset(store), parameters=parameters)
    report = run_stage(stage.run, order, Stage.TRAIN, store, models=models)
    assert isinstance(report, TrainReport), report
    assert report.adapter is not None
    assert [checkpoint.likeness for checkpoint in report.checkpoints] == [100.0]
    engine = Engine.load(EngineConfig(models, "one", slots=1, maximum_rank=8, threads=1))
    adapter = AdapterGrant(key="a", url=report.adapter.key, sha256=report.adapter.sha256)
    for prompt in ("photo of sks person", "studio portrait " * 60):
        pictures = [
            engine.generate(
                GenerationOrder(
                    request=REQUEST, items=[GenerationItem(seed=1, prompt=prompt)], width=EDGE, height=EDGE, steps=2,
                    adapter=person,
                ),
                StoreFiles(store),
            )[0].pixels.astype(int)
            for person in (adapter, None)
        ]  # fmt: skip
        assert np.abs(pictures[0] - pictures[1]).max() > 1, prompt
    engine.close()
