"""Muon for networks with convolutions: orthogonalised momentum for matrices and kernels, AdamW for the rest.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks", with the step size of Liu et al. 2025,
"Muon is scalable for LLM training" (0.2 x sqrt(longer side)), so that AdamW's learning rates apply. torch's own Muon
takes matrices alone; a kernel counts as the matrix (out, in x height x width).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch

# Coefficients of the quintic Newton-Schulz iteration, from the authors' code.
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5
MOMENTUM = 0.95


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    """About the nearest matrix (m, n) whose singular values are all one.

    In bfloat16, as the authors do: a third of float32's time on a processor, and what is lost (a fiftieth of the
    matrix) is less than what five rounds leave to be done anyway.
    """
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    current = matrix.T if tall else matrix
    current = (current / (current.norm() + 1e-7)).bfloat16()
    for _ in range(ROUNDS):
        gram = current @ current.T
        current = torch.addmm(a * current, torch.addmm(b * gram, gram, gram, alpha=c), current)
    return (current.T if tall else current).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """For parameters of two dimensions or more."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], *, lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                update = _update(self._ahead(weight, weight.grad))
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update, alpha=-group["lr"])

    def _ahead(self, weight: torch.nn.Parameter, gradient: torch.Tensor) -> torch.Tensor:
        """Nesterov's look ahead along the momentum."""
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(state["momentum"], MOMENTUM)


def _update(ahead: torch.Tensor) -> torch.Tensor:
    """Of the size that AdamW's would have."""
    matrix = orthogonalised(ahead.reshape(len(ahead), -1))
    return matrix.view_as(ahead) * (0.2 * math.sqrt(max(matrix.shape)))


class Optimiser:
    """Muon for what has two dimensions or more, AdamW for biases, norms and vocabularies."""

    def __init__(self, parameters: Sequence[torch.nn.Parameter], *, rate: float, small_rate: float) -> None:
        matrices = [weight for weight in parameters if weight.ndim > 1 and not _is_vocabulary(weight)]
        others = [weight for weight in parameters if weight.ndim <= 1 or _is_vocabulary(weight)]
        self._muon = Muon(matrices, lr=rate, weight_decay=1e-3)
        self._adam = torch.optim.AdamW(others, lr=small_rate, betas=(0.9, 0.99), weight_decay=0.0)
        self._rates = (rate, small_rate)

    def step(self, share: float) -> None:
        """One step at a share (0 to 1) of the full rates."""
        for optimiser, rate in zip((self._muon, self._adam), self._rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * share
            optimiser.step()

    def zero_grad(self) -> None:
        self._muon.zero_grad(set_to_none=True)
        self._adam.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        return {"muon": self._muon.state_dict(), "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._muon.load_state_dict(state["muon"])
        self._adam.load_state_dict(state["adam"])


def _is_vocabulary(weight: torch.nn.Parameter) -> bool:
    """Rows of a table of words are not directions to be made orthogonal; few are seen in a step.

    (The widest other matrix, of a gated feed-forward layer, is eight times as high as wide.)
    """
    return weight.ndim == 2 and weight.shape[0] > 8 * weight.shape[1]
