"""Request status on one machine, by what of its stages is done. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from profile_cli.run.settings import AREA
from profile_contract.conditions import ConditionType, Reason
from profile_contract.delivered import delivered_portraits
from profile_contract.request import ProfileRequestSpec
from profile_contract.request_status import (
    Condition,
    PhotosStatus,
    ProfileRequestStatus,
    Progress,
    StagesStatus,
    StageStatus,
    Verdict,
)
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.order import StageReport
from profile_contract.stages.preprocess import PreprocessReport
from profile_contract.stages.table import STAGES, Stage
from profile_contract.stages.train import TrainReport

ADVICE_LENGTH, MESSAGE_LENGTH, MOST_VERDICTS = 300, 1000, 40

Reports = Mapping[Stage, StageReport]


def status(
    spec: ProfileRequestSpec,
    generation: int,
    reports: Reports,
    *,
    looked_at: StageReport | None = None,
    queued: bool = False,
    failure: tuple[str, str] | None = None,
    progress: Progress | None = None,
    toy: str = "",
) -> dict[str, Any]:
    """The status. `reports`: of the stages that are done. `looked_at`: preprocessing's, even where it refused the
    photos. `failure`: the reason and the message of what stands in the way. Without any of these it is worked on."""
    finish, training = reports.get(Stage.FINISH), reports.get(Stage.TRAIN)
    shown = ProfileRequestStatus(
        observed_generation=generation,
        area=AREA,
        conditions=_conditions(spec, generation, reports, queued=queued, failure=failure),
        progress=progress,
        photos=_photos(spec, looked_at),
        stages=StagesStatus(
            **{
                stage.value: StageStatus(digest=report.digest, completion_time=report.finished_at or _now())
                for stage, report in reports.items()
            }
        ),
    )
    if isinstance(training, TrainReport) and training.adapter is not None:
        shown = shown.model_copy(update={"adapter": training.adapter.key})
    if isinstance(finish, FinishReport):
        shown = shown.model_copy(update=_results(spec, finish, toy))
    return shown.document()


def _results(spec: ProfileRequestSpec, finish: FinishReport, toy: str) -> dict[str, Any]:
    """The fields that tell what was delivered."""
    portraits = delivered_portraits(finish, spec.style_keys)
    return {
        "previews" if finish.preview else "portraits": portraits,
        "best_likeness": max((portrait.likeness for portrait in portraits), default=None),
        "toy_model": toy or None,
        "contact_sheet": finish.contact_sheet or None,
        "print_sheet": finish.print_sheet or None,
        "likeness_report": finish.likeness_report or None,
    }


def _conditions(
    spec: ProfileRequestSpec,
    generation: int,
    reports: Reports,
    *,
    queued: bool,
    failure: tuple[str, str] | None,
) -> list[Condition]:
    def condition(kind: str, reason: str, message: str = "", *, holds: bool = True) -> Condition:
        return Condition(
            type=kind,
            status="True" if holds else "False",
            reason=reason,
            message=message[:MESSAGE_LENGTH],
            last_transition_time=_now(),
            observed_generation=generation,
        )

    done = [condition(STAGES[stage].condition, Reason.SUCCEEDED) for stage in reports]
    if not spec.training.trains:
        done.append(condition(ConditionType.TRAINED, Reason.NOT_ASKED, holds=False))
    if failure is not None:
        return [*done, condition(ConditionType.STALLED, *failure)]
    if Stage.FINISH in reports:
        return [*done, condition(ConditionType.READY, Reason.SUCCEEDED)]
    return [*done, condition(ConditionType.RECONCILING, Reason.QUEUED if queued else Reason.RUNNING)]


def _photos(spec: ProfileRequestSpec, report: StageReport | None) -> PhotosStatus | None:
    """What was found about the photos; None before they were looked at."""
    if not isinstance(report, PreprocessReport):
        return None
    verdicts = [
        Verdict(
            name=verdict.name[-256:],
            accepted=verdict.accepted,
            reason=verdict.reason,
            advice=verdict.advice[:ADVICE_LENGTH],
        )
        for verdict in report.verdicts[:MOST_VERDICTS]
    ]
    accepted = sum(verdict.accepted for verdict in verdicts)
    return PhotosStatus(
        prefix=spec.photos.prefix,
        revision=spec.photos.revision,
        found=len(verdicts),
        accepted=accepted,
        rejected=len(verdicts) - accepted,
        verdicts=verdicts,
        warnings=report.warnings,
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
