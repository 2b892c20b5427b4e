"""A finisher that delivers what it is given, and judges nobody's likeness."""

from __future__ import annotations

from typing import Any, cast

from profile_contract.stages.finish import FinishOrder, FinishParameters
from profile_contract.stages.order import RequestRef
from profile_contract.stages.table import Stage
from profile_finish.portraits import Finisher
from profile_finish.references import References
from profile_runtime.context import StageContext
from profile_runtime.progress import Silent, StageProgress
from profile_runtime.store.folder import FolderStore
from profile_vision import MaskReader

PREFIX = "hr.1a2b3c4d-5e6f/requests/minji/portraits/0123456789abcdef/"


def finisher(store: FolderStore, faces: Any, parameters: FinishParameters) -> Finisher:
    """Writes portraits below PREFIX, with this reader of faces."""
    request = RequestRef(namespace="hr", name="minji")
    order = FinishOrder(
        request=request, digest="d", output=PREFIX, dataset="hr/report.json", styles=[], parameters=parameters
    )
    context = StageContext(store, StageProgress(request, Stage.FINISH, "d", Silent()), store.root)
    references = References(embeddings=[], images=[], ceiling=1.0)
    return Finisher(order, context, faces, cast("MaskReader", None), references)
