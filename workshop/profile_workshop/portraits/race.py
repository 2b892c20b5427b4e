"""What is compared before a long training: each for the same time, from nothing, judged by decoded likeness."""

from __future__ import annotations

from dataclasses import dataclass, field

from profile_workshop.portraits.linear import POWER
from profile_workshop.portraits.networks import UNetShape
from profile_workshop.portraits.train import Prediction


@dataclass(frozen=True)
class Variant:
    name: str
    shape: UNetShape = field(default_factory=UNetShape)
    rate: float = 1.0
    power: float = POWER
    prediction: Prediction = Prediction.VELOCITY


VARIANTS = (
    Variant("base"),
    Variant("rate-2", rate=2.0),
    Variant("rate-4", rate=4.0),
    Variant("sample", prediction=Prediction.SAMPLE),
    Variant("power-0", power=0.0),
    Variant("power-1", power=1.0),
    Variant("48-channels", UNetShape(channels=48)),
    Variant("two-layers", UNetShape(layers=2)),
    Variant("wide", UNetShape(widths=(192, 320))),
    Variant("three-levels", UNetShape(widths=(160, 256, 256), attention=(True, True, False))),
)
