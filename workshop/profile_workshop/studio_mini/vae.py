"""The autoencoder: trained on whole pictures with faces weighing more, then used to turn all pictures into latents.

Crops would be cheaper, but the normalising layers look at all of a picture: trained on crops, colours came out wrong.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import nn
from torch.nn import functional

from profile_workshop.studio_mini import checkpoint
from profile_workshop.studio_mini.muon import Optimiser
from profile_workshop.studio_mini.networks import make_vae
from profile_workshop.studio_mini.prepare import Prepared

BATCH = 4
RATE, SMALL_RATE = 5e-3, 1.5e-3
# A fixed noise on latents of about unit size stands for the learnt one: smooth latents without a KL term to balance.
LATENT_NOISE = 0.12
LATENT_SIZE_WEIGHT = 1e-3
FEATURE_WEIGHT = 0.25
REGION = 8
SAVE_EVERY = 100
FACE_WEIGHT = 3.0


class Features(nn.Module):
    """The first layers of the pose network: what they see of edges and eyes, reconstructions must keep."""

    def __init__(self, weights: Path, layers: int = 5) -> None:
        super().__init__()
        # Checked by sha256 when it was fetched.
        network = torch.load(weights, map_location="cpu", weights_only=False)["model"].float()
        self.layers = nn.ModuleList(list(network.model)[:layers])
        self.requires_grad_(False)
        self.eval()

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """Pictures (N, 3, H, W) in -1 to 1."""
        activations = []
        current = (pictures + 1) / 2
        for layer in self.layers:
            current = layer(current)
            activations.append(current)
        return activations


def train(data: Prepared, state_file: Path, features: Features, *, steps: int) -> AutoencoderKL:
    """Train to `steps` in all, from the last checkpoint on; the averaged autoencoder, its scale set."""
    torch.manual_seed(1)
    vae = make_vae()
    networks: dict[str, nn.Module] = {"vae": vae}
    ema = checkpoint.Ema(networks, decay=0.995)
    optimiser = Optimiser(list(vae.parameters()), rate=RATE, small_rate=SMALL_RATE)
    state = checkpoint.load(state_file)
    first = 0
    if state is not None:
        vae.load_state_dict(state["vae"])
        ema.weights = {"vae": state["ema"]}
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    losses: list[tuple[float, float]] = []
    started = time.monotonic()
    for step in range(first, steps):
        losses.append(_step(vae, features, *batch(data, step)))
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step(share(step, steps))
        optimiser.zero_grad()
        ema.update(networks, step)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            loss, l1 = np.mean(losses, axis=0)
            losses = []
            each = (time.monotonic() - started) / (step + 1 - first)
            print(f"vae: step {step + 1} of {steps}, loss {loss:.4f}, L1 {l1:.4f}, {each:.2f} s a step", flush=True)
            checkpoint.save(
                state_file,
                {
                    "vae": vae.state_dict(),
                    "ema": ema.weights["vae"],
                    "optimiser": optimiser.state_dict(),
                    "step": step + 1,
                },
            )
    vae.load_state_dict(ema.weights["vae"])
    return vae.eval()


@torch.no_grad()
def settle_deviation(vae: AutoencoderKL) -> None:
    """Let the encoder's posterior have the noise it was trained with, in place.

    The layer's upper half was never trained: a trainer that draws from the posterior would be given noise alone.
    """
    layer, channels = vae.quant_conv, vae.config.latent_channels
    layer.weight[channels:] = 0
    layer.bias[channels:] = 2 * math.log(LATENT_NOISE)


def share(step: int, steps: int) -> float:
    """Of the full rate: rising for 50 steps, then falling along a cosine."""
    return min(1.0, (step + 1) / 50) * (0.5 * (1 + math.cos(math.pi * step / steps)) * 0.97 + 0.03)


def batch(data: Prepared, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (BATCH, 3, H, W) in -1 to 1 and weights (BATCH, 1, H, W) with a mean of 1; a function of the step."""
    draw = np.random.default_rng([41, step])
    rows = draw.integers(0, len(data.pictures), BATCH)
    pictures = torch.from_numpy(data.pictures[rows]).permute(0, 3, 1, 2).float() / 127.5 - 1
    weights = torch.ones(BATCH, 1, *pictures.shape[2:])
    for place, (x, y, width, height) in enumerate(data.faces[rows].astype(int)):
        weights[place, :, max(0, y) : y + height, max(0, x) : x + width] = FACE_WEIGHT
    return pictures, weights / weights.mean(dim=(2, 3), keepdim=True)


def _step(vae: AutoencoderKL, features: Features, pictures: torch.Tensor, weights: torch.Tensor) -> tuple[float, float]:
    latents = vae.encode(pictures).latent_dist.mean
    decoded = vae.decode(latents + LATENT_NOISE * torch.randn_like(latents)).sample
    loss, l1 = difference(features, decoded, pictures, weights)
    # Latents stay near unit size, so that the fixed noise means the same throughout.
    size = (latents.pow(2).mean() - 1).pow(2) + latents.mean().pow(2)
    loss = loss + LATENT_SIZE_WEIGHT * size
    loss.backward()
    return float(loss.detach()), float(l1.detach())


def difference(
    features: Features, decoded: torch.Tensor, pictures: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """How far reconstructions are from their pictures: to be made small; and the weighted L1 of it."""
    seen = features(decoded)
    with torch.no_grad():
        wanted = features(pictures)
    error = (decoded - pictures) * weights
    l1 = error.abs().mean()
    edges = _steps_of(error)
    perceived = torch.stack(
        [functional.l1_loss(a, b) / (b.abs().mean() + 1e-3) for a, b in zip(seen, wanted, strict=True)]
    ).mean()
    # Colours of small regions count by themselves: they are what the other terms forgive most easily.
    regions = functional.avg_pool2d(decoded - pictures, REGION).abs().mean()
    return l1 + 2 * error.pow(2).mean() + 0.5 * edges + 2 * regions + FEATURE_WEIGHT * perceived, l1


def _steps_of(error: torch.Tensor) -> torch.Tensor:
    """The mean error of differences between neighbours: sharp edges."""
    across = error[..., 1:] - error[..., :-1]
    down = error[..., 1:, :] - error[..., :-1, :]
    return across.abs().mean() + down.abs().mean()


@torch.no_grad()
def encode(vae: AutoencoderKL, pictures: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> torch.Tensor:
    """Unscaled latents (N, 16, 16, 16) of pictures (N, 128, 128, 3)."""
    latents = []
    for start in range(0, len(pictures), 32):
        batch = torch.from_numpy(pictures[start : start + 32]).permute(0, 3, 1, 2).float() / 127.5 - 1
        latents.append(vae.encode(batch).latent_dist.mean)
    return torch.cat(latents)


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: torch.Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Pictures (N, H, W, 3) of unscaled latents."""
    decoded = vae.decode(latents).sample
    return ((decoded.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def digest(folder: Path) -> str:
    """Of a saved autoencoder: latents of another one are of no use."""
    return hashlib.sha256((folder / "diffusion_pytorch_model.safetensors").read_bytes()).hexdigest()[:16]


def encode_all(vae: AutoencoderKL, prepared: Path, folder: Path) -> int:
    """Latents of everyone who is prepared but not encoded, as float16 `p000012.npy`; how many people that were."""
    folder.mkdir(parents=True, exist_ok=True)
    encoded = 0
    for path in sorted(prepared.glob("p*.npz")):
        target = folder / f"{path.stem}.npy"
        if target.exists():
            continue
        with np.load(path) as content:
            pictures = content["pictures"]
        latents = encode(vae, pictures) if len(pictures) else torch.zeros((0, 16, 16, 16))
        partial = target.with_name(f".{target.stem}.{os.getpid()}.npy")
        np.save(partial, latents.half().numpy())
        partial.replace(target)
        encoded += 1
    return encoded
