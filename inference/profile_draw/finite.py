"""Tensors that hold numbers: one that does not is neither kept nor delivered."""

from __future__ import annotations

from collections.abc import Mapping

import torch


class NotFinite(ArithmeticError):
    """A tensor holds what is no finite number; the message names it."""


def check_finite(tensors: Mapping[str, torch.Tensor]) -> None:
    """Raises NotFinite if a tensor holds infinity or NaN."""
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise NotFinite(f"{name} is not finite")


def all_finite(tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether every tensor holds finite numbers alone."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())
