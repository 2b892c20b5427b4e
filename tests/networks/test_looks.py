"""A person in looks: several adapters in one picture, as the library's own pipeline draws them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline

from profile_contract.stages.train import AdapterLayers
from profile_contract.style import Mode
from profile_draw.adapters.adapter_file import read_adapter, write_adapter
from profile_draw.adapters.known_forms import LayerNames
from profile_draw.adapters.look_file import LookReader
from profile_draw.adapters.webui import write_webui
from profile_draw.adapters.weights import AdapterWeights, LayerSize, LayerWeights, RowAdapters
from profile_draw.config import EngineConfig
from profile_draw.pipeline import Pipeline
from profile_draw.rows import Row, Shape
from profile_models import random_sdxl

SIZE, STEPS, GUIDANCE = 64, 3, 4.0
SHAPE = Shape(SIZE, SIZE, STEPS, GUIDANCE, Mode.TEXT_TO_IMAGE, 0.0, has_pose=False, control_weight=0.0, control_end=0.0)
PROMPT = "portrait of a person in golden light"
STYLE_BLOCK = "up_blocks.0.attentions.1."


@pytest.fixture(scope="module")
def pipeline(random_models: Path) -> Pipeline:
    return Pipeline.load(EngineConfig(random_models, random_sdxl.NAME, slots=4, device="cpu", threads=1))


def some(sizes: Mapping[str, LayerSize], seed: int, rank: int, alpha: float = 1.0) -> dict[str, LayerWeights]:
    """Weights that change a picture plainly."""
    random = torch.Generator().manual_seed(seed)

    def weights(size: LayerSize) -> LayerWeights:
        down, up = torch.randn(size.down(rank), generator=random), torch.randn(size.up(rank), generator=random)
        return LayerWeights((down * 0.1).half().float(), (up * 0.1).half().float(), alpha)

    return {name: weights(size) for name, size in sizes.items()}


@pytest.fixture(scope="module")
def files(pipeline: Pipeline) -> dict[str, bytes]:
    """Ann's adapter, and looks as other projects save them: of the block that carries style, and of convolutions."""
    bank, family = pipeline.bank, pipeline.family
    block = {name: size for name, size in bank.all_layers.items() if name.startswith(STYLE_BLOCK)}
    wide = {name: size for name, size in bank.all_layers.items() if name.startswith("up_blocks.1")}
    twin = partial(write_webui, webui_name=pipeline.webui_name, metadata=family.webui_metadata("sdxl", 1024))
    return {
        "ann": write_adapter(some(bank.layers, 1, 4), family.modules(AdapterLayers.ATTENTION), random_sdxl.NAME),
        "rim": twin(some(block, 2, 8)),
        "grain": twin(some(wide, 3, 2, alpha=0.5)),
    }


@pytest.fixture(scope="module")
def adapters(pipeline: Pipeline, files: dict[str, bytes]) -> dict[str, AdapterWeights]:
    bank = pipeline.bank
    names = LayerNames(bank.all_layers, pipeline.webui_name)
    looks = LookReader(random_sdxl.NAME, bank.all_layers, names, 16, pipeline.other_base)
    person = read_adapter(files["ann"], "ann", bank.layers, 16, torch.float32, base_model=random_sdxl.NAME)
    return {"ann": person, **{name: looks.read(files[name], name, torch.float32) for name in ("rim", "grain")}}


# Weights of each row's adapters, by their names.
ROWS: list[dict[str, float]] = [
    {"ann": 1.0, "rim": 0.6},
    {"ann": 0.9, "rim": 0.4, "grain": 1.2},
    {"ann": 1.0},
    {"rim": 1.0},
    {},
]


def row_of(number: int, adapters: Mapping[str, AdapterWeights]) -> Row:
    chosen: RowAdapters = [(adapters[name], weight) for name, weight in ROWS[number].items()]
    return Row(number, seed=10 + number, prompt=PROMPT, negative_prompt="hat", adapters=tuple(chosen))


@pytest.fixture(scope="module")
def by_the_library(
    random_models: Path, files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> list[np.ndarray]:
    """Each row as diffusers draws it: the files loaded by name, then `set_adapters`."""
    folder = tmp_path_factory.mktemp("adapters")
    library = StableDiffusionXLPipeline.from_pretrained(random_models / random_sdxl.NAME, local_files_only=True)
    library.set_progress_bar_config(disable=True)
    for name, content in files.items():
        (folder / f"{name}.safetensors").write_bytes(content)
        library.load_lora_weights(folder, weight_name=f"{name}.safetensors", adapter_name=name)
    pictures = []
    for number, row in enumerate(ROWS):
        library.enable_lora()
        if row:
            library.set_adapters(list(row), list(row.values()))
        else:
            library.disable_lora()
        drawn = library(
            PROMPT,
            negative_prompt="hat",
            width=SIZE,
            height=SIZE,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            generator=torch.Generator("cpu").manual_seed(10 + number),
            output_type="np",
        )
        pictures.append((drawn.images[0] * 255).round().astype(np.uint8))
    return pictures


def apart(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def test_a_person_in_looks_is_drawn_alone_as_set_adapters_draws_it(
    pipeline: Pipeline, adapters: dict[str, AdapterWeights], by_the_library: list[np.ndarray]
) -> None:
    for number, wanted in enumerate(by_the_library):
        drawn = pipeline.draw(SHAPE, [row_of(number, adapters)])
        assert apart(drawn[0], wanted) <= 1, ROWS[number]


def test_people_in_looks_and_people_without_are_drawn_together_as_each_alone(
    pipeline: Pipeline, adapters: dict[str, AdapterWeights], by_the_library: list[np.ndarray]
) -> None:
    """Two people with other looks, nobody, and a look alone, in one batch."""
    together = pipeline.draw(SHAPE, [row_of(number, adapters) for number in range(len(ROWS))])
    for number, wanted in enumerate(by_the_library):
        assert apart(together[number], wanted) <= 1, ROWS[number]


def test_every_adapter_is_seen_in_the_picture(by_the_library: list[np.ndarray]) -> None:
    """Else the two tests above would compare pictures in which nothing happened."""
    for number, picture in enumerate(by_the_library[:-1]):
        others = [other for place, other in enumerate(by_the_library) if place != number]
        assert min(apart(picture, other) for other in others) > 8


def test_a_look_leaves_nothing_in_a_slot_and_nobody_stays_beside_it(
    pipeline: Pipeline, adapters: dict[str, AdapterWeights], by_the_library: list[np.ndarray]
) -> None:
    """A look that changes a few layers, in the slot of a person who changed all of them."""
    people = [AdapterWeights(f"p{seed}", some(pipeline.bank.layers, seed, 4)) for seed in range(20, 24)]
    pipeline.draw(SHAPE, [Row(0, 1, PROMPT, adapters=((person, 1.0),)) for person in people])
    drawn = pipeline.draw(SHAPE, [row_of(3, adapters)])
    assert apart(drawn[0], by_the_library[3]) <= 1
