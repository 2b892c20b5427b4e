"""AdaptedLayer: a layer of the UNet with the adapters of many people beside it, each row of a batch with its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from .adapters.weights import LayerSize, LayerWeights

# Layers that look at the text alone, which is the same at every step.
_OF_THE_TEXT = (".attn2.to_k", ".attn2.to_v")


class AdaptedLayer(nn.Module):
    """A linear layer or a convolution, and slots: `downs` (slots, rank, inputs x kernel), `ups` (slots, outputs, rank).

    Slots are as wide as the widest adapter that any of them held. `choose` says what is drawn with from then on, until
    `rest` leaves the layer alone.
    """

    base: nn.Linear | nn.Conv2d
    downs: torch.Tensor
    ups: torch.Tensor
    _folded: torch.Tensor | None
    _down: torch.Tensor | None
    _up: torch.Tensor | None
    _text: torch.Tensor | None
    _answer: torch.Tensor | None

    def __init__(self, base: nn.Linear | nn.Conv2d, slots: int, name: str) -> None:
        """`name`: the layer's, in its network."""
        super().__init__()
        self.base = base
        weight = base.weight
        self.size = size_of(base)
        self.register_buffer("downs", weight.new_zeros(slots, 0, weight[0].numel()), persistent=False)
        self.register_buffer("ups", weight.new_zeros(slots, len(weight), 0), persistent=False)
        self._ranks = [0] * slots
        self._of_the_text = f".{name}".endswith(_OF_THE_TEXT)
        self.rest()

    def put(self, slot: int, weights: LayerWeights) -> None:
        """Copy an adapter into a slot. Raises RuntimeError if it is another layer's: then nobody stands there whole."""
        self.wipe(slot)
        lacking = weights.rank - self.downs.shape[1]
        if lacking > 0:
            self.downs, self.ups = F.pad(self.downs, (0, 0, 0, lacking)), F.pad(self.ups, (0, lacking))
        self.downs[slot, : weights.rank].copy_(weights.down.flatten(1))
        self.ups[slot, :, : weights.rank].copy_(weights.up.flatten(1))
        if weights.scale != 1:
            self.ups[slot].mul_(weights.scale)
        self._ranks[slot] = weights.rank

    def wipe(self, slot: int) -> None:
        """Leave nothing of whoever stands there."""
        self._ranks[slot] = 0
        self.downs[slot].zero_()
        self.ups[slot].zero_()

    def choose(self, slots: torch.Tensor, weights: torch.Tensor, held: Sequence[int], *, fold: bool) -> None:
        """Draw with these slots at these weights, (rows, adapters of a row) each; a single row of them is for all rows.

        The adapters of a row stand side by side, as one that is as wide as all of them. `held`: the slots that are
        named. `fold`: what the adapters of the single row change is added to a copy of the layer's weight.
        """
        rank = max(self._ranks[slot] for slot in held)
        if not rank:
            return
        # Both matrices of a slot of no weight: nothing times what overflowed in somebody's would be no number.
        heard = weights.ne(0).to(self.downs.dtype)[..., None, None]
        down = (self.downs[slots, :rank] * heard).flatten(1, 2)
        up = (self.ups[slots, :, :rank] * weights[..., None, None]).transpose(1, 2).flatten(2)
        if fold:
            self._folded = self.base.weight + (up[0] @ down[0]).view_as(self.base.weight)
        elif self.size.kernel:
            self._down, self._up = down.unflatten(2, (self.size.inputs, *self.size.kernel)), up
        else:
            self._down, self._up = down.transpose(1, 2), up.transpose(1, 2)
        self._remembers = self._of_the_text

    def rest(self) -> None:
        """Draw with nobody's adapter, and keep nothing of what was drawn."""
        self._folded = self._down = self._up = self._text = self._answer = None
        self._remembers = False

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """What the layer makes of rows, each with its own adapters. Raises RuntimeError for other rows than chosen."""
        if torch.compiler.is_compiling() or not self._remembers:
            return self._adapted(values)
        if values is not self._text or self._answer is None:
            self._text, self._answer = values, self._adapted(values)
        return self._answer

    def _adapted(self, values: torch.Tensor) -> torch.Tensor:
        """The layer's answer and what the chosen adapters add to it."""
        base, folded, down, up = self.base, self._folded, self._down, self._up
        if folded is not None:
            if isinstance(base, nn.Linear):
                return F.linear(values, folded, base.bias)
            return base._conv_forward(values, folded, base.bias)
        answer: torch.Tensor = base(values)
        if down is None or up is None:
            return answer
        shared = len(down) == 1
        if isinstance(base, nn.Linear):
            rows = 1 if shared else len(values)
            middle = torch.bmm(values.reshape(rows, -1, values.shape[-1]), down)
            return torch.baddbmm(answer.reshape(rows, -1, answer.shape[-1]), middle, up).view_as(answer)
        # The rows are groups of channels, so that one convolution has another kernel for each.
        wide = values.reshape(-1 if shared else 1, len(down) * values.shape[1], *values.shape[2:])
        middle = F.conv2d(wide, down.flatten(0, 1), None, base.stride, base.padding, groups=len(down))
        change = F.conv2d(middle, up.flatten(0, 1)[..., None, None], groups=len(down))
        return answer + change.reshape(answer.shape)


def size_of(layer: nn.Linear | nn.Conv2d) -> LayerSize:
    """What adapters of a layer fit into."""
    return LayerSize(layer.weight.shape[1], layer.weight.shape[0], tuple(layer.weight.shape[2:]))
