"""Accelerator: what a person takes on a card, calculated from counted FLOPs. Nothing here is measured.

seconds = FLOPs / (the card's dense bfloat16 rate x the share of it that such work reaches)
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Accelerator:
    """A card: dense bfloat16 TFLOP a second by its data sheet, memory in GiB, and US dollars an hour, on demand.

    Prices are round figures of public clouds for the card's cheapest instance, to compare cards by; write in your own.
    """

    name: str
    teraflops: float
    gigabytes: float
    dollars: float


GPUS = (
    Accelerator("L4", 121, 24, 0.80),
    Accelerator("A10G", 70, 24, 1.00),
    Accelerator("L40S", 362, 48, 1.90),
    Accelerator("A100 80 GB", 312, 80, 3.70),
    Accelerator("H100 80 GB", 989, 80, 8.00),
)
# The share of the data sheet's rate that SDXL reaches without compiling; float32 work, the VAE's, on the same scale.
# Assumed: between .3 and .5 is what profiles of diffusers' pipelines on such cards commonly show.
REACHED = 0.35
FLOAT32_SHARE = 0.25


@dataclass(frozen=True)
class Work:
    """TFLOP that were counted: of one picture in a training step, kept activations or not, of the autoencoder's two
    ways, and of one row of the UNet and the ControlNet while a portrait is drawn."""

    row: float
    row_twice: float
    encode: float
    decode: float
    unet: float
    control: float


@dataclass(frozen=True)
class Asked:
    """What one person asks for: photos and crops of each, steps of a batch, and portraits of so many steps each, the
    ControlNet heard in a share of them; every portrait is two rows, for guidance."""

    photos: int = 12
    crops: int = 3
    steps: int = 900
    batch: int = 4
    portraits: int = 8
    drawing_steps: int = 30
    control_share: float = 0.8


@dataclass(frozen=True)
class Expected:
    """Seconds of the stages that a GPU works in, and what the card costs for them."""

    training: float
    drawing: float
    dollars: float


def expected(gpu: Accelerator, work: Work, person: Asked, *, checkpointing: bool) -> Expected:
    """What a person takes on a card."""
    rate = gpu.teraflops * REACHED
    cached = person.photos * person.crops * work.encode / (rate * FLOAT32_SHARE)
    steps = person.steps * person.batch * (work.row_twice if checkpointing else work.row) / rate
    row = work.unet + person.control_share * work.control
    drawn = person.portraits * (2 * person.drawing_steps * row + work.decode) / rate
    return Expected(cached + steps, drawn, (cached + steps + drawn) / 3600 * gpu.dollars)
