"""Where a request stands, after the rules have spoken and before it is put into words."""

from __future__ import annotations

from dataclasses import dataclass

from profile_contract.conditions import Reason
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.table import Stage
from profile_operator.observe.chain import Chain

from .obstacles import Obstacle
from .stages import Phase, Step


@dataclass(frozen=True)
class Outcome:
    """Where a request stands. `chain` is None while the photos are not known."""

    chain: Chain | None
    steps: tuple[Step, ...]
    obstacle: Obstacle | None = None
    suspended: bool = False

    def step(self, stage: Stage) -> Step:
        """The step of a stage."""
        return next(step for step in self.steps if step.stage is stage)

    @property
    def current(self) -> Step | None:
        """The first step that is not done."""
        return next((step for step in self.steps if step.phase is not Phase.DONE), None)


def nothing_delivered(report: FinishReport | None) -> tuple[Reason, str] | None:
    """Why a finished request is not ready: finishing delivered no portrait."""
    if report is None or report.portraits:
        return None
    reason = report.reason if report.reason is not Reason.SUCCEEDED else Reason.NO_LIKENESS_REACHED
    return reason, report.message or "no candidate reached spec.minimumLikeness"
