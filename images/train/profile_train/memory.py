"""MemoryPlan: how a training step is fitted into the memory that is free. Pure.

An optimiser step always learns from the whole batch. Where that is too large, its pictures are taken in parts whose
gradients are added; then activations are calculated twice instead of kept; then the base model's weights are kept in
fewer bits; the resolution goes last, since it alone changes what is learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput

from .settings import Settings

GIB = 1 << 30
# Below this a person's face has too few latent pixels to be learnt by SDXL.
SMALLEST_RESOLUTION = 512
# SDXL's UNet, at which what follows was counted; other networks' activations are taken to grow with their weights.
COUNTED_WEIGHTS, COUNTED_RESOLUTION = 2_567_463_684, 1024
# An adapter's weights, their gradients, and the optimiser's two averages, in float32.
BYTES_A_TRAINED_WEIGHT = 16
# On a GPU, CUDA's context and the libraries' workspaces; on a CPU, workspaces alone. Estimated.
OVERHEAD = {True: 1.2 * GIB, False: 0.2 * GIB}
# Of the memory that is free, the share that is planned with: allocators leave gaps.
USABLE = 0.92


class Precision(StrEnum):
    """What the base model's weights are kept in. What is calculated with float8's is bfloat16."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT8 = "float8"

    @property
    def bytes(self) -> int:
        """Of one weight."""
        return {Precision.FLOAT32: 4, Precision.BFLOAT16: 2, Precision.FLOAT8: 1}[self]


# GiB that one picture of 1024 x 1024 adds to a step's peak, by whether activations are calculated again, and whether in
# half precision: as `make rehearsal` counts them on tensors without contents (docs/full-size.md).
ROW_GIB = {(False, True): 7.26, (True, True): 0.68, (False, False): 10.58, (True, False): 1.02}


@dataclass(frozen=True)
class MemoryPlan:
    """How a step is carried out: `rows` of a batch at once, pictures of `resolution` squared pixels."""

    rows: int
    checkpointing: bool
    precision: Precision
    resolution: int


@dataclass(frozen=True)
class NetworkSizes:
    """How many numbers UNet, ControlNet and adapter have; nothing is known of a network of none."""

    unet: int = 0
    control: int = 0
    adapter: int = 0


@dataclass(frozen=True)
class FreeMemory:
    """What a training may use. `bytes` None: nobody tells; `accelerated`: of a GPU."""

    bytes: int | None
    accelerated: bool


def needed(plan: MemoryPlan, sizes: NetworkSizes, *, accelerated: bool) -> int:
    """The bytes that training takes at its peak."""
    row = ROW_GIB[plan.checkpointing, plan.precision is not Precision.FLOAT32] * GIB
    row *= sizes.unet / COUNTED_WEIGHTS * (plan.resolution / COUNTED_RESOLUTION) ** 2
    weights = (sizes.unet + sizes.control) * plan.precision.bytes + sizes.adapter * BYTES_A_TRAINED_WEIGHT
    return round(OVERHEAD[accelerated] + weights + plan.rows * row)


def plans_of(settings: Settings, precisions: Sequence[Precision]) -> list[MemoryPlan]:
    """The plans of a training, the fastest first.

    Parts of a batch cost no work; calculating activations again costs 37 % more. Below the first of the precisions the
    weights are kept in the others, with activations calculated again.
    """
    parts = [settings.batch]
    while parts[-1] > 1:
        parts.append(parts[-1] // 2)
    plans = []
    for number, precision in enumerate(precisions):
        ways = (True,) if settings.gradient_checkpointing or number else (False, True)
        plans += [MemoryPlan(rows, way, precision, settings.resolution) for way in ways for rows in parts]
    while (edge := plans[-1].resolution * 3 // 4 // 64 * 64) >= SMALLEST_RESOLUTION:
        plans.append(replace(plans[-1], resolution=edge))
    return plans


def precisions_of(*, mixed: bool, accelerated: bool) -> list[Precision]:
    """What the base model's weights may be kept in, what is preferred first; `mixed`: bfloat16 is allowed.

    A CPU calculates in float32 unless memory is short: few have an arithmetic of bfloat16.
    """
    if not mixed:
        return [Precision.FLOAT32]
    return [Precision.BFLOAT16, Precision.FLOAT8] if accelerated else [Precision.FLOAT32, Precision.BFLOAT16]


class Ladder:
    """The plan that a training runs by, and those that it falls to when memory runs out."""

    def __init__(self, plans: Sequence[MemoryPlan], sizes: NetworkSizes, memory: FreeMemory) -> None:
        """Begins with the first plan that fits; with the last, if none does. What nothing is known of is taken to."""
        self._plans, self._place = plans, 0
        if memory.bytes is None or not sizes.unet:
            return
        room, gpu = USABLE * memory.bytes, memory.accelerated
        fitting = (number for number, plan in enumerate(plans) if needed(plan, sizes, accelerated=gpu) <= room)
        self._place = next(fitting, len(plans) - 1)

    @property
    def plan(self) -> MemoryPlan:
        """The plan of the next step."""
        return self._plans[self._place]

    def fall(self) -> MemoryPlan:
        """The next plan, of less memory. Raises BadInput where there is none."""
        if self._place == len(self._plans) - 1:
            raise BadInput(
                Reason.OUT_OF_MEMORY,
                "training does not fit into the memory, in its smallest setting too; "
                "set a lower training.resolution, or give the Job a larger GPU",
            )
        self._place += 1
        return self.plan

    @property
    def changes(self) -> list[str]:
        """How the plan differs from the fastest one, for people."""
        first, plan = self._plans[0], self.plan
        texts = []
        if plan.rows != first.rows:
            texts.append(f"batch of {first.rows} in parts of {plan.rows}")
        if plan.checkpointing != first.checkpointing:
            texts.append("gradient checkpointing on")
        if plan.precision != first.precision:
            texts.append(f"base model in {plan.precision}")
        if plan.resolution != first.resolution:
            texts.append(f"resolution {first.resolution} -> {plan.resolution}")
        return texts
