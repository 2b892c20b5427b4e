"""Checkpoints in the store: complete, or not there. The manifest is written last and names what belongs to it."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from profile_contract.model import Tolerant
from profile_draw.finite import all_finite, check_finite
from profile_runtime.store.port import NotFound, Store, StoreError

from .judge import Judgement
from .optimising import Optimisation

log = logging.getLogger(__name__)

WEIGHTS, OPTIMISER, MANIFEST = "lora.safetensors", "optimiser.safetensors", "manifest.json"
# Measured after the checkpoint stands: a pod that is stopped while it measures loses no step.
LIKENESS = "likeness.json"


@dataclass(frozen=True)
class Saved:
    """A complete checkpoint: the mean loss since the one before, its likeness if it was measured, and how many of the
    portraits that it was judged by are copies of a photo.

    `skipped` steps before it were left out, and their noise was `redrawn` so many times.
    """

    step: int
    prefix: str
    loss: float
    likeness: float | None
    skipped: int = 0
    redrawn: int = 0
    copies: int = 0


class Manifest(Tolerant):
    """What a checkpoint consists of; it is written last."""

    step: int = Field(ge=1)
    loss: float = Field(allow_inf_nan=False)
    sha256: dict[str, str]
    skipped: int = Field(default=0, ge=0)
    redrawn: int = Field(default=0, ge=0)


class Noted(Tolerant):
    """What was noted of a checkpoint's portraits."""

    likeness: float | None = Field(default=None, strict=True)
    copies: int = Field(default=0, ge=0)


class Checkpoints:
    """The checkpoints of one order below `output`, for one attempt's settings."""

    def __init__(self, store: Store, output: str, settings_key: str) -> None:
        """`settings_key`: only checkpoints made with these settings count."""
        self._store, self._all = store, f"{output}checkpoints/"
        self._root = f"{self._all}{settings_key}/"

    def save(
        self,
        step: int,
        optimisation: Optimisation,
        loss: float,
        *,
        skipped: int = 0,
        redrawn: int = 0,
    ) -> Saved:
        """Upload weights and the optimiser's states whole, then the manifest; then older states may go.

        Raises NotFinite, and writes nothing, if a weight or a state is no number.
        """
        prefix = self._prefix(step)
        tensors, states = optimisation.delivered, optimisation.states
        check_finite(tensors)
        check_finite(states)
        files = {WEIGHTS: save(tensors), OPTIMISER: save(states)}
        # What stood here before training went back says nothing about these weights.
        self._delete(prefix + LIKENESS)
        for name, data in files.items():
            self._store.write(prefix + name, data)
        manifest = Manifest(
            step=step,
            loss=loss,
            sha256={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
            skipped=skipped,
            redrawn=redrawn,
        )
        self._store.write(prefix + MANIFEST, manifest.to_json().encode(), "application/json")
        self._forget_optimisers(before=step)
        return Saved(step, prefix, loss, None, skipped, redrawn)

    def _prefix(self, step: int) -> str:
        return f"{self._root}step-{step:06d}/"

    def score(self, saved: Saved, judgement: Judgement) -> None:
        """Note what the portraits of a checkpoint were worth."""
        self._store.write(saved.prefix + LIKENESS, json.dumps(asdict(judgement)).encode(), "application/json")

    def complete(self) -> list[Saved]:
        """All complete checkpoints, the earliest first. What cannot be read as one is none."""
        keys = {entry.key for entry in self._store.list(self._root)}
        read = (self._saved(key, keys) for key in keys if key.endswith("/" + MANIFEST))
        return sorted((saved for saved in read if saved is not None), key=lambda saved: saved.step)

    def _saved(self, key: str, keys: set[str]) -> Saved | None:
        """The checkpoint of a manifest; None if it is none, or lies elsewhere than it says."""
        prefix = key.removesuffix(MANIFEST)
        try:
            manifest = Manifest.model_validate_json(self._store.read(key))
        except ValidationError:
            log.warning("%s is no checkpoint's manifest and is left alone", key)
            return None
        if prefix != self._prefix(manifest.step):
            log.warning("%s tells of step %d, which lies elsewhere; it is left alone", key, manifest.step)
            return None
        noted = self._noted(prefix + LIKENESS) if prefix + LIKENESS in keys else Noted()
        return Saved(
            manifest.step, prefix, manifest.loss, noted.likeness, manifest.skipped, manifest.redrawn, noted.copies
        )

    def _noted(self, key: str) -> Noted:
        """The judgement that was noted; that of a checkpoint nobody judged for what cannot be read as one."""
        try:
            return Noted.model_validate_json(self._store.read(key))
        except ValidationError:
            return Noted()

    def weights(self, saved: Saved) -> dict[str, torch.Tensor] | None:
        """The adapter's weights at a checkpoint; None if they are not whole, or not finite."""
        try:
            tensors = load(self._read(saved, WEIGHTS))
        except (NotFound, SafetensorError):
            log.warning("the weights of step %d are not whole", saved.step)
            return None
        if not all_finite(tensors):
            log.warning("the weights of step %d are not finite", saved.step)
            return None
        return tensors

    def restore(self, saved: Saved, optimisation: Optimisation) -> bool:
        """Put a checkpoint's weights and states back; False, and nothing changed, if it is not whole or finite."""
        tensors = self.weights(saved)
        try:
            states = load(self._read(saved, OPTIMISER)) if tensors is not None else {}
        except (NotFound, SafetensorError):
            states = {}
        if tensors is None or not all_finite(states) or not optimisation.take_up(tensors, states):
            log.warning("checkpoint at step %d is not whole; taking an earlier one", saved.step)
            return False
        return True

    def _read(self, saved: Saved, name: str) -> bytes:
        """A file of a checkpoint. Raises NotFound for one that is not what the manifest says."""
        data = self._store.read(saved.prefix + name)
        wanted = Manifest.model_validate_json(self._store.read(saved.prefix + MANIFEST)).sha256.get(name)
        if hashlib.sha256(data).hexdigest() != wanted:
            raise NotFound(saved.prefix + name)
        return data

    def _forget_optimisers(self, before: int) -> None:
        """Optimiser states are thrice the adapter's size: only the latest is worth keeping."""
        for saved in self.complete():
            if saved.step < before:
                self._delete(saved.prefix + OPTIMISER)

    def finish(self) -> None:
        """Delete all checkpoints of the order, whatever their settings: the adapter is written, nothing is resumed.

        They hold a person as the adapter does. What a versioned bucket keeps of them goes with its next tidying.
        """
        self._delete(self._all)

    def _delete(self, key: str) -> None:
        try:
            self._store.delete(key)
        except StoreError as error:
            log.warning("%s stays: %s", key, error)
