"""GPU seconds: counted from when containers ran, once, over all attempts, and never for waiting."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_world import NOW, World, change
from profile_contract.conditions import Reason
from profile_contract.request import Training
from profile_contract.request_status import StageStatus
from profile_contract.stages.order import StageReport
from profile_contract.stages.table import Stage
from profile_operator.decide.bill import Bill, bill
from profile_operator.observe.pods import runs_of
from profile_operator.observe.snapshot import Cause, JobState, JobView
from properties import examples

QUEUED = timedelta(hours=3)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def job(
    *runs: tuple[float, float], state: JobState = JobState.SUCCEEDED, gpus: int = 1, ended: float = 1000
) -> JobView:
    return JobView(
        "minji-train-d", Stage.TRAIN, "d", "u1", state, started=NOW, completed=at(ended), gpus=gpus,
        runs=tuple((at(start), at(end)) for start, end in runs),
    )  # fmt: skip


def stamp(seconds: float) -> str:
    return at(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


DONE = StageReport(stage=Stage.TRAIN, digest="d", seconds=40.0)
ROWS: dict[str, tuple[StageStatus | None, JobView, StageReport | None, Bill]] = {
    "ten seconds after three hours": (None, job((900, 910)), DONE, Bill(10, stamp(1000))),
    "every attempt": (None, job((100, 130), (500, 520), (900, 905)), DONE, Bill(55, stamp(1000))),
    "times its GPUs": (None, job((900, 910), gpus=4), DONE, Bill(40, stamp(1000))),
    "never scheduled": (None, job(state=JobState.FAILED), None, Bill(0, stamp(1000))),
    "no GPU": (None, job((900, 910), gpus=0), DONE, Bill(0, None)),
    "its pods are gone": (None, job(), DONE, Bill(40, stamp(1000))),
    "its pods are gone, and a report that boasts": (
        None, job(), DONE.model_copy(update={"seconds": 1e300}), Bill(1000, stamp(1000)),
    ),
    "its report stands, and its container is still ending": (
        None, replace(job(state=JobState.ACTIVE), completed=None), DONE, Bill(40, stamp(700)),
    ),
    "the same, and a report that boasts": (
        None, replace(job(state=JobState.ACTIVE), completed=None), DONE.model_copy(update={"seconds": 1e300}),
        Bill(700, stamp(700)),
    ),
    "what was told is not told again": (
        StageStatus(digest="d", gpu_seconds=30, gpu_until=stamp(130)), job((100, 130), (900, 920)), DONE,
        Bill(20, stamp(1000)),
    ),
    "the first attempt's pod was cleaned up": (
        StageStatus(digest="d", gpu_seconds=30, gpu_until=stamp(130)), job((900, 920)), DONE, Bill(20, stamp(1000)),
    ),
    "nothing is left to tell": (
        StageStatus(digest="d", gpu_seconds=30, gpu_until=stamp(1000)), job((100, 130)), DONE, Bill(0, stamp(1000)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_what_a_stage_costs(name: str) -> None:
    told, view, report, expected = ROWS[name]
    assert bill(told, (view,), report, at(700)) == expected


spans = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 60)), min_size=1, max_size=5)


@given(spans, st.integers(0, 5), st.integers(1, 8))
@examples(100)
def test_looking_in_between_changes_no_bill(pauses: list[tuple[int, int]], looked: int, gpus: int) -> None:
    """Attempts follow one another; after some of them the status is written, and their pods may go."""
    runs, clock = [], 0
    for pause, length in pauses:
        runs.append((clock + pause, clock + pause + length))
        clock += pause + length
    whole = bill(None, (job(*runs, gpus=gpus, ended=clock),), None, at(0))
    assert whole.seconds == gpus * sum(length for _, length in pauses)
    early = bill(None, (replace(job(*runs[:looked], gpus=gpus), state=JobState.ACTIVE, completed=None),), None, at(0))
    entry = early.added_to(StageStatus(digest="d"))
    for left in (runs, runs[looked:]):
        late = bill(entry, (job(*left, gpus=gpus, ended=clock),), None, at(0))
        assert early.seconds + late.seconds == whole.seconds


def test_runs_are_those_of_the_stages_containers() -> None:
    def pod(**state: Any) -> dict[str, Any]:
        beside = {"name": "proxy", "state": {"running": {"startedAt": "2026-01-02T00:00:00Z"}}}
        return {"metadata": {}, "status": {"containerStatuses": [beside, {"name": "stage", "state": state}]}}

    now = datetime(2026, 1, 2, 4, 0, tzinfo=UTC)
    ended = pod(terminated={"startedAt": "2026-01-02T03:00:00Z", "finishedAt": "2026-01-02T03:00:09Z"})
    running, waiting = pod(running={"startedAt": "2026-01-02T03:59:00Z"}), pod(waiting={"reason": "ErrImagePull"})
    first = (datetime(2026, 1, 2, 3, 0, tzinfo=UTC), datetime(2026, 1, 2, 3, 0, 9, tzinfo=UTC))
    assert runs_of([running, ended, waiting], None) == (first,)
    assert runs_of([running, ended, waiting], now) == (first, (now - timedelta(minutes=1), now))


def training(world: World) -> str:
    world.run(until=lambda w: any("-train-" in name for name in w.jobs))
    return next(name for name in world.jobs if "-train-" in name)


def test_three_hours_in_a_queue_cost_nothing() -> None:
    world = World()
    name = training(world)
    before = world.status.gpu_seconds
    world.now += QUEUED
    world.work_on()
    started = world.now - timedelta(seconds=10)
    world.jobs[name] = replace(world.jobs[name], runs=((started, world.now),))
    world.cycle()
    assert world.status.gpu_seconds - before == 10


def test_a_training_whose_report_is_seen_before_its_end_is_counted_once() -> None:
    world = World()
    name = training(world)
    before, begun = world.status.gpu_seconds, world.now
    world.work_on()
    ended = world.jobs[name]
    world.jobs[name] = replace(ended, state=JobState.ACTIVE, completed=None, running=True)
    world.cycle()
    assert world.status.gpu_seconds == before + 10
    world.jobs[name] = replace(ended, runs=((begun, world.now),))
    world.cycle()
    assert world.status.gpu_seconds == before + 10


def test_a_training_that_never_had_a_node_costs_nothing() -> None:
    world = World()
    name = training(world)
    before = world.status.gpu_seconds
    world.now += QUEUED
    world.end(name, JobState.FAILED, Cause(Reason.REFUSED, "exceeded quota"))
    world.jobs[name] = replace(world.jobs[name], runs=())
    world.cycle()
    assert world.status.gpu_seconds == before


@pytest.mark.parametrize("asked", ["suspend", "another training"])
def test_what_ran_before_it_was_stopped_is_counted(asked: str) -> None:
    world = World()
    name = training(world)
    before = world.status.gpu_seconds
    world.now += timedelta(seconds=95)
    world.jobs[name] = replace(world.jobs[name], running=True, runs=((world.now - timedelta(seconds=90), world.now),))
    if asked == "suspend":
        change(world, suspend=True)
    else:
        change(world, training=Training(rank=8))
    world.cycle()
    assert name not in world.jobs
    assert world.status.gpu_seconds == before + 90
    world.cycle()
    assert world.status.gpu_seconds == before + 90
