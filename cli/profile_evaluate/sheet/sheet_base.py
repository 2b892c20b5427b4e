"""SheetBase: a base model as a sheet is drawn with it."""

from __future__ import annotations

from dataclasses import dataclass

from profile_contract.picture_size import PictureSize
from profile_contract.stages.train import TrainParameters


@dataclass(frozen=True)
class SheetBase:
    """A base model and its ControlNet (empty: none) by name, how large pictures are, and how it is trained upon."""

    name: str
    control: str
    size: PictureSize
    training: TrainParameters
