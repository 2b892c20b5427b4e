"""The page docs/full-size.md, from what was rehearsed and counted. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from profile_contract.stages.train import TrainParameters
from profile_train.memory import (
    BYTES_A_TRAINED_WEIGHT,
    COUNTED_WEIGHTS,
    GIB,
    OVERHEAD,
    ROW_GIB,
    USABLE,
    FreeMemory,
    Ladder,
    MemoryPlan,
    NetworkSizes,
    needed,
    plans_of,
    precisions_of,
)
from profile_train.settings import settings_of

from .gpus import FLOAT32_SHARE, GPUS, REACHED, Accelerator, Asked, Work, expected

CARDS = (8, 10, 12, 16, 24, 40, 48, 80, 141)
# The card whose plan is rehearsed.
REHEARSED_GIB = 24
# Of a card's memory; the rest is its own.
FREE_SHARE = 0.95
# SDXL's UNet, its ControlNet, and an adapter of rank 32 in its attention, in numbers.
SDXL = NetworkSizes(unet=COUNTED_WEIGHTS, control=1_251_014_160, adapter=46_448_640)


@dataclass(frozen=True)
class RehearsedStage:
    """One stage of a rehearsal: how long it took, its most memory, and what is worth knowing."""

    name: str
    seconds: float
    peak_gib: float
    note: str


@dataclass(frozen=True)
class Counts:
    """Counted: GiB that a picture adds to a training step by (activations calculated twice, half precision)."""

    rows_gib: Mapping[tuple[bool, bool], float]
    work: Work
    autoencoder_gib: Mapping[str, float]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Counts:
        """What was counted, as its file holds it."""
        rows = {(twice, half): gib for twice, half, gib in document["rows_gib"]}
        return cls(rows, Work(**document["work"]), document["autoencoder_gib"])


def plan_for(gigabytes: float) -> MemoryPlan:
    """How SDXL is trained on a card of so many GiB."""
    free = FreeMemory(round(FREE_SHARE * gigabytes * GIB), accelerated=True)
    settings = settings_of(TrainParameters(base_model="sdxl"), 12)
    return Ladder(plans_of(settings, precisions_of(mixed=True, accelerated=True)), SDXL, free).plan


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def plans_table() -> str:
    """What the memory policy does on each card."""
    rows = []
    for card in CARDS:
        plan = plan_for(card)
        gib = needed(plan, SDXL, accelerated=True) / GIB
        way = "calculated twice" if plan.checkpointing else "kept"
        rows.append([card, f"{plan.rows} of 4", way, plan.precision, plan.resolution, f"{gib:.1f}"])
    heads = ["GiB of the card", "pictures at once", "activations", "base model in", "px", "GiB needed, calculated"]
    return table(heads, rows)


def memory_table(counts: Counts) -> str:
    """What the policy calculates with beside what was counted."""
    names = {True: "calculated twice", False: "kept"}, {True: "bfloat16", False: "float32"}
    rows = [
        [names[0][twice], names[1][half], f"{assumed:.2f}", f"{counts.rows_gib[twice, half]:.2f}"]
        for (twice, half), assumed in ROW_GIB.items()
    ]
    return table(["activations", "precision", "GiB a picture, the policy's", "counted"], rows)


def gpus_table(work: Work, person: Asked, gpus: Sequence[Accelerator] = GPUS) -> str:
    """Seconds and dollars a person, by card."""
    rows = []
    for gpu in gpus:
        twice = plan_for(gpu.gigabytes).checkpointing
        taken = expected(gpu, work, person, checkpointing=twice)
        minutes = (f"{seconds / 60:.1f}" for seconds in (taken.training, taken.drawing))
        rows.append([gpu.name, gpu.teraflops, f"{gpu.teraflops * REACHED:.0f}", *minutes, f"{taken.dollars:.2f}"])
    heads = ["card", "TFLOP/s, data sheet", "reached, assumed", "training, min", "portraits, min", "dollars a person"]
    return table(heads, rows)


def stages_table(stages: Sequence[RehearsedStage]) -> str:
    """What was rehearsed."""
    rows = [[stage.name, f"{stage.seconds:.0f}", f"{stage.peak_gib:.1f}", stage.note] for stage in stages]
    return table(["stage", "seconds", "GiB at most", ""], rows)


def page(stages: Sequence[RehearsedStage], counts: Counts | None, machine: str) -> str:
    """The whole page."""
    parts = [INTRODUCTION, "## Rehearsed", f"On {machine}.", stages_table(stages) if stages else NOT_REHEARSED]
    if any(stage.name == "train" for stage in stages):
        plan = plan_for(REHEARSED_GIB)
        calculated = needed(plan, replace(SDXL, control=0), accelerated=False) / GIB
        minutes = sum(stage.seconds for stage in stages) / 60
        parts.append(REHEARSED.format(card=REHEARSED_GIB, calculated=calculated, minutes=minutes))
    parts += ["## Memory: the plan of each card", plans_table(), PLANS.format(usable=f"{USABLE:.0%}")]
    parts += ["### Less than 12 GB", _smaller()]
    if counts is not None:
        person = Asked()
        work = counts.work
        vae = counts.autoencoder_gib
        parts += ["## Memory: calculated against counted", memory_table(counts)]
        parts += [COUNTED.format(encode=vae["encode"], decode=vae["decode"])]
        parts += ["## Seconds and cost of a person: calculated, not measured", gpus_table(work, person)]
        parts += [_arithmetic(work, person)]
    return "\n\n".join(parts) + "\n"


def _smaller() -> str:
    """What fewer bits, and weights that stay on the host, would allow on small cards: calculated."""
    row, plain = ROW_GIB[True, True], (OVERHEAD[True] + SDXL.adapter * BYTES_A_TRAINED_WEIGHT) / GIB
    moved = SDXL.unet * 2 / 1e9
    ways = [
        ("float8, as the trainer keeps them", SDXL.unet / GIB, "none"),
        ("4 bits (`BitsAndBytesConfig`, NF4)", SDXL.unet * (0.5 + 4 / 64) / GIB, "none"),
        ("bfloat16 on the host (group offload, a block at a time)", 0.3, f"{3 * moved:.1f} GB a part of a batch"),
    ]
    heads = ["UNet's weights", "GiB of them on the card", "GiB with 1 picture", "with 4", "moved over the bus"]
    lines = [
        [name, f"{gib:.1f}", f"{plain + gib + row:.1f}", f"{plain + gib + 4 * row:.1f}", bus] for name, gib, bus in ways
    ]
    return f"{table(heads, lines)}\n\n{SMALLER}"


def _arithmetic(work: Work, person: Asked) -> str:
    """How the seconds were calculated, with the numbers that went in."""
    rows, pictures = person.steps * person.batch, person.photos * person.crops
    row = work.unet + person.control_share * work.control
    return (
        f"A person is {person.photos} photos of {person.crops} crops, {person.steps} steps of {person.batch}, and "
        f"{person.portraits} portraits of {person.drawing_steps} steps at 896 x 1152 with guidance, the ControlNet "
        f"heard in {person.control_share:.0%} of them. Counted, in TFLOP: a picture in a step {work.row:.2f} "
        f"({work.row_twice:.2f} with activations calculated twice), encoding one {work.encode:.2f}, decoding one "
        f"{work.decode:.2f}, a row of the UNet {work.unet:.2f}, of the ControlNet {work.control:.2f}.\n\n"
        f"    training   ({rows} x {work.row:.2f} + {pictures} x {work.encode:.2f} / {FLOAT32_SHARE}) / rate"
        f" = {(rows * work.row + pictures * work.encode / FLOAT32_SHARE):.0f} TFLOP / rate\n"
        f"    portraits  {person.portraits} x (2 x {person.drawing_steps} x {row:.2f} + {work.decode:.2f}) / rate"
        f" = {person.portraits * (2 * person.drawing_steps * row + work.decode):.0f} TFLOP / rate\n\n"
        f"The rate is the data sheet's dense bfloat16 rate times {REACHED}, which is assumed and not measured; "
        f"encoding runs in float32 at {FLOAT32_SHARE} of that. Judging, loading and preprocessing are not in it. "
        "Prices are round figures of public clouds, to compare cards by. One share for all cards is too kind to an "
        "L4, whose 72 W and 300 GB/s bind it before its rate does, and to an H100, whose kernels are short where "
        "nothing is compiled: until `make gpu-check` has told it, reckon with twice the time for these two (believed, "
        "not measured)."
    )


INTRODUCTION = """# SDXL at its full size

`make rehearsal` writes this page. It makes SDXL 1.0's own networks (UNet 2.57 billion numbers, ControlNet 1.25, both \
text encoders, VAE) with random weights in files as hubs deliver them, and takes a person through the four stages with \
them, on a machine without a GPU. What it cannot show is a likeness: the weights know nothing."""
NOT_REHEARSED = "Not rehearsed yet."
REHEARSED = """The training follows the plan of a card of {card} GB: for it, without CUDA's own share and the \
ControlNet, the policy calculates {calculated:.1f} GiB, beside which the program and its libraries take half a GiB. \
All of it took {minutes:.0f} minutes while others worked on the machine: the seconds are upper bounds. At first glibc \
kept what was freed: a training with four pictures had taken 17.7 GiB by its third pass and grew on. \
`MALLOC_MMAP_THRESHOLD_=1048576`, which the rehearsal sets, gives it back."""
SMALLER = """The trainer's own way on such cards is float8, which needs no other library. diffusers' quantiser of 4 \
bits would halve that once more (with a scale of four bytes for every 64 weights) and needs `bitsandbytes`; its group \
offload would let 6 GB train, and moves all weights three times for every part of a batch (forward, again, backward). \
Neither is built in, and neither was tried."""
PLANS = """The trainer takes the first plan that fits into {usable} of what is free, before anything is loaded, and \
falls to the next where memory runs out all the same: the step is done again, nothing is loaded again, and an \
optimiser step learns from the whole batch however many pictures stand in memory at once. Parts of a batch cost no \
work; activations that are calculated twice cost 37 % more. The report's `changes` tell what was given up."""
COUNTED = """Counted on tensors without contents: every tensor of a forward and backward pass of an adapter of rank \
32 in the UNet's attention at 1024 px, as long as it lives, norms in float32 as CUDA's autocast has them. The \
autoencoder, one picture at a time, takes {encode:.1f} GiB to encode in float32 and {decode:.1f} GiB to decode in \
bfloat16."""
