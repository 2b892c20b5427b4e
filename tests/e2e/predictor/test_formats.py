"""Our files in plain diffusers: the served one and the twin for other programs draw what the bank draws."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline

from profile_cli.run.drawing import StoreFiles
from profile_contract.generation import AdapterGrant, GenerationItem, GenerationOrder
from profile_contract.stages.order import RequestRef
from profile_contract.stages.train import AdapterLayers
from profile_draw.adapters.adapter_file import write_adapter
from profile_draw.adapters.webui import write_webui
from profile_draw.adapters.weights import LayerSize, LayerWeights
from profile_models import random_sdxl
from profile_predictor.engine import Engine, EngineConfig
from profile_runtime.store.folder import FolderStore

pytestmark = pytest.mark.e2e
PROMPT = "portrait of sks woman"
RANK = 4


def person(sizes: dict[str, LayerSize]) -> dict[str, LayerWeights]:
    """An adapter of these layers, each with numbers of its own."""
    draw = torch.Generator().manual_seed(11)
    return {
        name: LayerWeights(
            0.15 * torch.randn(size.down(RANK), generator=draw), 0.15 * torch.randn(size.up(RANK), generator=draw), 1.0
        )
        for name, size in sizes.items()
    }


@pytest.mark.parametrize("layers", list(AdapterLayers))
def test_plain_diffusers_draws_our_files_as_the_bank_does(
    random_models: Path, grant: Callable[..., AdapterGrant], tmp_path: Path, layers: AdapterLayers
) -> None:
    engine = Engine.load(EngineConfig(random_models, random_sdxl.NAME, slots=1, adapter_layers=layers, threads=1))
    family, unet = engine._pipeline.family, engine._pipeline.unet
    adapter = person(dict(engine._pipeline.bank.layers))
    names = partial(family.webui_name, unet_config=unet.config)
    files = {
        "served.safetensors": write_adapter(adapter, family.modules(layers), random_sdxl.NAME),
        "twin.safetensors": write_webui(adapter, names, family.webui_metadata(random_sdxl.NAME, 64)),
    }
    store = FolderStore(tmp_path)
    for name, content in files.items():
        store.write(name, content)
    order = GenerationOrder(
        request=RequestRef(namespace="team", name="minji"),
        adapter=grant(tmp_path / "served.safetensors", url="served.safetensors"),
        items=[GenerationItem(seed=1, prompt=PROMPT)],
        width=64,
        height=96,
        steps=3,
    )
    ours = engine.generate(order, StoreFiles(store))[0].pixels.astype(int)
    nobody = engine.generate(order.model_copy(update={"adapter": None}), StoreFiles(store))[0].pixels
    engine.close()
    plain = StableDiffusionXLPipeline.from_pretrained(random_models / random_sdxl.NAME, local_files_only=True)
    plain.set_progress_bar_config(disable=True)
    # The few layers of a look change least, and still more than rounding does.
    assert np.abs(ours - nobody).max() > 3
    for name in files:
        plain.load_lora_weights(str(tmp_path), weight_name=name)
        theirs = plain(
            PROMPT,
            negative_prompt="",
            generator=torch.Generator().manual_seed(1),
            num_inference_steps=3,
            guidance_scale=5.0,
            width=64,
            height=96,
            output_type="np",
        ).images[0]
        plain.unload_lora_weights()
        assert np.abs((theirs * 255).round().astype(int) - ours).max() <= 1, name
