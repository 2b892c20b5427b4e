"""The tables of the contract: one row a stage, one row a reason, and none is forgotten."""

from __future__ import annotations

import importlib

import pytest

from profile_contract.conditions import REASONS, ConditionType, Reason, ReasonKind
from profile_contract.stages.order import StageOrder, StageReport
from profile_contract.stages.table import STAGES, Stage


def test_the_stages_stand_in_the_order_that_data_flows() -> None:
    assert list(STAGES) == list(Stage) == ["preprocess", "train", "generate", "finish"]
    assert [stage for stage, row in STAGES.items() if row.order is None] == [Stage.GENERATE]


def test_no_two_stages_share_a_condition_or_a_folder() -> None:
    assert [row.folder for row in STAGES.values()] == ["dataset", "adapter", "candidates", "portraits"]
    others = {
        ConditionType.READY,
        ConditionType.OUTDATED,
        ConditionType.OMITTED,
        ConditionType.RECONCILING,
        ConditionType.STALLED,
    }
    assert {row.condition for row in STAGES.values()} == set(ConditionType) - others
    assert len({row.condition for row in STAGES.values()}) == len(STAGES)


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_is_one_file_with_its_order_its_report_and_its_version(stage: Stage) -> None:
    row, module = STAGES[stage], importlib.import_module(f"profile_contract.stages.{stage}")
    assert row.version == module.VERSION
    assert row.report.model_fields["stage"].default is stage
    assert row.report.__module__ == module.__name__
    assert row.order is None or row.order.model_fields["stage"].default is stage


def test_every_report_and_order_has_its_row() -> None:
    """A stage whose file the table does not know would never run."""
    assert {row.report for row in STAGES.values()} == set(StageReport.__subclasses__())
    assert {row.order for row in STAGES.values() if row.order is not None} == set(StageOrder.__subclasses__())


def test_every_reason_has_its_row() -> None:
    assert list(REASONS) == list(Reason)


@pytest.mark.parametrize("reason", [reason for reason, row in REASONS.items() if row.kind is ReasonKind.PERSON])
def test_whoever_must_act_is_told_what_to_do(reason: Reason) -> None:
    assert REASONS[reason].advice.endswith(".")


def test_what_heals_by_itself_is_what_is_out_of_reach() -> None:
    healing = {reason for reason, row in REASONS.items() if row.kind is ReasonKind.PLATFORM}
    assert healing == {
        Reason.STORE_UNAVAILABLE, Reason.PREDICTOR_UNAVAILABLE, Reason.PREDICTOR_FAILS, Reason.API_UNAVAILABLE,
        Reason.REFUSED, Reason.IMAGE_PULL_FAILED, Reason.POD_NOT_STARTED, Reason.EVICTED, Reason.NODE_LOST,
        Reason.PREDICTOR_NOT_FOUND,
    }  # fmt: skip


def test_nobody_is_asked_to_act_while_work_goes_on() -> None:
    quiet = {reason for reason, row in REASONS.items() if row.kind in (ReasonKind.PROGRESS, ReasonKind.DELETION)}
    assert {reason for reason in quiet if REASONS[reason].advice} == set()
