"""Text encoders, UNet and ControlNet, trained together by the clock on whatever device there is.

Together from the start, since a ControlNet that is added to a small finished UNet learns little: the UNet must leave
room for it. By the clock, since what is lent is lent for minutes: a call trains for as long as it is told, saves, and
the next one goes on. The rate is level until a last call lets it fall to nothing.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import torch
from diffusers import DDPMScheduler, EulerDiscreteScheduler
from torch import nn
from transformers import CLIPTokenizer

from profile_draw.families.sdxl import Sdxl
from profile_workshop.portraits.batches import WHOLE, Ahead, PortraitBatch, PortraitBatches, stacked
from profile_workshop.portraits.crowd import TrainingRow
from profile_workshop.portraits.linear import LinearTransform
from profile_workshop.portraits.networks import UNetShape, make_networks
from profile_workshop.studio_mini import checkpoint
from profile_workshop.studio_mini.muon import Optimiser
from profile_workshop.studio_mini.networks import make_scheduler

# Of matrices and kernels (Muon), and of everything else (AdamW).
RATE, SMALL_RATE = 1e-3, 4e-4
WARM_UP = 100
EMA_DECAY = 0.999
LONGEST_GRADIENT = 1.0
NOISE_STEPS = 1000
# How many rows draw their noise around that where picture and noise are equal, where a face gets its features; the
# others draw it evenly. (Esser et al. 2024, "Scaling rectified flow transformers".)
MIDDLE_NOISE = 0.6
REPORT_EVERY = 50
# Of the noise that a network which predicts the picture is weighed by: without it, rows with hardly any noise are all.
LEAST_NOISE = 0.22


class Prediction(StrEnum):
    """What the UNet says: the product's trainer knows the velocity alone."""

    VELOCITY = "velocity"
    SAMPLE = "sample"


@dataclass(frozen=True)
class Clock:
    """`seconds` to train for, `save_every` of them; with `cools` the rate falls along them and the average is kept
    apart."""

    seconds: float
    save_every: float = 180.0
    cools: bool = False

    def share(self, gone: float, step: int) -> float:
        """Of the full rates, 0 to 1, after `gone` seconds at this step."""
        left = max(0.0, 1 - gone / self.seconds)
        return min(1.0, (step + 1) / WARM_UP, left + 0.01 if self.cools else 1.0)


class PortraitTrainer:
    def __init__(
        self,
        tokenizer: CLIPTokenizer,
        batches: PortraitBatches,
        shape: UNetShape,
        device: torch.device,
        *,
        rows: int,
        rate: float = 1.0,
        prediction: Prediction = Prediction.VELOCITY,
    ) -> None:
        """`rows` a batch; `rate` times the usual rates."""
        self.shape, self.device, self._rows, self._prediction = shape, device, rows, prediction
        self.networks = make_networks(tokenizer, shape, device)
        self._batches = Ahead(batches)
        self._weights = list(itertools.chain.from_iterable(network.parameters() for network in self.networks.values()))
        self._optimiser = Optimiser(self._weights, rate=RATE * rate, small_rate=SMALL_RATE * rate)
        self._noise = DDPMScheduler.from_config(make_noise().config)
        kept = self._noise.alphas_cumprod
        self._falling_ratios = (kept / (1 - kept)).log()
        self.ema = checkpoint.Ema(self.networks, decay=EMA_DECAY)
        self.step, self.seen = 0, 0
        self._drawn: Callable[..., torch.Tensor] = self._predicted

    def compile(self) -> None:
        """Slower for the first minute, faster after it."""
        self._drawn = torch.compile(self._predicted)

    def restore(self, path: Path) -> bool:
        """Go on from a checkpoint; False where there is none. Raises ValueError for one of another shape."""
        state = checkpoint.load(path)
        if state is None:
            return False
        if state["shape"] != asdict(self.shape):
            raise ValueError(f"{path} holds networks of the shape {state['shape']}, not of {asdict(self.shape)}")
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        self.ema.weights = {
            name: {key: value.to(self.device) for key, value in weights.items()}
            for name, weights in state["ema"].items()
        }
        if "optimiser" in state:
            self._optimiser.load_state_dict(state["optimiser"])
        self.step, self.seen = state["step"], state["seen"]
        return True

    def save(self, path: Path) -> None:
        checkpoint.save(
            path,
            {
                "shape": asdict(self.shape),
                "networks": {name: network.state_dict() for name, network in self.networks.items()},
                "ema": self.ema.weights,
                "optimiser": self._optimiser.state_dict(),
                "step": self.step,
                "seen": self.seen,
            },
        )

    def run(self, clock: Clock, path: Path | None) -> None:
        """Train until the clock says so; states go to `path`, or nowhere."""
        for network in self.networks.values():
            network.train()
        losses: list[torch.Tensor] = []
        started = saved = time.monotonic()
        first = self.step
        while (gone := time.monotonic() - started) < clock.seconds:
            losses.append(self._one_step(clock.share(gone, self.step)))
            self.step += 1
            self.seen += self._rows
            self.ema.update(self.networks, self.step)
            if self.step % REPORT_EVERY == 0:
                self._report(losses, (time.monotonic() - started) / (self.step - first))
                losses = []
            if path is not None and time.monotonic() - saved > clock.save_every:
                self.save(path)
                saved = time.monotonic()
        if path is not None:
            self.save(path)

    def _report(self, losses: list[torch.Tensor], seconds: float) -> None:
        controlled, free = torch.stack(losses).mean(dim=0).tolist()
        print(
            f"train: step {self.step}, {self.seen} rows, loss {controlled:.4f} with pose maps, {free:.4f} without, "
            f"{self._rows / seconds:.1f} rows a second",
            flush=True,
        )

    def _one_step(self, share: float) -> torch.Tensor:
        """The mean loss of the rows with and without a pose map (2,)."""
        batch = self._batches.at(self.step)
        torch.manual_seed(self.step)
        rows = self._losses(batch)
        self._optimiser.zero_grad()
        rows.mean().backward()
        nn.utils.clip_grad_norm_(self._weights, LONGEST_GRADIENT)
        self._optimiser.step(share)
        controlled = len(batch.poses)
        return torch.stack([rows[:controlled].mean(), rows[controlled:].mean()]).detach()

    def _losses(self, batch: PortraitBatch) -> torch.Tensor:
        """The loss of each row (N,)."""
        noise = torch.randn_like(batch.latents)
        steps = self._noise_steps(len(batch.latents)).to(self.device)
        noisy = self._noise.add_noise(batch.latents, noise, steps)
        # Less time where the device multiplies in bfloat16; weights and their updates stay whole.
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            predicted = self._drawn(batch, noisy, steps)
        target = self._noise.get_velocity(batch.latents, noise, steps)
        if self._prediction is Prediction.SAMPLE:
            predicted = self._velocity_of(predicted.float(), noisy, steps)
        losses: torch.Tensor = ((predicted.float() - target).pow(2) * batch.weights).mean(dim=(1, 2, 3))
        return losses

    @torch.no_grad()
    def one_step(
        self, rows: Sequence[TrainingRow], transform: LinearTransform, tokenizer: CLIPTokenizer, noise: float
    ) -> torch.Tensor:
        """Clean latents (N, channels, 16, 16) as the networks see them behind noise; `noise` is the logarithm of the
        signal-to-noise ratio. Rows are told their prompts and their poses."""
        whole = stacked(rows, tokenizer)
        latents = transform.to(self.device).encode(whole.pictures.to(self.device).float() / 127.5 - 1)
        count = len(latents)
        step = int((self._falling_ratios - noise).abs().argmin())
        steps = torch.full((count,), step, device=self.device)
        own = torch.randn(latents.shape, generator=torch.Generator().manual_seed(7)).to(self.device)
        noisy = self._noise.add_noise(latents, own, steps)
        batch = PortraitBatch(
            latents,
            whole.tokens.to(self.device),
            torch.ones(count, device=self.device),
            whole.poses.to(self.device).float() / 255,
            torch.ones(count, 1, 1, 1, device=self.device),
            torch.tensor([WHOLE] * count, dtype=torch.float32, device=self.device),
        )
        predicted = self._predicted(batch, noisy, steps).float()
        if self._prediction is Prediction.SAMPLE:
            return predicted
        kept = self._noise.alphas_cumprod.to(self.device)[steps][:, None, None, None]
        return kept.sqrt() * noisy - (1 - kept).sqrt() * predicted

    def _velocity_of(self, sample: torch.Tensor, noisy: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        kept = self._noise.alphas_cumprod.to(self.device)[steps][:, None, None, None]
        return (kept.sqrt() * noisy - sample) / (1 - kept).sqrt().clamp(min=LEAST_NOISE)

    def _predicted(self, batch: PortraitBatch, noisy: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        text, pooled = self._text(batch)
        added = {"text_embeds": pooled, "time_ids": batch.time_ids}
        residuals = self._control(batch, noisy, steps, text, added)
        predicted: torch.Tensor = self.networks["unet"](
            noisy, steps, text, added_cond_kwargs=added, return_dict=False, **residuals
        )[0]
        return predicted

    def _noise_steps(self, rows: int) -> torch.Tensor:
        """(rows,), 0 to NOISE_STEPS - 1."""
        even = torch.randint(0, NOISE_STEPS, (rows,))
        # Rising, as searchsorted wants it.
        middle = torch.searchsorted(-self._falling_ratios, 2.0 * torch.randn(rows)).clamp(max=NOISE_STEPS - 1)
        return torch.where(torch.rand(rows) < MIDDLE_NOISE, middle, even)

    def _text(self, batch: PortraitBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """As SDXL reads prompts; of rows that are told nothing, zeros."""
        encoders = [self.networks[name] for name in Sdxl.text_encoders]
        text = Sdxl().encode(encoders, [batch.tokens] * len(encoders))
        counts = batch.text_counts
        return text.tokens * counts[:, None, None], text.pooled * counts[:, None]

    def _control(
        self,
        batch: PortraitBatch,
        noisy: torch.Tensor,
        steps: torch.Tensor,
        text: torch.Tensor,
        added: dict[str, torch.Tensor],
    ) -> dict[str, object]:
        """The ControlNet's part: of the first rows only, nothing for the others."""
        rows = len(batch.poses)
        down, middle = self.networks["controlnet"](
            noisy[:rows],
            steps[:rows],
            text[:rows],
            controlnet_cond=batch.poses,
            added_cond_kwargs={name: value[:rows] for name, value in added.items()},
            return_dict=False,
        )

        def padded(part: torch.Tensor) -> torch.Tensor:
            return torch.cat([part, part.new_zeros(len(noisy) - rows, *part.shape[1:])])

        return {
            "down_block_additional_residuals": [padded(part) for part in down],
            "mid_block_additional_residual": padded(middle),
        }


def make_noise() -> EulerDiscreteScheduler:
    """As studio-mini's: v-prediction with linear betas; 16 x 16 latents are noised too little by SDXL's own."""
    return make_scheduler()
