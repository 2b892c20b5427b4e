"""The training loop: steps, checkpoints, and the choice of the checkpoint that is most like the person."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from profile_contract.exits import BadInput
from profile_contract.names import Reason
from profile_contract.orders import TrainParameters
from profile_contract.progress import StageProgress

from .cache import CachedExample
from .checkpoints import Checkpoints, Saved
from .loss import step_loss
from .model import Base
from .sampling import batch_of
from .settings import Settings

log = logging.getLogger(__name__)

WEIGHT_DECAY = 1e-2
LONGEST_GRADIENT = 1.0
# The target has unit variance, so a sound loss is near 1 or below.
EXPLODED = 25.0


@dataclass(frozen=True)
class Trained:
    """What the loop leaves: its checkpoints, and how it went."""

    checkpoints: list[Saved]
    resumed_from: int
    seconds_per_step: float


def train(
    base: Base,
    examples: list[CachedExample],
    parameters: TrainParameters,
    settings: Settings,
    *,
    checkpoints: Checkpoints,
    progress: StageProgress,
    judge: Callable[[], float | None],
) -> Trained:
    """Train from the last whole checkpoint to the last step. `judge` gives the likeness of the adapter as it is.

    Raises BadInput when the loss explodes, torch.OutOfMemoryError when memory does.
    """
    weights = base.add_adapter(parameters.rank, parameters.adapter_layers, parameters.seed)
    optimiser = torch.optim.AdamW(weights.values(), lr=parameters.learning_rate, weight_decay=WEIGHT_DECAY)
    if settings.gradient_checkpointing:
        base.unet.enable_gradient_checkpointing()
    base.unet.train()
    resumed = _resume(checkpoints, weights, optimiser)
    first = resumed.step if resumed else 0
    if resumed and resumed.likeness is None:
        checkpoints.score(resumed, judge())
    sizes = [example.size for example in examples]
    losses: list[float] = []
    started = time.monotonic()
    for step in range(first, settings.steps):
        batch = [examples[i] for i in batch_of(sizes, settings.batch, parameters.seed, step)]
        draw = torch.Generator().manual_seed(parameters.seed * 1_000_003 + step)
        loss = step_loss(base, batch, draw, gamma=parameters.min_snr_gamma, offset=parameters.noise_offset)
        losses.append(_sound(loss.item(), step))
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = parameters.learning_rate * share_of_rate(step, settings.steps)
        torch.nn.utils.clip_grad_norm_(weights.values(), LONGEST_GRADIENT)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        progress.at(step + 1, settings.steps, f"step {step + 1} of {settings.steps}, loss {losses[-1]:.3f}")
        if (step + 1) % parameters.checkpoint_steps == 0 or step + 1 == settings.steps:
            saved = checkpoints.save(step + 1, weights, optimiser, sum(losses) / len(losses))
            checkpoints.score(saved, judge())
            log.info("checkpoint at step %d: loss %.4f", saved.step, saved.loss)
            losses = []
    done = settings.steps - first
    return Trained(checkpoints.complete(), first, (time.monotonic() - started) / done if done else 0.0)


def share_of_rate(step: int, steps: int) -> float:
    """Of the learning rate, 1 to 0 along half a cosine: at a steady rate the last steps are as rough as the first.

    Pure, so that a training that was cut goes on as if nothing had been.
    """
    return 0.5 * (1 + math.cos(math.pi * step / steps))


def _resume(
    checkpoints: Checkpoints, weights: dict[str, torch.nn.Parameter], optimiser: torch.optim.Optimizer
) -> Saved | None:
    for saved in reversed(checkpoints.complete()):
        if checkpoints.restore(saved, weights, optimiser):
            log.info("resuming at step %d", saved.step)
            return saved
    return None


def _sound(loss: float, step: int) -> float:
    if math.isfinite(loss) and loss < EXPLODED:
        return loss
    raise BadInput(
        Reason.TRAINING_DIVERGED,
        f"the training loss became {loss:.3g} at step {step}; set another training.seed, or fewer training.steps",
    )


def best(checkpoints: list[Saved]) -> Saved:
    """The checkpoint to deliver: the one most like the person; the last one where likeness could not be measured."""
    measured = [saved for saved in checkpoints if saved.likeness is not None]
    if not measured:
        return checkpoints[-1]
    return max(measured, key=lambda saved: (saved.likeness or 0.0, saved.step))
