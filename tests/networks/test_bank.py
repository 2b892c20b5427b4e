"""The bank of adapters: every row with its own, as if each had been drawn alone by the library's own layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora.layer import LoraLayer
from torch import nn

from profile_draw.adapted import AdaptedLayer
from profile_draw.adapters.weights import AdapterWeights, LayerSize, LayerWeights, RowAdapters
from profile_draw.bank import AdapterBank
from properties import examples

MODULES = ("to_q", "to_k", "conv1", "conv", "time_emb_proj")
LAYERS = {
    "attn1.to_q": LayerSize(6, 5),
    "attn2.to_k": LayerSize(4, 5),
    "time_emb_proj": LayerSize(7, 6),
    "conv1": LayerSize(6, 6, (3, 3)),
    "conv": LayerSize(6, 3, (1, 1)),
}
RANKS = (1, 2, 4, 8)
# Of float32 beside numbers of about one.
ROUNDING = 2e-5


class Block(nn.Module):
    """Every kind of layer that adapters change: of pictures, of tokens, of text, of time."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attn1 = nn.ModuleDict({"to_q": nn.Linear(6, 5, bias=False)})
        self.attn2 = nn.ModuleDict({"to_k": nn.Linear(4, 5, bias=False)})
        self.time_emb_proj = nn.Linear(7, 6)
        self.conv1 = nn.Conv2d(6, 6, 3, stride=2, padding=1)
        self.conv = nn.Conv2d(6, 3, 1)
        self.untouched = nn.Linear(5, 5)
        self.to(dtype)

    @property
    def dtype(self) -> torch.dtype:
        return self.untouched.weight.dtype

    @property
    def device(self) -> torch.device:
        return self.untouched.weight.device

    def forward(self, picture: torch.Tensor, text: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        hidden = self.conv1(picture) + self.time_emb_proj(time)[..., None, None]
        tokens = hidden.flatten(2).transpose(1, 2)
        query: torch.Tensor = self.attn1["to_q"](tokens)
        key: torch.Tensor = self.attn2["to_k"](text)
        seen = self.untouched((query @ key.transpose(1, 2)).softmax(-1) @ key)
        return torch.cat([self.conv(hidden).flatten(1), seen.flatten(1)], dim=1)


def inputs(rows: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(7)
    shapes = [(rows, 6, 8, 6), (rows, 9, 4), (rows, 7)]
    return tuple(torch.randn(shape, generator=random).to(dtype) for shape in shapes)


def adapter(name: str, rank: int = 4, scale: float = 1.0, dtype: torch.dtype = torch.float32) -> AdapterWeights:
    """Somebody's, other numbers for other names."""
    random = torch.Generator().manual_seed(sum(map(ord, name)))

    def weights(size: LayerSize) -> LayerWeights:
        down, up = torch.randn(size.down(rank), generator=random), torch.randn(size.up(rank), generator=random)
        return LayerWeights((down * 0.3).to(dtype), (up * 0.3).to(dtype), scale)

    return AdapterWeights(name, {layer: weights(size) for layer, size in LAYERS.items()})


def bank(slots: int = 3, folds: bool | None = None) -> tuple[Block, AdapterBank]:
    block = Block()
    return block, AdapterBank(block, slots, MODULES, folds=folds)


def drawn(block: Block, rows: list[RowAdapters], filled: AdapterBank, *, guided: bool = False) -> torch.Tensor:
    with filled.drawing(rows, guided=guided), torch.inference_mode():
        return torch.as_tensor(block(*inputs(len(rows) * (2 if guided else 1))))


def by_the_library(row: RowAdapters, place: int, rows: int) -> torch.Tensor:
    """What PEFT's layers make of one row of so many, all of its adapters active at their weights."""
    block: Any = Block()
    names = [adapter.sha256 for adapter, _ in row]
    for name, (person, _) in zip(names, row, strict=True):
        rank = next(iter(person.layers.values())).rank
        inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(MODULES)), block, name)
    for layer_name, layer in block.named_modules():
        if isinstance(layer, LoraLayer):
            layer.set_adapter(names)
            for name, (person, weight) in zip(names, row, strict=True):
                weights = person.layers[layer_name]
                layer.lora_A[name].weight.data.copy_(weights.down)
                layer.lora_B[name].weight.data.copy_(weights.up)
                layer.scaling[name] = weights.scale * weight
    with torch.inference_mode():
        return torch.as_tensor(block(*(part[place : place + 1] for part in inputs(rows))))[0]


ANN, BEN, LOOK = adapter("ann"), adapter("ben", rank=2, scale=0.5), adapter("look", rank=8)
ROWS: list[RowAdapters] = [
    [(ANN, 1.0)],
    [],
    [(BEN, 0.7), (LOOK, 0.4)],
    [(ANN, 0.5), (LOOK, 1.2)],
    [(BEN, 1.5)],
    [(ANN, 0.6), (BEN, 1.0), (LOOK, -0.5)],
    [(LOOK, 0.0)],
]


def test_every_row_of_a_mixed_batch_is_as_the_library_draws_it_alone() -> None:
    """People, looks beside people, and nobody, at their own weights and ranks."""
    block, filled = bank()
    together = drawn(block, ROWS, filled)
    for place, row in enumerate(ROWS):
        assert (together[place] - by_the_library(row, place, len(ROWS))).abs().max() < ROUNDING, place
    assert (together[0] - by_the_library([], 0, len(ROWS))).abs().max() > 0.1


@pytest.mark.parametrize("folds", [True, False])
@pytest.mark.parametrize(
    "row",
    ROWS,
    ids=[
        "person",
        "nobody",
        "person in a look",
        "both at other weights",
        "strong",
        "three, one taken away",
        "weight 0",
    ],
)
def test_a_batch_of_one_person_is_drawn_alike(row: RowAdapters, *, folds: bool) -> None:
    """Whether the change is added to the weights or to what they give."""
    block, filled = bank(folds=folds)
    together = drawn(block, [row] * 3, filled)
    for place in range(3):
        assert (together[place] - by_the_library(row, place, 3)).abs().max() < ROUNDING


@examples(40)
@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.floats(-1.5, 1.5)), max_size=3), min_size=1, max_size=5))
def test_whatever_is_mixed_a_row_does_not_know_the_others(rows: list[list[tuple[int, float]]]) -> None:
    people = [adapter(f"p{number}", rank) for number, rank in enumerate(RANKS)]
    chosen: list[RowAdapters] = [[(people[number], weight) for number, weight in row] for row in rows]
    block, filled = bank(slots=4, folds=False)
    together = drawn(block, chosen, filled)
    for place, row in enumerate(chosen):
        nobody: list[RowAdapters] = [[] for _ in chosen]
        nobody[place] = row
        assert (together[place] - drawn(block, nobody, filled)[place]).abs().max() < ROUNDING


def test_an_adapter_that_overflows_leaves_the_rows_beside_it_alone() -> None:
    sound = adapter("huge")
    layers = {name: replace(weights, down=weights.down * 1e38) for name, weights in sound.layers.items()}
    block, filled = bank(folds=False)
    rows: list[RowAdapters] = [[(replace(sound, layers=layers), 1.0)], [], [(ANN, 1.0)]]
    together = drawn(block, rows, filled)
    assert not together[0].isfinite().all()
    alone: list[RowAdapters] = [[], [], [(ANN, 1.0)]]
    assert (together[1:] - drawn(block, alone, filled)[1:]).abs().max() < ROUNDING


def test_guidance_doubles_the_rows() -> None:
    """The negative prompts are as many rows before the positive ones, in the same order."""
    block, filled = bank()
    rows: list[RowAdapters] = [[(ANN, 1.0)], [(BEN, 1.0)], []]
    guided = drawn(block, rows, filled, guided=True)
    assert torch.allclose(guided, drawn(block, [*rows, *rows], filled), atol=ROUNDING)
    with pytest.raises(RuntimeError), filled.drawing(rows, guided=True), torch.inference_mode():
        block(*inputs(3))


# --- slots ---


def test_slots_are_as_wide_as_what_they_hold() -> None:
    block, filled = bank()
    layer = block.get_submodule("attn1.to_q")
    assert isinstance(layer, AdaptedLayer)
    assert layer.downs.shape == (3, 0, 6)
    filled.fill([BEN])
    assert (layer.downs.shape, layer.ups.shape) == ((3, 2, 6), (3, 5, 2))
    before = drawn(block, [[(BEN, 1.0)]], filled)
    filled.fill([LOOK])
    assert (layer.downs.shape, layer.ups.shape) == ((3, 8, 6), (3, 5, 8))
    assert torch.equal(drawn(block, [[(BEN, 1.0)]], filled), before), "who stood there stands there still"
    with filled.drawing([[(BEN, 1.0)], []], guided=False):
        assert layer._down is not None
        assert layer._down.shape == (2, 6, 2), "a narrow adapter costs no more because a wide one stands beside it"


def test_a_swap_is_a_copy_in_place() -> None:
    block, filled = bank(slots=1)
    filled.fill([ANN])
    layer = block.get_submodule("conv1")
    assert isinstance(layer, AdaptedLayer)
    stood = layer.downs.data_ptr()
    filled.fill([BEN])
    assert layer.downs.data_ptr() == stood
    assert not layer.downs[0, 2:].any(), "nothing of a wider adapter stays beside a narrower one"
    assert not layer.ups[0, :, 2:].any()
    assert (drawn(block, [[(BEN, 1.0)]], filled)[0] - by_the_library([(BEN, 1.0)], 0, 1)).abs().max() < ROUNDING


def test_a_slot_that_is_cleared_holds_zeros() -> None:
    block, filled = bank()
    drawn(block, [[(ANN, 1.0)], [(BEN, 1.0)]], filled)
    assert filled.clear(["nobody", "ann"]) == 1
    assert (filled.holds("ann"), filled.holds("ben")) == (False, True)
    for layer in block.modules():
        if isinstance(layer, AdaptedLayer):
            assert sum(bool(slot.any()) for slot in layer.downs) == sum(bool(slot.any()) for slot in layer.ups) == 1


def kept_tensors(block: Block) -> Iterator[torch.Tensor]:
    """What layers hold beside their weights and slots."""
    for layer in block.modules():
        if isinstance(layer, AdaptedLayer):
            yield from (value for value in vars(layer).values() if isinstance(value, torch.Tensor))


@pytest.mark.parametrize("rows", [[[(ANN, 1.0)]], [[(ANN, 1.0)], []]], ids=["folded", "mixed"])
def test_outside_of_a_batch_it_is_the_base_model(rows: list[RowAdapters]) -> None:
    """And nothing of a person is kept but their slot, however a batch ends."""
    block, filled = bank()
    with torch.inference_mode():
        plain = Block()(*inputs(2))
        drawn(block, rows, filled)
        assert torch.equal(block(*inputs(2)), plain)
        with pytest.raises(RuntimeError), filled.drawing(rows, guided=False):
            block(*inputs(2)[::-1])
        assert torch.equal(block(*inputs(2)), plain)
    assert list(kept_tensors(block)) == []


def test_folding_does_not_drift() -> None:
    block, filled = bank()
    before = {name: weight.clone() for name, weight in block.named_parameters()}
    first = drawn(block, [[(ANN, 1.0)]], filled)
    for _ in range(5):
        drawn(block, [[(BEN, 1.3)]], filled)
    assert torch.equal(drawn(block, [[(ANN, 1.0)]], filled), first)
    assert all(torch.equal(weight, before[name]) for name, weight in block.named_parameters())


def test_half_precision_is_not_folded() -> None:
    """It would round otherwise than beside other rows: the same picture must come out."""
    block = Block(torch.bfloat16)
    filled = AdapterBank(block, 2, MODULES)
    ann = adapter("ann", dtype=torch.bfloat16)
    with torch.inference_mode():
        with filled.drawing([[(ann, 1.0)], []], guided=False):
            mixed = block(*inputs(2, torch.bfloat16))[0]
        with filled.drawing([[(ann, 1.0)]], guided=False):
            assert not any(layer._folded is not None for layer in block.modules() if isinstance(layer, AdaptedLayer))
            alone = block(*(part[:1] for part in inputs(2, torch.bfloat16)))[0]
    assert (mixed - alone).abs().max() <= 2**-6


@pytest.mark.parametrize("spoilt", ["attn1.to_q", "conv"])
def test_a_copy_that_fails_leaves_the_slot_to_nobody(spoilt: str) -> None:
    block, filled = bank(slots=1)
    drawn(block, [[(ANN, 1.0)]], filled)
    size = replace(LAYERS[spoilt], inputs=9)
    broken = {**BEN.layers, spoilt: LayerWeights(torch.zeros(size.down(2)), BEN.layers[spoilt].up, 1.0)}
    with pytest.raises(RuntimeError):
        drawn(block, [[(AdapterWeights("broken", broken), 1.0)]], filled)
    assert not filled.holds("ann")
    assert not filled.holds("broken")
    assert torch.allclose(drawn(block, [[]], filled), Block()(*inputs(1)), atol=ROUNDING)
    assert (drawn(block, [[(ANN, 1.0)]], filled)[0] - by_the_library([(ANN, 1.0)], 0, 1)).abs().max() < ROUNDING


def test_more_people_than_slots_are_not_drawn() -> None:
    block, filled = bank(slots=2)
    with pytest.raises(ValueError, match="3 adapters do not fit into 2 slots"):
        drawn(block, [[(ANN, 1.0)], [(BEN, 1.0)], [(LOOK, 1.0)]], filled)


# --- speed that must not be lost ---


def test_keys_of_the_text_are_calculated_once_a_batch() -> None:
    block, filled = bank()
    layer = block.get_submodule("attn2.to_k")
    picture, text, time = inputs(2)
    calls = []
    layer.base.register_forward_hook(lambda *_: calls.append(1))  # type: ignore[union-attr]
    rows: list[RowAdapters] = [[(ANN, 1.0)], [(BEN, 1.0)]]
    with torch.inference_mode():
        with filled.drawing(rows, guided=False):
            first, again = block(picture, text, time), block(picture, text, time)
            other = block(picture, text * 2, time)
        with filled.drawing(rows[::-1], guided=False):
            swapped = block(picture, text, time)
    assert len(calls) == 3
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first, swapped)


@pytest.mark.parametrize("rows", [[[(ANN, 1.0)], [(BEN, 0.5), (LOOK, 1.0)]], [[(ANN, 1.0)]] * 2], ids=["mixed", "one"])
@pytest.mark.parametrize("folds", [True, False])
def test_a_block_is_compiled_as_one_graph(rows: list[RowAdapters], *, folds: bool) -> None:
    """And not again for another person."""
    block, filled = bank(folds=folds)
    torch._dynamo.reset()
    graphs = []

    def backend(graph: torch.fx.GraphModule, _: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(block, fullgraph=True, backend=backend, dynamic=False)
    with torch.inference_mode():
        for chosen in (rows, rows[::-1], [[(adapter("cem"), weight) for _, weight in row] for row in rows]):
            with filled.drawing(chosen, guided=False):
                assert torch.allclose(compiled(*inputs(2)), block(*inputs(2)), atol=ROUNDING)
    assert len(graphs) <= 2
