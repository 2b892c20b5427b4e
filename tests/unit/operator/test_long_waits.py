"""For how long requests wait, and how often stages were tried in vain, as alerts ask for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from profile_contract.request_status import StageFailure
from profile_operator.clients.entries import RequestEntry, request_entry
from profile_operator.clock import parsed
from profile_operator.decide.failure import due
from profile_operator.long_waits import MANY_ATTEMPTS, LongWaits


def waiting(reason: str, uid: str = "u", **more: Any) -> RequestEntry:
    metadata = {"name": uid, "namespace": "hr", "uid": uid, "resourceVersion": "1", **more.pop("metadata", {})}
    condition = {"type": "Ready", "status": "False", "reason": reason}
    status = {"conditions": [condition], **more.pop("status", {})}
    return request_entry(msgspec.json.encode({"metadata": metadata, "spec": more, "status": status}))


def test_the_longest_wait_is_told_by_the_reason_that_it_has_now() -> None:
    now = 100.0
    waits = LongWaits(lambda: now)
    assert set(waits.longest([waiting("Pending", "a"), waiting("Running", "b")]).values()) == {0.0}
    now = 400.0
    longest = waits.longest([waiting("ImagePullFailed", "a"), waiting("ImagePullFailed", "b")])
    assert (longest["ImagePullFailed"], longest["Pending"]) == (300.0, 0.0)
    now = 500.0
    # To wait for a GPU is another wait; whoever ran meanwhile begins anew.
    longest = waits.longest([waiting("Queued", "a"), waiting("Running", "b")])
    assert longest["Queued"] == 0.0
    now = 900.0
    longest = waits.longest([waiting("Queued", "a"), waiting("Pending", "b")])
    assert (longest["Queued"], longest["Pending"]) == (400.0, 0.0)


@pytest.mark.parametrize(
    "entry",
    [
        waiting("Running"),
        waiting("NoPhotos"),
        waiting("Succeeded"),
        waiting("Pending", suspend=True),
        waiting("Pending", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
    ],
)
def test_whoever_works_or_waits_for_a_person_is_not_counted(entry: RequestEntry) -> None:
    now = 0.0
    waits = LongWaits(lambda: now)
    waits.longest([entry])
    now = 10_000.0
    assert max(waits.longest([entry]).values()) == 0.0


def test_attempts_count_where_the_platform_failed() -> None:
    stages = {
        "preprocess": None,
        "train": {"failure": {"reason": "Evicted", "attempt": 14, "digest": "d"}},
        "generate": {"failure": {"reason": "PredictorRefused", "attempt": 30}},
        "finish": {"digest": "d"},
    }
    assert waiting("Evicted", status={"stages": stages}).retried == 14
    assert waiting("Running").retried == 0


@pytest.mark.parametrize(
    "more",
    [
        {"suspend": True},
        {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
        {"status": {"stageText": "Stalled"}},
        {"status": {"stageText": "Suspended"}},
    ],
)
def test_attempts_of_whoever_tries_no_more_are_not_counted(more: dict[str, Any]) -> None:
    """Else the alert stood for as long as a person leaves the request as it is, whatever became of the platform."""
    stages = {"train": {"failure": {"reason": "Evicted", "attempt": 14, "digest": "d"}}}
    status = {"stages": stages, **more.pop("status", {})}
    assert waiting("Evicted", status=status, **more).retried == 0


def test_many_attempts_take_an_hour() -> None:
    def after(attempts: int) -> timedelta:
        begun = "2026-01-01T00:00:00Z"
        pauses = (
            due(StageFailure(digest="d", reason="Evicted", message="", time=begun, attempt=attempt)) - parsed(begun)
            for attempt in range(1, attempts)
        )
        return sum(pauses, timedelta())

    assert after(MANY_ATTEMPTS - 1) < timedelta(hours=1) <= after(MANY_ATTEMPTS)
