"""What somebody else may have written, into a status, a record or a report: no request hangs on it, and none runs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from areas import area
from fake_kubernetes import CLUSTER_STYLES
from operator_world import KEY, NOW, STYLES, World, fail, gone
from profile_contract.artifacts import request_prefix, resolved_key
from profile_contract.conditions import Reason
from profile_contract.reports import UnsoundReport, read_report
from profile_contract.request_status import Condition, ProfileRequestStatus, StageFailure, StagesStatus, StageStatus
from profile_contract.resolved import LONGEST_RESOLVED, UnreadResolved, read_resolved
from profile_contract.stages.preprocess import PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.understood import understood
from profile_operator.clients import record_memory
from profile_operator.decide.deletion import LONGEST_WAIT
from profile_operator.observe.snapshot import Cause, JobState
from real_operator import RealOperator

AREA = area("hr")
ODD_TIMES = ["yesterday", "2026-13-45T00:00:00Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", ""]


# --- a status ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("time", ODD_TIMES)
def test_a_time_that_is_none_is_left_out_and_the_rest_of_the_status_stands(time: str) -> None:
    failure = {"digest": "d", "reason": "StoreUnavailable", "time": time}
    train = {"digest": "d", "gpuSeconds": 7, "gpuUntil": time, "queueTime": time, "failure": failure}
    status, whole = understood(ProfileRequestStatus, {"purgeAfter": time, "stages": {"train": train}})
    assert not whole
    assert status.purge_after is None
    assert status.stages is not None
    assert status.stages.train == StageStatus(digest="d", gpu_seconds=7)


async def test_times_that_are_none_keep_nobody_from_being_looked_at(operator: RealOperator) -> None:
    await operator.cycle()
    for name in ("startTime", "queueTime", "gpuUntil"):
        operator.document["status"]["stages"]["preprocess"][name] = "9999-12-31T23:59:59-12:00"
    operator.finish("preprocess")
    await operator.cycle()
    assert operator.condition("Preprocessed")[0] == "True"


def test_a_failure_that_lies_ahead_is_not_waited_for() -> None:
    world = World()
    fail(world, Stage.TRAIN, Cause(Reason.STORE_UNAVAILABLE, "the store is away"))
    stages = world.status.stages or StagesStatus()
    assert stages.train is not None
    assert stages.train.failure is not None
    later = stages.train.failure.model_copy(update={"time": "2036-01-01T00:00:00Z", "attempt": 1_000_000})
    train = stages.train.model_copy(update={"failure": later})
    world.status = world.status.model_copy(update={"stages": stages.model_copy(update={"train": train})})
    world.run()
    assert world.condition("Ready")[0] == "True"


def test_the_highest_number_of_attempts_is_no_end() -> None:
    world = World()
    name = fail(world, Stage.TRAIN, Cause(Reason.STORE_UNAVAILABLE, "the store is away"))
    assert world.status.stages is not None
    train = world.status.stages.train
    assert train is not None
    most = StageFailure(digest=train.digest, reason="StoreUnavailable", time="2026-01-02T03:00:00Z", attempt=1_000_000)
    entry = train.model_copy(update={"failure": most})
    world.status = world.status.model_copy(update={"stages": world.status.stages.model_copy(update={"train": entry})})
    assert name in world.jobs
    world.cycle()
    assert world.status.stages is not None
    assert world.status.stages.train is not None
    assert world.status.stages.train.failure is not None
    assert world.status.stages.train.failure.attempt == 1_000_000


@pytest.mark.parametrize("forged", ["purge_after", "completion", "start"])
def test_a_deletion_ends_however_far_away_its_end_was_written(forged: str) -> None:
    world = World().run()
    world.deleting = True
    far = "2126-01-01T00:00:00Z"
    stages = world.status.stages
    assert stages is not None
    assert stages.train is not None
    if forged == "purge_after":
        world.status = world.status.model_copy(update={"purge_after": far})
    else:
        times = {"completion_time": far} if forged == "completion" else {"start_time": far, "completion_time": None}
        train = stages.train.model_copy(update=times)
        world.status = world.status.model_copy(update={"stages": stages.model_copy(update={"train": train})})
    world.cycle()
    assert not gone(world)
    world.revoked = None
    world.now += LONGEST_WAIT + timedelta(seconds=30)
    world.cycle()
    assert gone(world)


def test_a_reason_of_another_version_keeps_no_finished_request_from_being_compared() -> None:
    world = World().run()
    conditions = [
        condition.model_copy(update={"reason": "Delivered"}) if condition.type == "Ready" else condition
        for condition in world.status.conditions
    ]
    world.status = world.status.model_copy(update={"conditions": conditions, "compared": "another"})
    plan = world.cycle()
    assert plan.status is not None
    assert world.condition("Ready")[:2] == ("True", "Delivered")
    assert plan.events == ()


def test_a_condition_that_another_wrote_stays() -> None:
    world = World()
    world.cycle()
    foreign = Condition(type="Audited", status="True", reason="Seen", last_transition_time="2026-01-01T00:00:00Z")
    world.status = world.status.model_copy(update={"conditions": [*world.status.conditions, foreign]})
    world.run()
    assert world.status.conditions[-1] == foreign


def test_a_job_beside_a_request_that_is_ready_since_tomorrow_is_ended() -> None:
    world = World()
    world.run()
    conditions = [
        condition.model_copy(update={"last_transition_time": "2126-01-01T00:00:00Z"})
        for condition in world.status.conditions
    ]
    world.status = world.status.model_copy(update={"conditions": conditions})
    name = next(name for name in world.jobs if "-finish-" in name)
    world.jobs[name] = replace(world.jobs[name], state=JobState.ACTIVE, completed=None)
    world.cycle()
    assert name not in world.jobs


# --- a style -----------------------------------------------------------------------------------------------------


async def test_a_style_whose_name_no_request_could_say_is_nobodys_business(operator: RealOperator) -> None:
    name = "a" * 64
    operator.server.put(CLUSTER_STYLES, {"metadata": {"name": name}, "spec": STYLES["warm"].document()})
    await operator.ready()


# --- a record ----------------------------------------------------------------------------------------------------


async def record(operator: RealOperator) -> dict[str, Any]:
    await operator.cycle()
    document: dict[str, Any] = json.loads(operator.store.objects[resolved_key(AREA, KEY.name)])
    return document


def _set(document: dict[str, Any], path: str, value: object) -> bytes:
    *folders, last = path.split("/")
    place: Any = document
    for folder in folders:
        place = place[int(folder)] if folder.isdigit() else place[folder]
    place[last] = value
    return json.dumps(document).encode()


FOREIGN = [
    ("train/digest", "../../other"),
    ("preprocess/digest", "a/b"),
    ("photos/digest", "*"),
    ("finish/digest", "x" * 64 + "/"),
    ("generate/styles/0/digest", "."),
    ("train/parameters/baseModel", "../../secrets"),
    ("train/parameters/controlModel", "/etc"),
    ("finish/parameters/toyModel", "../x"),
    ("generate/styles/0/content/predictor", "evil.example.com/"),
    ("generate/styles/0/key", "../warm"),
    ("generate/seed", 10**30),
    ("generate/candidates", 10**9),
    ("photos/prefix", "uploads/../../finance/"),
    ("photos/photos/0/key", "finance.1a2b3c4d-5e6f/uploads/ceo/1.jpg"),
    ("photos/photos/0/key", "hr.1a2b3c4d-5e6f/requests/minji/resolved.json"),
]


@pytest.mark.parametrize(("path", "value"), FOREIGN)
async def test_a_record_that_reaches_elsewhere_is_no_record(operator: RealOperator, path: str, value: object) -> None:
    data = _set(await record(operator), path, value)
    with pytest.raises(UnreadResolved):
        read_resolved(data, AREA)
    operator.store.objects[resolved_key(AREA, KEY.name)] = data
    await operator.cycle()
    standing = read_resolved(operator.store.objects[resolved_key(AREA, KEY.name)], AREA)
    assert operator.status.resolved is not None
    assert standing.digest == operator.status.resolved.digest


async def test_a_record_of_fifty_megabytes_is_not_read(operator: RealOperator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_memory, "SECONDS", 0.0)
    await operator.ready()
    operator.store.objects[resolved_key(AREA, KEY.name)] = b" " * 50_000_000
    operator.document["status"]["compared"] = "another"
    await operator.cycle()
    assert operator.condition("Ready")[0] == "True"
    assert len(operator.store.objects[resolved_key(AREA, KEY.name)]) < LONGEST_RESOLVED


# --- a report ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z", "0002-01-01T00:00:00+14:00"])
def test_a_report_of_a_time_that_cannot_be_counted_with_is_not_sound(time: str) -> None:
    report = PreprocessReport(digest="d", outcome="BadInput", finished_at=time)
    with pytest.raises(UnsoundReport, match="times"):
        read_report(PreprocessReport, report.to_json().encode(), request_prefix(AREA, "minji"))


def test_now_is_a_time() -> None:
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    report = PreprocessReport(digest="d", outcome="BadInput", finished_at=at)
    assert read_report(PreprocessReport, report.to_json().encode(), request_prefix(AREA, "minji")).finished_at == at
    assert NOW.tzinfo is UTC
