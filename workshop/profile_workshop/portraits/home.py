"""Where data and states of the portrait model lie: in the user's cache, shared by all clones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from profile_models.folders import cache_folder, models_folder, people_folder


@dataclass(frozen=True)
class PortraitsHome:
    root: Path
    renders: Path
    vision: Path

    @staticmethod
    def of_user() -> PortraitsHome:
        return PortraitsHome(cache_folder() / "studio-mini", people_folder() / "renders", models_folder() / "vision")

    @property
    def looks(self) -> Path:
        return self.root / "looks"

    @property
    def transform(self) -> Path:
        return self.root / "transform.npz"

    @property
    def autoencoder(self) -> Path:
        return self.root / "autoencoder"

    @property
    def merges(self) -> Path:
        return self.root / "portrait-merges.txt"

    @property
    def state(self) -> Path:
        return self.root / "portraits.pt"

    @property
    def cooled_state(self) -> Path:
        return self.root / "portraits-cooled.pt"
