"""Text encoders, UNet and ControlNet, trained together by several processes that share their gradients.

Together from the start, since a ControlNet that is added to a small finished UNet learns little: the UNet must leave
room for it. One process a core: more threads in one process bring little on networks this thin.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import DDPMScheduler
from diffusers.models.attention_processor import AttnProcessor
from torch import distributed, nn
from transformers import CLIPTokenizer

from profile_draw.families.sdxl import Sdxl
from profile_models.text import make_text_encoders
from profile_workshop.studio_mini import checkpoint, networks
from profile_workshop.studio_mini.batches import Batch, Batches
from profile_workshop.studio_mini.muon import ALONE, Optimiser, Team

# Of matrices and kernels (Muon), and of everything else (AdamW). Three times as much is quicker for the first thousand
# steps; after two thousand the loss falls no more (.386 from step 1900 to 2300), until the rate falls (.374).
RATE, SMALL_RATE = 1e-3, 4e-4
WARM_UP = 100
EMA_DECAY = 0.9995
SAVE_EVERY = 100
LONGEST_GRADIENT = 1.0
NOISE_STEPS = 1000
# How many rows draw their noise around that where picture and noise are equal, where a face gets its features; the
# others draw it evenly. (Esser et al. 2024, "Scaling rectified flow transformers": their logit-normal(0, 1) is a
# log of signal to noise with a mean of 0 and a deviation of 2.)
MIDDLE_NOISE = 0.6


@dataclass(frozen=True)
class Schedule:
    """The learning rate is level, and falls to nothing over the last `cooling` steps. While it is level training can
    go on for as long as there is time; a cooled state is delivered and not trained on."""

    steps: int
    cooling: int

    def share(self, step: int) -> float:
        """Of the full rates, 0 to 1."""
        left = (self.steps - step) / self.cooling if self.cooling else 1.0
        return min(1.0, (step + 1) / WARM_UP, max(left, 0.0) + 0.01)

    def cools(self, step: int) -> bool:
        return step >= self.steps - self.cooling


def make_networks(tokenizer: CLIPTokenizer) -> dict[str, nn.Module]:
    """By the names of a diffusers folder, and `controlnet`."""
    torch.manual_seed(7)
    first, second = make_text_encoders(tokenizer, networks.TEXT)
    unet = networks.make_unet()
    controlnet = networks.make_controlnet(unet)
    for network in (unet, controlnet):
        # On a processor, the fused attention is slow backwards.
        network.set_attn_processor(AttnProcessor())
    return {"text_encoder": first, "text_encoder_2": second, "unet": unet, "controlnet": controlnet}


def weights_of(trained: dict[str, nn.Module]) -> list[nn.Parameter]:
    """All that is trained, in an order that the optimiser's states rely on."""
    return list(itertools.chain.from_iterable(network.parameters() for network in trained.values()))


def make_optimiser(weights: list[nn.Parameter], team: Team = ALONE) -> Optimiser:
    return Optimiser(weights, rate=RATE, small_rate=SMALL_RATE, team=team)


class Trainer:
    """One of the processes that train."""

    def __init__(self, tokenizer: CLIPTokenizer, batches: Batches, team: Team = ALONE) -> None:
        self.networks = make_networks(tokenizer)
        self._batches, self._team = batches, team
        self._weights = weights_of(self.networks)
        self._optimiser = make_optimiser(self._weights, team)
        self._noise = DDPMScheduler.from_config(networks.make_scheduler().config)
        kept = self._noise.alphas_cumprod
        self._falling_ratios = (kept / (1 - kept)).log()
        self.ema = checkpoint.Ema(self.networks, EMA_DECAY)
        self.step = 0

    def restore(self, path: Path) -> bool:
        """Go on from a checkpoint; False where there is none."""
        state = checkpoint.load(path)
        if state is None:
            return False
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        self.ema.weights = state["ema"]
        self._optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]
        return True

    def save(self, path: Path) -> None:
        checkpoint.save(
            path,
            {
                "networks": {name: network.state_dict() for name, network in self.networks.items()},
                "ema": self.ema.weights,
                "optimiser": self._optimiser.state_dict(),
                "step": self.step,
            },
        )

    def run(self, schedule: Schedule, path: Path, cooled: Path) -> None:
        """Train to the schedule's end. States go to `path` while the rate is level, to `cooled` while it falls."""
        for network in self.networks.values():
            network.train()
        losses: list[tuple[float, float]] = []
        started, first = time.monotonic(), self.step
        while self.step < schedule.steps:
            losses.append(self._one_step(schedule.share(self.step)))
            self.step += 1
            self.ema.update(self.networks, self.step)
            if self._team.process == 0 and (self.step % SAVE_EVERY == 0 or self.step == schedule.steps):
                self._report(losses, (time.monotonic() - started) / (self.step - first))
                losses = []
                self.save(cooled if schedule.cools(self.step - 1) else path)

    def _report(self, losses: list[tuple[float, float]], seconds: float) -> None:
        controlled, free = torch.tensor(losses).mean(dim=0).tolist()
        print(
            f"unet: step {self.step}, loss {controlled:.4f} with pose maps, {free:.4f} without, {seconds:.2f} s a step",
            flush=True,
        )

    def _one_step(self, share: float) -> tuple[float, float]:
        batch = self._batches.at(self.step, self._team.process)
        torch.manual_seed(self.step * self._team.processes + self._team.process)
        rows = self._losses(batch)
        self._optimiser.zero_grad()
        rows.mean().backward()
        self._share_gradients()
        nn.utils.clip_grad_norm_(self._weights, LONGEST_GRADIENT)
        self._optimiser.step(share)
        controlled = len(batch.poses)
        return float(rows[:controlled].mean().detach()), float(rows[controlled:].mean().detach())

    def _losses(self, batch: Batch) -> torch.Tensor:
        """The loss of each row (N,)."""
        noise = torch.randn_like(batch.latents)
        steps = self._noise_steps(len(batch.latents))
        noisy = self._noise.add_noise(batch.latents, noise, steps)
        # A third less time where the processor multiplies in bfloat16; weights and their updates stay whole.
        with torch.autocast("cpu", dtype=torch.bfloat16):
            text, pooled = self._text(batch)
            added = {"text_embeds": pooled, "time_ids": batch.time_ids}
            predicted = self.networks["unet"](
                noisy, steps, text, added_cond_kwargs=added, **self._control(batch, noisy, steps, text, added)
            ).sample
        target = self._noise.get_velocity(batch.latents, noise, steps)
        losses: torch.Tensor = ((predicted.float() - target).pow(2) * batch.weights).mean(dim=(1, 2, 3))
        return losses

    def _noise_steps(self, rows: int) -> torch.Tensor:
        """(rows,), 0 to NOISE_STEPS - 1."""
        even = torch.randint(0, NOISE_STEPS, (rows,))
        # Rising, as searchsorted wants it.
        middle = torch.searchsorted(-self._falling_ratios, 2.0 * torch.randn(rows)).clamp(max=NOISE_STEPS - 1)
        return torch.where(torch.rand(rows) < MIDDLE_NOISE, middle, even)

    def _text(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """As SDXL reads prompts; of rows that are told nothing, zeros."""
        encoders = [self.networks[name] for name in Sdxl.text_encoders]
        text = Sdxl().encode(encoders, [batch.tokens] * len(encoders))
        counts = batch.text_counts
        return text.tokens * counts[:, None, None], text.pooled * counts[:, None]

    def _control(
        self,
        batch: Batch,
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

    def _share_gradients(self) -> None:
        if self._team.processes == 1:
            return
        gradients = [weight.grad for weight in self._weights if weight.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self._team.processes
        for gradient, shared in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(shared.view_as(gradient))
