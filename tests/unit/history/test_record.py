"""What is read of a request, whatever version wrote it."""

from __future__ import annotations

import pytest

from areas import area
from history_world import AT, KEY, document
from profile_contract.stages.table import Stage
from profile_history.record import record_of


def test_a_request_is_one_row_and_the_digests_of_its_stages() -> None:
    record = record_of(document())
    assert record.key == KEY
    assert record.row == ("hr", "minji", "u-1", "woman", ("warm",), "True", "Succeeded", 1200, "Delete", area())
    assert record.stages == (
        (Stage.PREPROCESS, "d1", AT),
        (Stage.TRAIN, "d2", AT),
        (Stage.GENERATE, "all-styles", AT),
        (Stage.FINISH, "d4", AT),
    )
    assert (record.digest(Stage.TRAIN), record.leaves_nothing, record.deleting) == ("d2", True, False)
    assert not record_of(document(policy="Retain")).leaves_nothing


def test_progress_is_nothing_new_and_a_stage_that_ends_is() -> None:
    progress = {"stage": "train", "percent": 10}
    running = {"train": {"digest": "d2"}}
    before = record_of(document(stages=running, progress=progress))
    assert record_of(document(stages=running, progress={**progress, "percent": 20}, version=10)) == before
    assert record_of(document(stages={"train": {"digest": "d2", "completionTime": AT}})) != before


def test_one_that_goes_says_so() -> None:
    leaving = document()
    leaving["metadata"]["deletionTimestamp"] = AT
    assert record_of(leaving).deleting


def test_a_request_without_a_status_waits() -> None:
    waiting = document()
    del waiting["status"]
    record = record_of(waiting)
    assert (record.row[5:8], record.stages) == (("Unknown", "", 0), ())


@pytest.mark.parametrize(("policy", "kept"), [("Retain", "Retain"), ("Archive", "Delete"), (None, "Delete")])
def test_of_a_spec_of_another_version_the_policy_is_read_all_the_same(policy: str | None, kept: str) -> None:
    newer = document()
    newer["spec"] = {"photos": 7, "deletionPolicy": policy}
    assert record_of(newer).row[3:5] == ("", ())
    assert record_of(newer).row[8] == kept


def test_what_another_version_wrote_is_left_alone_field_by_field() -> None:
    newer = document(gpuSeconds="many")
    newer["spec"]["background"] = "forest"
    record = record_of(newer)
    assert record.row[3:] == ("woman", ("warm",), "True", "Succeeded", 0, "Delete", area())
