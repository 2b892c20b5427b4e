"""A finisher that delivers what it is given, and judges nobody's likeness."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from profile_contract.stages.finish import FinishOrder, FinishParameters
from profile_contract.stages.order import RequestRef
from profile_contract.stages.table import Stage
from profile_finish.portraits import Finisher
from profile_finish.references import References
from profile_finish.signature import Signature
from profile_runtime.context import StageContext
from profile_runtime.progress import Silent, StageProgress
from profile_runtime.store.folder import FolderStore
from profile_vision import MaskReader
from profile_vision.pixels import BGR, Mask

PREFIX = "hr.1a2b3c4d-5e6f/requests/minji/portraits/0123456789abcdef/"


# Grey levels by which neighbouring rows or columns of a drawn picture differ at least, however smooth it is.
GRAIN = 0.02


def stripes(image: BGR) -> int:
    """How many rows and columns near an edge are the same as the one beside them: what smearing an edge leaves."""
    grey = image.astype(float)
    count = 0
    for picture in (grey, grey.transpose(1, 0, 2)):
        steps = np.abs(np.diff(picture, axis=0)).mean(axis=(1, 2))
        for inward in (steps, steps[::-1]):
            still = inward < GRAIN
            count += int(np.argmin(still)) if still.any() and not still.all() else int(still.all()) * len(still)
    return count


class Nobody:
    """Takes nothing in a picture for a person."""

    def read(self, image: BGR) -> Mask:
        """All backdrop."""
        return Mask(np.zeros(image.shape[:2], np.uint8))


def finisher(
    store: FolderStore,
    faces: Any,
    parameters: FinishParameters,
    mask: MaskReader | None = None,
    signature: Signature | None = None,
) -> Finisher:
    """Writes portraits below PREFIX, with this reader of faces, and of people if there is one, signed if with a
    signature."""
    request = RequestRef(namespace="hr", name="minji")
    order = FinishOrder(
        request=request, digest="d", output=PREFIX, dataset="hr/report.json", styles=[], parameters=parameters
    )
    context = StageContext(store, StageProgress(request, Stage.FINISH, "d", Silent()), store.root)
    references = References(embeddings=[], images=[], ceiling=1.0)
    return Finisher(order, context, faces, mask or cast("MaskReader", Nobody()), references, signature=signature)
