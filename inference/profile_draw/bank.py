"""AdapterBank: adapters in slots beside the UNet's layers, filled by copying in place, chosen row by row."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .adapted import AdaptedLayer
from .adapters.weights import AdapterWeights, LayerSize, RowAdapters
from .slots import SlotTable

log = logging.getLogger(__name__)


class AdapterBank:
    """The slots of one UNet. To be used from one thread, but for `holds`.

        with bank.drawing([[(ann, 1.0)], [(ben, 0.8), (look, 0.5)], []], guided=True):
            ...  # the UNet draws three rows: Ann, Ben in a look, and nobody

    Outside of the block the UNet is the base model.
    """

    def __init__(
        self, unet: Any, slots: int, modules: Sequence[str], *, more: Sequence[str] = (), folds: bool | None = None
    ) -> None:
        """`modules`: the ends of the names of the layers that every person's adapter changes; `more`: of others that a
        look may change too, which cost nothing as long as none does.

        `folds`: where all rows of a batch have the same adapters, their change is added to copies of the weights: then
        they cost nothing more. By default where float32 is calculated in: what is coarser would round otherwise than
        beside other rows.
        """
        self._ends = tuple(f".{end}" for end in modules)
        adapted = adapted_layers(unet, (*modules, *more))
        unet.requires_grad_(requires_grad=False)
        self._device, dtype = unet.device, unet.dtype  # once: it walks the whole network
        self._folds = dtype is torch.float32 if folds is None else folds
        self._layers = {name: AdaptedLayer(layer, slots, name) for name, layer in adapted.items()}
        for name, layer in self._layers.items():
            parent, _, leaf = name.rpartition(".")
            setattr(unet.get_submodule(parent), leaf, layer)
        self._table = SlotTable(slots)
        log.info("%d slots in %d layers", slots, len(self._layers))

    @property
    def layers(self) -> Mapping[str, LayerSize]:
        """The layer set that every person's adapter must have."""
        return {name: size for name, size in self.all_layers.items() if f".{name}".endswith(self._ends)}

    @property
    def all_layers(self) -> Mapping[str, LayerSize]:
        """The layers of which a look changes some."""
        return {name: layer.size for name, layer in self._layers.items()}

    def holds(self, digest: str) -> bool:
        """Whether an adapter stands in a slot."""
        return self._table.holds(digest)

    @torch.no_grad()
    def fill(self, adapters: Iterable[AdapterWeights]) -> dict[str, int]:
        """Have these adapters in slots, all at the same time; the slot of each by its digest.

        If copying fails the slot is nobody's: what stood there before is never drawn with. Raises ValueError for more
        adapters than slots.
        """
        wanted = {adapter.sha256: adapter for adapter in adapters}
        slots = {}
        for placement in self._table.place(list(wanted)):
            if placement.fresh:
                self._table.empty(placement.slot)
                weights = wanted[placement.digest].layers
                for name, layer in self._layers.items():
                    # A look leaves layers alone, of which nothing of the one before may stay.
                    if name in weights:
                        layer.put(placement.slot, weights[name])
                    else:
                        layer.wipe(placement.slot)
                self._table.hold(placement.slot, placement.digest)
            slots[placement.digest] = placement.slot
        return slots

    @torch.no_grad()
    def clear(self, digests: Sequence[str]) -> int:
        """Wipe the slots that hold these; returns how many."""
        held = self._table.slots_of(digests)
        for slot in held:
            self._table.empty(slot)
            for layer in self._layers.values():
                layer.wipe(slot)
        return len(held)

    @contextmanager
    def drawing(self, rows: Sequence[RowAdapters], *, guided: bool) -> Iterator[None]:
        """Inside the block each row of the UNet's batch is drawn with its own adapters. Raises as `fill` does.

        `guided`: diffusers runs the negative prompts as as many rows before the positive ones.
        """
        slots = self.fill(adapter for row in rows for adapter, _ in row)
        try:
            self._choose([[(slots[adapter.sha256], weight) for adapter, weight in row] for row in rows], guided=guided)
            yield
        finally:
            for layer in self._layers.values():
                layer.rest()

    @torch.no_grad()
    def _choose(self, rows: Sequence[Sequence[tuple[int, float]]], *, guided: bool) -> None:
        """Tell every layer which slots its rows are drawn with."""
        held = sorted({slot for row in rows for slot, _ in row})
        if not held:
            return
        alike = all(row == rows[0] for row in rows)
        groups = [rows[0]] if alike else [*rows, *rows] if guided else list(rows)
        most = max(map(len, groups))
        # Where a row has fewer, a slot counts for nothing.
        filled = [[*group, *[(held[0], 0.0)] * (most - len(group))] for group in groups]
        slots = torch.tensor([[slot for slot, _ in group] for group in filled], device=self._device)
        weights = torch.tensor([[weight for _, weight in group] for group in filled], device=self._device)
        for layer in self._layers.values():
            layer.choose(slots, weights.to(layer.ups.dtype), held, fold=alike and self._folds)


def sharing_weights(network: Any) -> Any:
    """A network of the same tensors whose layers are its own: what is put in their place is not put into the other."""
    tensors = [*network.parameters(), *network.buffers()]
    return copy.deepcopy(network, {id(tensor): tensor for tensor in tensors})


def adapted_layers(unet: nn.Module, ends: Sequence[str]) -> dict[str, nn.Linear | nn.Conv2d]:
    """The layers of a network that adapters can change, of those whose names end so."""
    dotted = tuple(f".{end}" for end in ends)
    return {
        name: layer
        for name, layer in unet.named_modules()
        if f".{name}".endswith(dotted) and isinstance(layer, nn.Linear | nn.Conv2d)
    }
