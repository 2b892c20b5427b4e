"""What adapters cost where they are drawn with, as ratios (median and quartiles), in turns in one process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from peft import LoraConfig
from peft.tuners.lora.layer import LoraLayer

from profile_contract.stages.train import AdapterLayers
from profile_contract.style import Mode
from profile_draw.adapters.weights import AdapterWeights, LayerSize, LayerWeights
from profile_draw.bank import AdapterBank
from profile_draw.config import EngineConfig
from profile_draw.families.sdxl import Sdxl
from profile_draw.pipeline import Pipeline
from profile_draw.rows import Row, Shape
from profile_sandbox.paths import CLONE

if TYPE_CHECKING:
    from figures import Figures

    from .conftest import Compare, Comparison

SECTION = "Adapters"
MODEL = "studio-mini"
RANK = 16
PEOPLE = 8
PROMPT = "studio portrait of sks woman, warm light"
SHAPE = Shape(128, 128, 5, 2.0, Mode.TEXT_TO_IMAGE, 0.0, False, 0.0, 0.0)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Two threads on two cores that others use too would measure the others."""
    torch.set_num_threads(1)


def _adapter(layers: Mapping[str, LayerSize], seed: int, rank: int = RANK) -> AdapterWeights:
    """Somebody's adapter for these layers."""
    draw = torch.Generator().manual_seed(seed)
    weights = {
        name: LayerWeights(
            0.05 * torch.randn(size.down(rank), generator=draw), 0.05 * torch.randn(size.up(rank), generator=draw), 1.0
        )
        for name, size in layers.items()
    }
    return AdapterWeights(f"{seed:064d}", weights)


def _pipeline(**config: Any) -> Pipeline:
    return Pipeline.load(
        EngineConfig(CLONE / "models", MODEL, adapter_layers=AdapterLayers.TRANSFORMER, threads=1, **config)
    )


def _row(seed: int, person: AdapterWeights) -> Row:
    return Row(seed, seed, PROMPT, adapters=((person, 1.0),))


def test_one_person(figures: Figures, compare: Compare) -> None:
    pipeline = _pipeline(slots=1)
    person = _adapter(pipeline.bank.layers, 1)
    fused = StableDiffusionXLPipeline.from_pretrained(
        CLONE / "models" / MODEL, dtype=torch.float32, use_safetensors=True
    )
    fused.set_progress_bar_config(disable=True)
    with torch.no_grad():
        for name, weights in person.layers.items():
            fused.unet.get_submodule(name).weight += weights.up @ weights.down
    rows = [_row(seed, person) for seed in range(4)]
    # The bank reads the same words once, so the bare pipeline need not read them either.
    with torch.no_grad():
        words = fused.encode_prompt([PROMPT] * 4, negative_prompt=[""] * 4)
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")

    def bare() -> np.ndarray:
        drawn = fused(
            **dict(zip(names, words, strict=True)),
            generator=[torch.Generator().manual_seed(seed) for seed in range(4)],
            num_inference_steps=SHAPE.steps,
            guidance_scale=SHAPE.guidance,
            width=128,
            height=128,
            output_type="np",
        ).images
        return np.asarray((drawn * 255).round().astype(int))

    def bank() -> np.ndarray:
        return pipeline.draw(SHAPE, rows).astype(int)

    with torch.inference_mode():
        assert np.abs(bare() - bank()).max() <= 1
        comparison = compare(bare, bank, rounds=9)
    figures.add(
        SECTION,
        "one person, four portraits",
        str(comparison),
        f"CPU time through the bank against a bare pipeline with the adapter fused: {comparison.second:.2f} s against "
        f"{comparison.first:.2f} s; {MODEL}, rank {RANK}, {SHAPE.steps} steps, 128 px; goal: 1.05",
    )


def _in_one_batch(pipeline: Pipeline, rows: Sequence[Row], compare: Compare, rounds: int) -> Comparison:
    """All rows at once, then one after another: the same pictures, and the time of both."""
    together = pipeline.draw(SHAPE, rows).astype(int)
    for place, row in enumerate(rows):
        assert np.abs(pipeline.draw(SHAPE, [row])[0] - together[place]).max() <= 1

    def alone() -> None:
        for row in rows:
            pipeline.draw(SHAPE, [row])

    return compare(lambda: pipeline.draw(SHAPE, rows), alone, rounds=rounds)


def test_eight_people_in_one_batch(figures: Figures, compare: Compare) -> None:
    pipeline = _pipeline(slots=PEOPLE)
    rows = [_row(seed, _adapter(pipeline.bank.layers, seed)) for seed in range(PEOPLE)]
    comparison = _in_one_batch(pipeline, rows, compare, rounds=7)
    figures.add(
        SECTION,
        "eight people, a portrait each",
        str(comparison),
        f"CPU time one after another against in one batch: {comparison.second:.2f} s against {comparison.first:.2f} s; "
        f"{MODEL}, rank {RANK}, {SHAPE.steps} steps, 128 px; goal: 2; two rows keep a core busy already, of which a "
        "batch makes no less work: a card has room for more",
    )


def _deep_unet() -> Any:
    """A UNet of SDXL's depth, 560 layers of attention, thin: what a call costs beside its arithmetic."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(32, 64, 64),
        cross_attention_dim=128,
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(1, 2, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=16,
        projection_class_embeddings_input_dim=160,
        norm_num_groups=16,
    )
    return unet.eval().requires_grad_(requires_grad=False)


class _Peft:
    """The library's own way to a mixed batch: names of adapters for every layer, which a hook hands over."""

    def __init__(self, people: Sequence[AdapterWeights], rank: int) -> None:
        self.unet, self.names = _deep_unet(), list[str]()
        modules = list(Sdxl().modules(AdapterLayers.ATTENTION))
        for person in people:
            self.unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=modules), person.sha256)
        for name, layer in self.unet.named_modules():
            if isinstance(layer, LoraLayer):
                for person in people:
                    layer.lora_A[person.sha256].weight.data.copy_(person.layers[name].down)
                    layer.lora_B[person.sha256].weight.data.copy_(person.layers[name].up)
                layer.register_forward_pre_hook(
                    lambda _, given, named: (given, {**named, "adapter_names": self.names}), with_kwargs=True
                )


@pytest.mark.parametrize(("count", "rows"), [(1, 4), (8, 8)])
def test_at_the_depth_of_sdxl(figures: Figures, compare: Compare, count: int, rows: int) -> None:
    rank = 8
    bare, ours = _deep_unet(), _deep_unet()
    bank = AdapterBank(ours, PEOPLE, Sdxl().modules(AdapterLayers.ATTENTION), folds=False)
    assert len(bank.layers) == 560
    people = [_adapter(bank.layers, seed, rank) for seed in range(count)]
    peft = _Peft(people, rank)
    chosen = [people[row * count // rows] for row in range(rows)]
    peft.names = [person.sha256 for person in chosen] * 2
    # Next to nothing to calculate: what is left is what a host does for each layer, while a card calculates.
    picture, text = torch.randn(2 * rows, 4, 4, 4), torch.randn(2 * rows, 2, 128)
    added = {"text_embeds": torch.randn(2 * rows, 64), "time_ids": torch.zeros(2 * rows, 6)}

    def call(unet: Any) -> torch.Tensor:
        # Other text than before: the bank would keep its keys and values, as it does from step to step.
        return torch.as_tensor(unet(picture, 500, text.clone(), added_cond_kwargs=added).sample)

    def next_step() -> torch.Tensor:
        return torch.as_tensor(ours(picture, 500, text, added_cond_kwargs=added).sample)

    with torch.inference_mode(), bank.drawing([[(person, 1.0)] for person in chosen], guided=True):
        assert (call(ours) - call(peft.unet)).abs().max() < 1e-3
        after = compare(lambda: call(bare), lambda: call(ours), rounds=9)
        before = compare(lambda: call(bare), lambda: call(peft.unet), rounds=9)
        kept = compare(lambda: call(bare), next_step, rounds=9)
    cost, then = 1000 * (after.second - after.first), 1000 * (before.second - before.first)
    saved = 1000 * (after.second - kept.second)
    goal = 10 if count == 1 else 30
    figures.add(
        SECTION,
        f"560 adapted layers, {count} in {2 * rows} rows",
        f"{then / cost:.1f}" if cost > 0 else "free",
        f"CPU time that adapters add to a call of the UNet: {then:.0f} ms by PEFT's mixed batch against {cost:.0f} ms, "
        f"over {1000 * after.first:.0f} ms without; SDXL's depth, thin channels, tiny pictures, rank {rank}, not "
        f"folded; goal: {goal} ms; from the second step on the text's keys and values are kept, which takes "
        f"{saved:.0f} ms away",
    )


def _look(layers: Mapping[str, LayerSize], seed: int, rank: int) -> AdapterWeights:
    """A look, where looks are learnt: in the one group of transformers where style lives."""
    own = {name: size for name, size in layers.items() if name.startswith("up_blocks.0.attentions.1.")}
    assert own
    return _adapter(own, seed, rank)


def test_a_look_beside_a_person_at_the_depth_of_sdxl(figures: Figures, compare: Compare) -> None:
    rank, rows = 8, 4
    unet = _deep_unet()
    bank = AdapterBank(unet, 8, Sdxl().modules(AdapterLayers.ATTENTION), folds=False)
    assert len(bank.layers) == 560
    person = _adapter(bank.layers, 1, rank)
    looks = {"where looks are learnt": _look(bank.layers, 2, rank), "in all 560 layers": _adapter(bank.layers, 3, rank)}
    # Eight times as many cells as where only a host's calls are measured, and still next to nothing for a card.
    picture, text = torch.randn(2 * rows, 4, 16, 16), torch.randn(2 * rows, 8, 128)
    added = {"text_embeds": torch.randn(2 * rows, 64), "time_ids": torch.zeros(2 * rows, 6)}

    def picture_with(*adapters: AdapterWeights) -> None:
        """A picture's steps, with what is done once for it."""
        with bank.drawing([[(adapter, 0.6) for adapter in adapters]] * rows, guided=True):
            for step in range(SHAPE.steps):
                unet(picture, 500 - step, text, added_cond_kwargs=added)

    with torch.inference_mode():
        for place, look in looks.items():
            found = compare(lambda: picture_with(person), lambda look=look: picture_with(person, look), rounds=9)
            figures.add(
                SECTION,
                f"one person with a look {place}",
                str(found),
                f"CPU time of a picture's {SHAPE.steps} steps against those of the person alone: {found.second:.2f} s "
                f"against {found.first:.2f} s; SDXL's depth, thin channels, {2 * rows} rows, rank {rank} each, not "
                "folded; goal: 1.10",
            )


def test_eight_people_with_four_looks_in_one_batch(figures: Figures, compare: Compare) -> None:
    pipeline = _pipeline(slots=PEOPLE + 4)
    layers = pipeline.bank.layers
    looks = [_adapter(layers, 100 + number) for number in range(4)]
    rows = [
        Row(seed, seed, PROMPT, adapters=((_adapter(layers, seed), 0.9), (looks[seed % 4], 0.6)))
        for seed in range(PEOPLE)
    ]
    found = _in_one_batch(pipeline, rows, compare, rounds=3)
    figures.add(
        SECTION,
        "eight people with four looks, a portrait each",
        str(found),
        f"CPU time one after another against in one batch: {found.second:.2f} s against {found.first:.2f} s; {MODEL}, "
        f"rank {RANK} each, {SHAPE.steps} steps, 128 px; goal: 2, which a processor's core cannot give: it multiplies "
        "one row at the speed of sixteen",
    )


def test_eight_people_with_four_looks_at_the_depth_of_sdxl(figures: Figures, compare: Compare) -> None:
    rank = 8
    unet = _deep_unet()
    bank = AdapterBank(unet, PEOPLE + 4, Sdxl().modules(AdapterLayers.ATTENTION), folds=False)
    looks = [_look(bank.layers, 100 + number, rank) for number in range(4)]
    people = [_adapter(bank.layers, seed, rank) for seed in range(PEOPLE)]
    chosen = [[(person, 0.9), (looks[place % 4], 0.6)] for place, person in enumerate(people)]
    picture, text = torch.randn(2 * PEOPLE, 4, 4, 4), torch.randn(2 * PEOPLE, 2, 128)
    added = {"text_embeds": torch.randn(2 * PEOPLE, 64), "time_ids": torch.zeros(2 * PEOPLE, 6)}

    def draw(places: Sequence[int]) -> torch.Tensor:
        """One step for some of the people: with guidance, a row each of two."""
        rows = [*places, *(PEOPLE + place for place in places)]
        named = {name: values[rows] for name, values in added.items()}
        with bank.drawing([chosen[place] for place in places], guided=True):
            return torch.as_tensor(unet(picture[rows], 500, text[rows], added_cond_kwargs=named).sample)

    def alone() -> torch.Tensor:
        steps = [draw([place]) for place in range(PEOPLE)]
        return torch.cat([*(step[:1] for step in steps), *(step[1:] for step in steps)])

    with torch.inference_mode():
        assert (draw(range(PEOPLE)) - alone()).abs().max() < 1e-3
        found = compare(lambda: draw(range(PEOPLE)), alone, rounds=7)
    figures.add(
        SECTION,
        "eight people with four looks, 560 layers",
        str(found),
        f"CPU time of a step one after another against in one batch: {1000 * found.second:.0f} ms against "
        f"{1000 * found.first:.0f} ms; SDXL's depth, thin channels, tiny pictures, rank {rank}: what a host does for "
        "each layer, while a card calculates; goal: 2",
    )
