"""Where a report lies, and whose it is."""

from __future__ import annotations

import pytest

from profile_contract.artifacts import REPORT, report_place, stage_folder, stage_prefix
from profile_contract.stages.table import Stage


@pytest.mark.parametrize("stage", Stage)
def test_a_reports_key_tells_whose_it_is(stage: Stage) -> None:
    prefix = stage_prefix("hr", "minji", stage, "d1")
    assert prefix == f"{stage_folder('hr', 'minji', stage)}d1/"
    assert report_place(prefix + REPORT) == ("hr", "minji", stage, "d1")


@pytest.mark.parametrize(
    "key",
    [
        "hr/requests/minji/adapter/d1/checkpoints/report.json",
        "hr/requests/minji/elsewhere/d1/report.json",
        "hr/uploads/minji/report.json",
        "hr/requests/minji/dataset/d1/order.json",
        "Hr/requests/minji/dataset/d1/report.json",
        "hr/requests/../dataset/d1/report.json",
        "hr/requests/minji/dataset//report.json",
        "report.json",
        "",
    ],
)
def test_any_other_key_is_no_reports(key: str) -> None:
    assert report_place(key) is None
