"""Training states that survive being cut: written under another name, then renamed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn


class Ema:
    """An exponential moving average of the weights of several networks: what is sampled from and delivered."""

    def __init__(self, networks: dict[str, nn.Module], decay: float) -> None:
        self.decay = decay
        self.weights = {
            name: {key: value.detach().clone() for key, value in network.state_dict().items()}
            for name, network in networks.items()
        }

    @torch.no_grad()
    def update(self, networks: dict[str, nn.Module], updates: int) -> None:
        """Early averages forget faster, or they would remember the random start."""
        keep = min(self.decay, (1 + updates) / (10 + updates))
        for name, network in networks.items():
            own = self.weights[name]
            for key, value in network.state_dict().items():
                if value.is_floating_point():
                    own[key].lerp_(value, 1 - keep)


def save(path: Path, state: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    torch.save(state, partial)
    partial.replace(path)


def load(path: Path) -> dict[str, Any] | None:
    """None where training has not begun."""
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
