"""Checkpoints in the store: complete, or not there. The manifest is written last and names what belongs to it."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass

import torch
from safetensors.torch import load, save

from profile_contract.store import NotFound, Store, StoreError

log = logging.getLogger(__name__)

WEIGHTS, OPTIMISER, MANIFEST = "lora.safetensors", "optimiser.safetensors", "manifest.json"
# Measured after the checkpoint stands: a pod that is stopped while it measures loses no step.
LIKENESS = "likeness.json"
MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Saved:
    """A complete checkpoint: the mean loss since the one before, its likeness if it could be measured."""

    step: int
    prefix: str
    loss: float
    likeness: float | None


class Checkpoints:
    """The checkpoints of one order below `output`, for one attempt's settings."""

    def __init__(self, store: Store, output: str, settings_key: str) -> None:
        """`settings_key`: only checkpoints made with these settings count."""
        self._store, self._root, self._settings = store, f"{output}checkpoints/{settings_key}/", settings_key

    def save(
        self,
        step: int,
        weights: dict[str, torch.nn.Parameter],
        optimiser: torch.optim.Optimizer,
        loss: float,
    ) -> Saved:
        """Upload weights and optimiser whole, then the manifest; then older optimisers may go."""
        prefix = f"{self._root}step-{step:06d}/"
        files = {WEIGHTS: save(_plain(weights)), OPTIMISER: save(_moments(weights, optimiser))}
        for name, data in files.items():
            self._store.write(prefix + name, data)
        manifest = {
            "step": step,
            "loss": loss,
            "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        }
        self._store.write(prefix + MANIFEST, json.dumps(manifest).encode(), "application/json")
        self._forget_optimisers(before=step)
        return Saved(step, prefix, loss, None)

    def score(self, saved: Saved, likeness: float | None) -> None:
        """Note how much the adapter was like the person at a checkpoint."""
        self._store.write(saved.prefix + LIKENESS, json.dumps(likeness).encode(), "application/json")

    def complete(self) -> list[Saved]:
        """All complete checkpoints, the earliest first."""
        keys = {entry.key for entry in self._store.list(self._root)}
        found = []
        for key in keys:
            if key.endswith("/" + MANIFEST):
                manifest, prefix = json.loads(self._store.read(key)), key.removesuffix(MANIFEST)
                scored = prefix + LIKENESS in keys
                likeness = json.loads(self._store.read(prefix + LIKENESS)) if scored else None
                found.append(Saved(manifest["step"], prefix, manifest["loss"], likeness))
        return sorted(found, key=lambda saved: saved.step)

    def weights(self, saved: Saved) -> dict[str, torch.Tensor]:
        """The adapter's weights at a checkpoint."""
        return load(self._read(saved, WEIGHTS))

    def restore(self, saved: Saved, weights: dict[str, torch.nn.Parameter], optimiser: torch.optim.Optimizer) -> bool:
        """Put a checkpoint's weights and optimiser back; False, and nothing changed, if a file is not whole."""
        try:
            tensors, moments = load(self._read(saved, WEIGHTS)), load(self._read(saved, OPTIMISER))
        except NotFound:
            log.warning("checkpoint at step %d is not whole; taking an earlier one", saved.step)
            return False
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(tensors[name])
        state = {
            number: {moment: moments[f"{moment}.{name}"] for moment in MOMENTS} for number, name in enumerate(weights)
        }
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
        return True

    def _read(self, saved: Saved, name: str) -> bytes:
        data = self._store.read(saved.prefix + name)
        wanted = json.loads(self._store.read(saved.prefix + MANIFEST))["sha256"][name]
        if hashlib.sha256(data).hexdigest() != wanted:
            raise NotFound(saved.prefix + name)
        return data

    def _forget_optimisers(self, before: int) -> None:
        """Optimiser states are thrice the adapter's size: only the latest is worth keeping."""
        for saved in self.complete():
            if saved.step < before:
                self._delete(saved.prefix + OPTIMISER)

    def finish(self) -> None:
        """Nothing will be resumed any more: no optimiser state is kept."""
        self._forget_optimisers(before=2**62)

    def _delete(self, key: str) -> None:
        try:
            self._store.delete(key)
        except StoreError as error:
            log.warning("an old optimiser state stays: %s", error)


def _plain(weights: dict[str, torch.nn.Parameter]) -> dict[str, torch.Tensor]:
    return {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}


def _moments(weights: dict[str, torch.nn.Parameter], optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    state = optimiser.state
    return {
        f"{moment}.{name}": state[weight][moment].detach().cpu().contiguous()
        for name, weight in weights.items()
        for moment in MOMENTS
    }
