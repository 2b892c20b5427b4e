"""RowsAtOnce: how many rows of a size the accelerator's memory takes, learnt where it ran out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
import torch

from profile_draw.errors import Refused, Unavailable
from profile_draw.rows import Row, Shape

log = logging.getLogger(__name__)

TOO_LARGE = "a picture of this size does not fit into the accelerator's memory: ask for a smaller one"
TAKEN = "the accelerator's memory is taken by others; ask again later"
Size = tuple[int, int, bool, bool]


class RowsAtOnce:
    """Draws rows all at once, or in parts of as many as fitted before. For one thread at a time."""

    def __init__(
        self, draw: Callable[[Shape, Sequence[Row], Callable[[], bool]], np.ndarray], save: Callable[[], None]
    ) -> None:
        """`draw`: N x height x width x 3 of N rows; `save`: takes less memory from now on, for somewhat slower or
        rougher pictures."""
        self._draw, self._save = draw, save
        self._most: dict[Size, int] = {}
        self._fitted: set[Size] = set()
        self._saving = False

    def draw(self, shape: Shape, rows: Sequence[Row], wanted: Callable[[], bool]) -> np.ndarray:
        """The pictures. Raises Refused where not even one fits, Unavailable where one did before, and as `draw`."""
        size = (shape.width, shape.height, shape.guided, shape.has_pose)
        while True:
            most = self._most.get(size, len(rows))
            try:
                parts = [self._draw(shape, rows[at : at + most], wanted) for at in range(0, len(rows), most)]
            except torch.OutOfMemoryError:
                log.warning("%d rows of %d x %d do not fit into memory", min(most, len(rows)), size[0], size[1])
            else:
                self._fitted.add(size)
                return np.concatenate(parts)
            # Outside of the except clause: the exception would keep the tensors of the failed rows alive.
            self._take_less(size, min(most, len(rows)))

    def _take_less(self, size: Size, tried: int) -> None:
        """Half of the rows; of a single one, less memory. Raises Refused or Unavailable where nothing is left."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if tried > 1:
            self._most[size] = tried // 2
        elif not self._saving:
            self._saving = True
            self._save()
        elif size in self._fitted:
            raise Unavailable(TAKEN)
        else:
            raise Refused(TOO_LARGE)
