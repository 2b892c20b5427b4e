"""Reports that are still to come are not asked for at every look, and are seen as soon as they are there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fake_kubernetes import JOBS, SECRETS
from fake_store import MemoryStore, store_access
from operator_world import AREA, KEY
from profile_contract.artifacts import resolved_key
from profile_contract.stages.table import Stage
from profile_operator.observe.absences import SECONDS, Absences, writers_of
from profile_operator.observe.snapshot import GenerationView, JobState, JobView
from real_operator import RealOperator, real_operator


def reports_read(operator: RealOperator) -> list[str]:
    """The stages whose reports the store was asked for, since the last time."""
    stages = [key.split("/")[3] for key in operator.store.reads if key.endswith("report.json")]
    operator.store.reads.clear()
    return sorted(stages)


async def test_a_look_at_which_nothing_ended_asks_for_no_report(operator: RealOperator) -> None:
    await operator.cycle()
    await operator.cycle()
    reports_read(operator)
    operator.job("preprocess")["status"] = {"startTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "active": 1}
    await operator.cycle()
    assert reports_read(operator) == []


async def test_the_end_of_a_stage_has_its_own_report_read_and_no_other(operator: RealOperator) -> None:
    await operator.cycle()
    reports_read(operator)
    operator.finish("preprocess")
    await operator.cycle()
    assert reports_read(operator) == ["dataset"]
    assert any("-train-" in name for name in operator.jobs)


async def test_a_report_that_a_person_puts_there_is_seen(
    operator: RealOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await operator.cycle()
    await operator.cycle()
    operator.finish("preprocess")
    del operator.job("preprocess")["status"]
    await operator.cycle()
    assert not any("-train-" in name for name in operator.jobs)
    monkeypatch.setattr("profile_operator.observe.absences.SECONDS", 0.0)
    await operator.cycle()
    assert any("-train-" in name for name in operator.jobs)


@pytest.mark.parametrize(("ready", "asked"), [(1, False), (0, True)])
async def test_pods_are_looked_at_where_a_job_does_not_run_though_it_had_the_time_to(
    operator: RealOperator, ready: int, asked: bool
) -> None:
    await operator.cycle()
    long_ago = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    operator.job("preprocess")["status"] = {"startTime": long_ago, "active": 1, "ready": ready}
    operator.server.calls.clear()
    await operator.cycle()
    assert any(call.path.endswith("/pods") for call in operator.server.calls) == asked


async def test_of_a_secret_that_was_never_made_nobody_asks(operator: RealOperator) -> None:
    await operator.cycle()
    calls = operator.server.writes("/secrets")
    assert [(call.method, call.query.get("dryRun")) for call in calls] == [("POST", None)]


async def test_a_secret_of_a_process_before_is_made_anew(operator: RealOperator) -> None:
    uid = operator.document["metadata"]["uid"]
    name = f"{KEY.name}-preprocess-{uid}"
    before = operator.server.put(SECRETS.format(KEY.namespace), {"metadata": {"name": name}, "data": {}})
    await operator.cycle()
    after = operator.server.named(SECRETS.format(KEY.namespace))[name]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert [call.method for call in operator.server.writes("/secrets")] == ["POST", "DELETE", "DELETE", "POST"]


def job(stage: Stage, state: JobState = JobState.ACTIVE, uid: str = "1", failed: int = 0) -> JobView:
    return JobView(name=f"r-{stage}", stage=stage, digest="d", owner_uid="u", state=state, uid=uid, failed_pods=failed)


@pytest.mark.parametrize(
    "after",
    [
        [],
        [job(Stage.TRAIN, JobState.SUCCEEDED)],
        [job(Stage.TRAIN, uid="2")],
        [job(Stage.TRAIN, failed=1)],
    ],
)
def test_whatever_happens_to_a_job_has_its_report_asked_for(after: list[JobView]) -> None:
    absences, view = Absences(), GenerationView()
    absences.keep("u", "p/", writers_of(Stage.TRAIN, [job(Stage.TRAIN)], view))
    assert absences.last("u", "p/", writers_of(Stage.TRAIN, [job(Stage.TRAIN), job(Stage.FINISH)], view))
    assert not absences.last("u", "p/", writers_of(Stage.TRAIN, after, view))
    assert not absences.last("another", "p/", writers_of(Stage.TRAIN, [job(Stage.TRAIN)], view))


def test_a_job_that_has_but_begun_has_no_report_asked_for_and_its_end_has() -> None:
    absences, view = Absences(), GenerationView()
    begun, other = writers_of(Stage.TRAIN, [job(Stage.TRAIN)], view), writers_of(Stage.TRAIN, [], view)
    absences.keep("u", "p/", other)
    assert absences.last("u", "p/", begun)
    # A Job that goes may have left its report.
    assert not absences.last("u", "p/", other)
    for failed in (job(Stage.TRAIN, failed=1), job(Stage.TRAIN, JobState.FAILED)):
        absences.keep("u", "p/", other)
        assert not absences.last("u", "p/", writers_of(Stage.TRAIN, [failed], view))


def test_pictures_that_were_drawn_have_the_reports_of_styles_asked_for() -> None:
    absences = Absences()
    drawing, drawn = GenerationView("d", running=True, done=1), GenerationView("d", running=True, done=2)
    absences.keep("u", "p/", writers_of(Stage.GENERATE, [], drawing))
    assert absences.last("u", "p/", writers_of(Stage.GENERATE, [job(Stage.TRAIN)], drawing))
    assert not absences.last("u", "p/", writers_of(Stage.GENERATE, [], drawn))


def test_it_is_asked_again_after_a_while() -> None:
    now = [0.0]
    absences = Absences(lambda: now[0])
    absences.keep("u", "p/", ())
    now[0] = SECONDS - 0.1
    assert absences.last("u", "p/", ())
    now[0] = SECONDS
    assert not absences.last("u", "p/", ())


async def test_a_record_is_read_once_a_transition_and_anew_once_it_is_written() -> None:
    store, area = MemoryStore(), AREA
    access = store_access(store)
    async with real_operator() as operator:
        await operator.cycle()
        key = resolved_key(area, KEY.name)
        store.objects[key] = data = operator.store.objects[key]
    first = await access.resolved(area, KEY.name)
    assert first is not None
    assert await access.resolved(area, KEY.name) is first
    assert store.reads == [key]
    await access.write(key, data)
    assert await access.resolved(area, KEY.name) == first
    await access.delete(key.rpartition("/")[0] + "/")
    assert await access.resolved(area, KEY.name) is None
    assert store.reads == [key] * 3


@pytest.mark.parametrize("stage", ["preprocess", "train"])
async def test_a_job_that_goes_right_after_its_end_takes_nothing_of_its_report(stage: str) -> None:
    """Nothing stands then that could write it, as at the first look, which found none."""
    async with real_operator() as operator:
        await operator.cycle()
        operator.finish("preprocess")
        await operator.cycle()
        if stage == "train":
            operator.finish("train")
            await operator.cycle()
        name = next(name for name in operator.jobs if f"-{stage}-" in name)
        del operator.server.objects[f"{JOBS.format(KEY.namespace)}/{name}"]
        await operator.cycle()
        assert name not in operator.jobs
        condition = {"preprocess": "Preprocessed", "train": "Trained"}[stage]
        assert operator.condition(condition)[0] == "True"
