"""The decoder once more, with an eye for whose face it is; the latents stay what they were.

What the autoencoder loses of a face no adapter can bring back. So its decoder alone is trained on, on what SFace sees
of a face besides what every pixel says: the encoder, and with it all that the UNet has learnt, is left alone.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import nn
from torch.nn import functional

from profile_vision import FaceReader
from profile_workshop.studio_mini import checkpoint, vae
from profile_workshop.studio_mini.identity import Identity, aligned, alignments
from profile_workshop.studio_mini.muon import Optimiser
from profile_workshop.studio_mini.prepare import Prepared

RATE, SMALL_RATE = 2e-3, 6e-4
# A sampler's latents are farther off than those that the autoencoder was trained with.
MOST_NOISE = 2 * vae.LATENT_NOISE
# Beside `vae.difference`, which is near .25 at the start.
IDENTITY_WEIGHT, SEEN_WEIGHT = 0.15, 0.15
SAVE_EVERY = 50


class DecoderTrainer:
    """Holds the networks; `run` goes on from the last checkpoint."""

    def __init__(self, data: Prepared, trained: AutoencoderKL, vision: Path) -> None:
        self.vae = trained
        self._data = data
        self._features = vae.Features(vision / "yolo11n-pose.pt")
        self._identity = Identity(vision / "sface.onnx")
        self._reader = FaceReader(vision)
        trained.requires_grad_(False)
        trained.decoder.requires_grad_(True)
        trained.post_quant_conv.requires_grad_(True)
        self._weights = [weight for weight in trained.parameters() if weight.requires_grad]

    def run(self, state_file: Path, *, steps: int) -> AutoencoderKL:
        """Train to `steps` in all; the autoencoder with the averaged decoder."""
        networks: dict[str, nn.Module] = {"vae": self.vae}
        ema = checkpoint.Ema(networks, decay=0.99)
        optimiser = Optimiser(self._weights, rate=RATE, small_rate=SMALL_RATE)
        first = self._restore(state_file, ema, optimiser)
        seen: list[tuple[float, float]] = []
        started = time.monotonic()
        for step in range(first, steps):
            torch.manual_seed(step)
            seen.append(self._step(step))
            nn.utils.clip_grad_norm_(self._weights, 1.0)
            optimiser.step(vae.share(step, steps))
            optimiser.zero_grad()
            ema.update(networks, step)
            if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
                l1, cosine = np.mean(seen, axis=0)
                seen = []
                each = (time.monotonic() - started) / (step + 1 - first)
                text = f"decoder: step {step + 1} of {steps}, L1 {l1:.4f}, cosine {cosine:.3f}, {each:.2f} s a step"
                print(text, flush=True)
                state = {"vae": self.vae.state_dict(), "ema": ema.weights["vae"], "step": step + 1}
                checkpoint.save(state_file, state | {"optimiser": optimiser.state_dict()})
        self.vae.load_state_dict(ema.weights["vae"])
        return self.vae.eval()

    def _restore(self, state_file: Path, ema: checkpoint.Ema, optimiser: Optimiser) -> int:
        state = checkpoint.load(state_file)
        if state is None:
            return 0
        self.vae.load_state_dict(state["vae"])
        ema.weights = {"vae": state["ema"]}
        optimiser.load_state_dict(state["optimiser"])
        return int(state["step"])

    def _step(self, step: int) -> tuple[float, float]:
        """L1 and the mean cosine of this step's reconstructions, whose gradients are left on the weights."""
        pictures, weights = vae.batch(self._data, step)
        with torch.no_grad():
            latents = self.vae.encode(pictures).latent_dist.mean
        noise = MOST_NOISE * torch.rand(len(latents), 1, 1, 1) * torch.randn_like(latents)
        decoded = self.vae.decode(latents + noise).sample
        loss, l1 = vae.difference(self._features, decoded, pictures, weights)
        known, cosine = self._unlike(decoded, pictures)
        (loss + known).backward()
        return float(l1.detach()), cosine

    def _unlike(self, decoded: torch.Tensor, pictures: torch.Tensor) -> tuple[torch.Tensor, float]:
        """What SFace sees that is different, weighted, and the mean cosine between embeddings."""
        plain = ((pictures.permute(0, 2, 3, 1) + 1) * 127.5).round().byte().numpy()
        moves = list(alignments(self._reader, plain))
        rows = [row for row, move in enumerate(moves) if move is not None]
        if not rows:
            return torch.zeros(()), 1.0
        places = np.stack([move for move in moves if move is not None])
        with torch.no_grad():
            wanted, wanted_before = self._identity(aligned(pictures[rows], places))
        embedded, before = self._identity(aligned(decoded[rows], places))
        cosine = (embedded * wanted).sum(dim=1).mean()
        seen = torch.stack(
            [functional.l1_loss(a, b) / b.abs().mean() for a, b in zip(before, wanted_before, strict=True)]
        ).mean()
        return IDENTITY_WEIGHT * (1 - cosine) + SEEN_WEIGHT * seen, float(cosine.detach())
