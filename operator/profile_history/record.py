"""What the history reads of a ProfileRequest: its row, the digests that its stages ran under, and whether it goes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from profile_contract.areas import Area, told_area
from profile_contract.conditions import ConditionType
from profile_contract.request import DeletionPolicy
from profile_contract.request_status import StagesStatus
from profile_contract.resource import Key, SpecError, parse_head, parse_spec
from profile_contract.stages.table import Stage
from profile_runtime.kubernetes.resources import Document

from .rows import Row


@dataclass(frozen=True)
class RequestRecord:
    """Two records of a request are equal where nothing happened in between that a row would tell.

    `area`: where what it made lies, None before the operator's first look. `row` is that of the table `requests`;
    `stages` are stage, digest and time of completion, in the order of stages.
    """

    key: Key
    uid: str
    area: Area | None
    row: Row
    stages: tuple[tuple[Stage, str, str], ...]
    deletion_policy: DeletionPolicy
    deleting: bool = False

    @property
    def leaves_nothing(self) -> bool:
        """Whether its rows go with it."""
        return self.deletion_policy is DeletionPolicy.DELETE

    def digest(self, stage: Stage) -> str:
        """The digest that the status tells of a stage; empty where it has not begun."""
        return next((digest for name, digest, _ in self.stages if name is stage), "")


def record_of(document: Document) -> RequestRecord:
    """What a document of the API server tells. What this version does not understand of it is left empty."""
    head, spec = parse_head(document), None
    with contextlib.suppress(SpecError):
        spec = parse_spec(document.get("spec") or {})
    stages = [(stage, getattr(head.status.stages or StagesStatus(), stage.value)) for stage in Stage]
    area = told_area(head.status.area, head.key.namespace)
    ready = next((condition for condition in head.status.conditions if condition.type == ConditionType.READY), None)
    row: Row = (
        head.key.namespace,
        head.key.name,
        head.uid,
        spec.subject.noun if spec else "",
        tuple(spec.style_keys) if spec else (),
        ready.status if ready else "Unknown",
        ready.reason if ready else "",
        head.status.gpu_seconds,
        head.deletion_policy.value,
        area or "",
    )
    return RequestRecord(
        key=head.key,
        uid=head.uid,
        area=area,
        row=row,
        stages=tuple(
            (stage, entry.digest, entry.completion_time or "") for stage, entry in stages if entry is not None
        ),
        deletion_policy=head.deletion_policy,
        deleting=head.deleting,
    )
