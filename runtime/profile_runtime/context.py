"""The context of a stage: what it is given beside its order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .progress import StageProgress
from .store.port import Store


@dataclass(frozen=True)
class StageContext:
    """Where a stage reads and writes, whom it tells how far it is, and the folder that holds the models.

    `signature`: the folder of the key and the certificates by which pictures are signed; None: they are not.
    """

    store: Store
    progress: StageProgress
    models: Path
    signature: Path | None = None

    @property
    def vision(self) -> Path:
        """The folder of the vision networks."""
        return self.models / "vision"
