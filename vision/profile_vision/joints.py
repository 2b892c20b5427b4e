"""Bodies and their joints: what every reader of them gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .faces import Face
from .pixels import BGR

# (17, 3) in COCO's order: x, y in pixels, confidence 0 to 1.
Joints = NDArray[np.float32]


@dataclass(frozen=True)
class Body:
    """A person in a picture: `box` x, y, width, height in pixels, the joints, and how sure the reader is, 0 to 1."""

    box: tuple[float, float, float, float]
    joints: Joints
    score: float

    @property
    def area(self) -> float:
        """Box area in square pixels."""
        return self.box[2] * self.box[3]


class JointsReader(Protocol):
    """Finds people and their joints."""

    @property
    def accelerator(self) -> tuple[str, int]:
        """Name and number of the GPUs that it may use; ('', 0) on a CPU."""
        ...

    def find(self, image: BGR, faces: Sequence[Face] = ()) -> list[Body]:
        """People in a picture of any size, the largest first; empty if there is nobody.

        `faces`: those that were found in it, the largest first, which a reader may begin from.
        """
        ...
