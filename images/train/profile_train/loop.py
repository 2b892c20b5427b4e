"""The training loop: steps, checkpoints, and the choice of the checkpoint that is most like the person."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.train import TrainParameters
from profile_draw.finite import NotFinite
from profile_runtime.progress import StageProgress

from .cache import CachedExample
from .checkpoints import Checkpoints, Saved
from .judge import Judgement
from .loss import step_losses, timestep_law
from .memory import Ladder, MemoryPlan, Precision
from .model import Base
from .optimising import Optimisation, share_of_rate
from .sampling import batch_of
from .settings import Settings

log = logging.getLogger(__name__)

# The target has unit variance, so a sound loss is near 1 or below.
EXPLODED = 25.0
# So many steps in a row without a finite gradient, a tenth of all between these, and the weights are ruined.
FEWEST_BARREN_STEPS, MOST_BARREN_STEPS = 3, 20
# Of all steps, the share before which no checkpoint is judged: the rate is still high, and what comes later is better.
UNJUDGED_SHARE = 0.5
# An accelerator is waited for once in so many steps, or in so many seconds where steps take longer.
LOOK_STEPS, LOOK_SECONDS = 10, 1.0
# Far from every seed of another step.
REDRAWN_APART = 0x9E3779B97F4A7C15


class Diverged(Exception):
    """Training cannot go on from where it stands; `since`: after how many steps the trouble began."""

    def __init__(self, message: str, since: int) -> None:
        super().__init__(message)
        self.since = since


@dataclass(frozen=True)
class Trained:
    """What the loop leaves: its checkpoints, and how it went.

    `skipped` steps changed nothing, since their gradient was not finite; `redrawn`: whether training had to go back.
    """

    checkpoints: list[Saved]
    resumed_from: int
    seconds_per_step: float
    skipped: int = 0
    redrawn: bool = False


def train(
    base: Base,
    examples: list[CachedExample],
    parameters: TrainParameters,
    settings: Settings,
    *,
    memory: Fallback,
    checkpoints: Checkpoints,
    progress: StageProgress,
    judge: Callable[[], Judgement],
) -> Trained:
    """Train from the last whole checkpoint to the last step. `judge` gives the worth of the adapter as it is.

    A training that diverges goes on from its last checkpoint once more, with other noise. One that runs out of memory
    does the step again in the next plan. Raises BadInput when it diverges again, or no plan is left.
    """
    course = Course(
        base, examples, parameters, settings, memory=memory, checkpoints=checkpoints, progress=progress, judge=judge
    )
    base.unet.train()
    first = course.resume(settings.steps)
    started = time.monotonic()
    while True:
        try:
            course.run()
            break
        except Diverged as diverged:
            course.go_back(diverged)
    seconds = (time.monotonic() - started) / course.taken if course.taken else 0.0
    kept = [saved for saved in checkpoints.complete() if saved.step <= settings.steps]
    return Trained(kept, first, seconds, course.skipped, course.redrawn > 0)


@dataclass(frozen=True)
class Fallback:
    """How a training keeps within its memory: the plans it falls to, and its examples, cut for another resolution;
    and its class pictures at a resolution, none where it learns from none."""

    ladder: Ladder
    recut: Callable[[int], list[CachedExample]]
    class_pictures: Callable[[int], list[CachedExample]] = lambda _resolution: []


class Course:
    """Where a training stands: the next step, what was left out, and how often its noise was drawn anew."""

    def __init__(
        self,
        base: Base,
        examples: list[CachedExample],
        parameters: TrainParameters,
        settings: Settings,
        *,
        memory: Fallback,
        checkpoints: Checkpoints,
        progress: StageProgress,
        judge: Callable[[], Judgement],
    ) -> None:
        """Puts a fresh adapter into the base, and brings both to the device."""
        self._base, self._examples, self._sizes = base, examples, [example.size for example in examples]
        self._parameters, self._settings = parameters, settings
        self._weights = base.add_adapter(parameters.rank, parameters.adapter_layers, parameters.seed)
        self._checkpoints, self._progress, self._judge = checkpoints, progress, judge
        self._memory = memory
        self._follow(memory.ladder.plan)
        self._class_pictures = memory.class_pictures(memory.ladder.plan.resolution)
        self._law = timestep_law(base, parameters.min_snr_gamma, parameters.timesteps)
        self._untrained = {name: weight.detach().cpu().clone() for name, weight in self._weights.items()}
        self._optimisation = Optimisation(self._weights, parameters)
        self.step = self.taken = self.skipped = self.redrawn = self._barren = 0

    def resume(self, most: int) -> int:
        """Take up the last sound checkpoint of at most so many steps; gives its step, 0 where there is none."""
        self._optimisation = Optimisation(self._weights, self._parameters)
        self._optimisation.forget_gradients()
        saved = _resume(self._checkpoints, self._optimisation, most)
        if saved is None:
            self._begin_anew()
            return 0
        self.step, self.skipped, self.redrawn = saved.step, saved.skipped, saved.redrawn
        if saved.likeness is None:
            self._score(saved)
        return self.step

    def go_back(self, diverged: Diverged) -> None:
        """Return to the last sound checkpoint, with other noise from there on. Raises BadInput the second time."""
        if self.redrawn:
            raise BadInput(
                Reason.TRAINING_DIVERGED,
                f"{diverged}, although training had gone back to its last good checkpoint and drawn other noise; "
                "set another training.seed, or fewer training.steps",
            )
        log.warning("%s; going on from the last good checkpoint with other noise", diverged)
        self.resume(diverged.since)
        self.redrawn += 1

    def run(self) -> None:
        """Train from the next step to the last. Raises Diverged."""
        losses: list[float] = []
        ahead: list[torch.Tensor] = []
        self._barren, looked = 0, time.monotonic()
        for step in range(self.step, self._settings.steps):
            ahead.append(self._step(step))
            self.taken += 1
            keeps = (step + 1) % self._parameters.checkpoint_steps == 0 or step + 1 == self._settings.steps
            if not keeps and len(ahead) < LOOK_STEPS and time.monotonic() - looked < LOOK_SECONDS:
                continue
            losses += self._look(ahead)
            ahead, looked = [], time.monotonic()
            self._progress.at(
                self.step, self._settings.steps, f"step {self.step} of {self._settings.steps}, loss {losses[-1]:.3f}"
            )
            if keeps:
                self._keep(sum(losses) / len(losses))
                losses = []

    def _step(self, step: int) -> torch.Tensor:
        """One step: its loss and the length of its gradient (2,), on the base's device. Nothing is waited for."""
        loss = self._gradient(step)
        while loss is None:
            # Outside of the except clause: the exception would keep the tensors of the failed step alive.
            self._optimisation.forget_gradients()
            before = self._memory.ladder.plan
            self._follow(self._memory.ladder.fall(), before)
            loss = self._gradient(step)
        norm = self._optimisation.step(share_of_rate(step, self._settings.steps, self._parameters.warm_up_steps))
        return torch.stack([loss, norm.to(loss)])

    def _look(self, ahead: list[torch.Tensor]) -> list[float]:
        """The losses of the steps since the last look, once they are done. Raises Diverged."""
        losses = []
        for loss, length in torch.stack(ahead).tolist():
            _check_loss(loss, self.step)
            losses.append(loss)
            self.step += 1
            changed = math.isfinite(length)
            self._barren = 0 if changed else self._barren + 1
            if changed:
                continue
            log.warning("step %d was left out: its gradient was not finite", self.step)
            self.skipped += 1
            if self._barren == barren_limit(self._settings.steps):
                raise Diverged(
                    f"no gradient was finite in the {self._barren} training steps up to step {self.step}",
                    self.step - self._barren,
                )
        return losses

    def _gradient(self, step: int) -> torch.Tensor | None:
        """A step's loss, its gradient laid upon the weights; None where memory ran out."""
        parameters, plan = self._parameters, self._memory.ladder.plan
        draw = torch.Generator(self._base.device).manual_seed(noise_seed(parameters.seed, step, self.redrawn))
        loss = torch.zeros((), device=self._base.device)
        try:
            # The photos first: their noise does not depend on whether class pictures are learnt beside them.
            for weight, batch in self._batches(step):
                for part in step_losses(
                    self._base, batch, draw, rows=plan.rows, law=self._law, offset=parameters.noise_offset
                ):
                    weighed = weight * part
                    weighed.backward()
                    loss += weighed.detach()
        except torch.OutOfMemoryError:
            log.warning("step %d does not fit into memory with %s", step + 1, plan)
            return None
        return loss

    def _batches(self, step: int) -> list[tuple[float, list[CachedExample]]]:
        """A step's batch of photos, and as many class pictures where it learns from them; with what each counts."""
        seed, batch = self._parameters.seed, self._settings.batch
        batches = [(1.0, [self._examples[i] for i in batch_of(self._sizes, batch, seed, step)])]
        if self._class_pictures:
            sizes = [picture.size for picture in self._class_pictures]
            pictures = [self._class_pictures[i] for i in batch_of(sizes, batch, seed, step)]
            batches.append((self._parameters.prior_preservation.weight, pictures))
        return batches

    def _follow(self, plan: MemoryPlan, before: MemoryPlan | None = None) -> None:
        """Carry out the next steps by a plan; `before`: the one they were carried out by."""
        if plan.checkpointing and not (before and before.checkpointing):
            self._base.unet.enable_gradient_checkpointing()
        if plan.precision is Precision.FLOAT8 and not (before and before.precision is Precision.FLOAT8):
            self._base.store_in_float8()
        if before is None:
            self._base.to_device()
        elif self._base.device.type == "cuda":
            torch.cuda.empty_cache()
        if before is not None and plan.resolution != before.resolution:
            self._examples = self._memory.recut(plan.resolution)
            self._sizes = [example.size for example in self._examples]
            self._class_pictures = self._memory.class_pictures(plan.resolution)

    def _keep(self, loss: float) -> None:
        """Save a checkpoint and judge it. Raises Diverged for weights that are not finite."""
        try:
            saved = self._checkpoints.save(
                self.step, self._optimisation, loss, skipped=self.skipped, redrawn=self.redrawn
            )
        except NotFinite as error:
            raise Diverged(
                f"the adapter's weights were not finite after step {self.step} of training", self.step - 1
            ) from error
        self._score(saved)
        log.info("checkpoint at step %d: loss %.4f", saved.step, saved.loss)

    def _score(self, saved: Saved) -> None:
        """Judge a checkpoint whose weights stand in the base, unless it comes too early to be delivered."""
        if saved.step >= UNJUDGED_SHARE * self._settings.steps:
            with self._optimisation.standing_in():
                judgement = self._judge()
            self._checkpoints.score(saved, judgement)

    def _begin_anew(self) -> None:
        """The adapter as it was before the first step."""
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.copy_(self._untrained[name])
                weight.grad = None
        self._optimisation = Optimisation(self._weights, self._parameters)
        self.step = self.skipped = 0


def noise_seed(seed: int, step: int, redrawn: int) -> int:
    """The seed of a step's noise and timesteps: another for each step, and once more for noise that is drawn anew."""
    return (seed * 1_000_003 + step + redrawn * REDRAWN_APART) % 2**63


def barren_limit(steps: int) -> int:
    """After how many steps in a row without a finite gradient a training of so many steps has diverged."""
    return min(steps, MOST_BARREN_STEPS, max(FEWEST_BARREN_STEPS, steps // 10))


def _resume(checkpoints: Checkpoints, optimisation: Optimisation, most: int) -> Saved | None:
    """The last whole checkpoint of at most so many steps, put back; None where there is none."""
    for saved in reversed(checkpoints.complete()):
        if saved.step <= most and checkpoints.restore(saved, optimisation):
            log.info("resuming at step %d", saved.step)
            return saved
    return None


def _check_loss(loss: float, step: int) -> None:
    """Raises Diverged for a loss that no sound training has."""
    if not (math.isfinite(loss) and loss < EXPLODED):
        raise Diverged(f"the training loss became {loss:.3g} at step {step}", step)


def best(checkpoints: list[Saved]) -> Saved:
    """The checkpoint to deliver: the one most like the person; the last one where likeness could not be measured."""
    measured = [saved for saved in checkpoints if saved.likeness is not None]
    if not measured:
        return checkpoints[-1]
    return max(measured, key=lambda saved: (saved.likeness or 0.0, saved.step))
