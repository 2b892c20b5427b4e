"""An adapter's weights in memory, layer by layer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

# As PEFT names the parameters of an adapter that stands in a network.
_PARAMETER = re.compile(r"^(?P<layer>.+)\.lora_(?P<side>[AB])\.[^.]+\.weight$")


@dataclass(frozen=True)
class LayerSize:
    """Features of a layer that adapters change; `kernel`: of a convolution, its height and width."""

    inputs: int
    outputs: int
    kernel: tuple[int, ...] = ()

    def down(self, rank: int) -> tuple[int, ...]:
        """The shape of the matrix into so many directions: a convolution of the layer's own kernel."""
        return (rank, self.inputs, *self.kernel)

    def up(self, rank: int) -> tuple[int, ...]:
        """The shape of the matrix out of them: of a convolution, one of single pixels."""
        return (self.outputs, rank, *(1 for _ in self.kernel))


@dataclass(frozen=True)
class LayerWeights:
    """`down`: rank x inputs; `up`: outputs x rank; the layer's change is scale * up @ down. Shapes: `LayerSize`."""

    down: torch.Tensor
    up: torch.Tensor
    scale: float

    @property
    def rank(self) -> int:
        """How many directions the change has."""
        return self.down.shape[0]


@dataclass(frozen=True)
class AdapterWeights:
    """A checked adapter in host memory."""

    sha256: str
    layers: Mapping[str, LayerWeights] = field(repr=False, compare=False)

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return sum(layer.down.nbytes + layer.up.nbytes for layer in self.layers.values())


# Adapters of one row, each with its weight; together they change its layers by the sum of their changes.
RowAdapters = Sequence[tuple[AdapterWeights, float]]


def trained_layers(parameters: Mapping[str, torch.Tensor]) -> dict[str, LayerWeights]:
    """An adapter as it was trained, from PEFT's parameters by name; alpha was the rank, so that the scale is 1.

    Raises ValueError for a parameter that is none of an adapter's, and for a layer that lacks a matrix.
    """
    sides: dict[str, dict[str, torch.Tensor]] = {}
    for name, parameter in parameters.items():
        match = _PARAMETER.match(name)
        if match is None:
            raise ValueError(f"{name} is no matrix of an adapter")
        sides.setdefault(match["layer"], {})[match["side"]] = parameter
    for layer, matrices in sides.items():
        if len(matrices) != 2:
            raise ValueError(f"{layer} has only one of two matrices")
    return {layer: LayerWeights(matrices["A"], matrices["B"], 1.0) for layer, matrices in sides.items()}
