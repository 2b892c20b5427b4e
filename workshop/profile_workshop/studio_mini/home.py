"""Where studio-mini's data and checkpoints lie: in the user's cache, shared by all clones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from profile_models.folders import cache_folder, models_folder, people_folder


@dataclass(frozen=True)
class Home:
    root: Path
    renders: Path
    vision: Path

    @staticmethod
    def of_user() -> Home:
        return Home(cache_folder() / "studio-mini", people_folder() / "renders", models_folder() / "vision")

    @property
    def prepared(self) -> Path:
        return self.root / "prepared"

    @property
    def vae_state(self) -> Path:
        return self.root / "vae.pt"

    @property
    def vae(self) -> Path:
        return self.root / "vae"

    @property
    def decoder_state(self) -> Path:
        return self.root / "decoder.pt"

    @property
    def delivered_vae(self) -> Path:
        """The same autoencoder with its decoder trained on."""
        return self.root / "vae-delivered"

    def latents(self, vae_digest: str) -> Path:
        """Of one autoencoder: another one's are of no use."""
        return self.root / f"latents-{vae_digest}"

    @property
    def merges(self) -> Path:
        return self.root / "merges.txt"

    @property
    def unet_state(self) -> Path:
        return self.root / "unet.pt"

    @property
    def cooled_state(self) -> Path:
        return self.root / "unet-cooled.pt"
