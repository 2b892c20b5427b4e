"""Where two pieces of the operator meet that are right each: names used twice, queues that change, a lost Lease."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from areas import area
from fake_kubernetes import JOBS, REQUESTS, STYLES
from operator_world import CONFIG, KEY, SPEC, World, change, ready
from operator_world import STYLES as STYLE_SPECS
from profile_contract.artifacts import resolved_key, stage_prefix
from profile_contract.generation import GenerationOrder
from profile_contract.resource import Key
from profile_contract.stages.table import Stage
from profile_operator.act.event_sink import EventSink, cloud_event
from profile_operator.act.sweeper import Findings, Sweeper
from profile_operator.clients.predictor import PredictorClient
from profile_operator.config import AdmissionConfig, EventsConfig, EventSinkConfig, PriorityClass
from profile_operator.decide.plan import Scope
from profile_operator.decide.policy import session_policy
from profile_operator.decide.sweep import Swept, Waste
from profile_operator.decide.transitions import reached
from profile_operator.election import NotLeading
from profile_operator.observe.snapshot import JobState
from profile_runtime.store.port import StoredVersion
from real_operator import RealOperator

ORDER = GenerationOrder.model_validate(
    {
        "request": {"namespace": "hr", "name": "minji"},
        "adapter": {"key": "a", "url": "http://minio:9000/a", "sha256": "a" * 64},
        "items": [{"seed": 1, "prompt": "p", "key": "k", "putUrl": "http://minio:9000/k"}],
        "width": 64,
        "height": 64,
        "steps": 1,
        "guidance": 5.0,
    }
)
KUEUE = AdmissionConfig(mode="Kueue", queue="team-a", priority_classes=[PriorityClass(at_least=100, name="urgent")])


# --- a queue of Kueue's and the spec -----------------------------------------------------------------------------


def held() -> tuple[World, str]:
    """A request whose training a queue holds, and the Job's name."""
    world = World(config=CONFIG.model_copy(update={"admission": KUEUE}))
    world.run(until=lambda w: bool(w.created))
    world.work_on()
    world.cycle()
    return world, next(name for name in world.jobs if "-train-" in name)


@pytest.mark.parametrize(("field", "value", "queue"), [("queue_name", "team-b", "team-b"), ("priority", 200, "team-a")])
def test_a_held_job_follows_the_queue_and_the_priority_that_are_asked_for(field: str, value: Any, queue: str) -> None:
    world, name = held()
    change(world, **{field: value})
    world.cycle()
    assert name not in world.jobs
    world.cycle()
    job = world.jobs[name]
    assert (job.state, job.queue) == (JobState.SUSPENDED, queue)
    assert job.priority_class == ("urgent" if field == "priority" else "")
    assert world.condition("Trained")[1:] == ("Queued", f"waits in the queue {queue}")
    assert world.cycle().actions == ()


def test_a_job_that_kueue_held_runs_where_kueue_does_not_decide_any_more() -> None:
    world, _ = held()
    world.config = CONFIG
    world.run()
    assert ready(world)


def test_a_job_that_a_queue_let_go_is_not_moved() -> None:
    world, name = held()
    world.jobs[name] = world.jobs[name].__class__(**{**vars(world.jobs[name]), "state": JobState.ACTIVE})
    change(world, queue_name="team-b")
    world.cycle()
    assert name in world.jobs


# --- suspended, and more than the platform takes -----------------------------------------------------------------


def test_a_request_that_is_suspended_and_asks_for_too_much_runs_nothing() -> None:
    world = World()
    world.run(until=lambda w: any("-train-" in name for name in w.jobs))
    limits = world.config.limits.model_copy(update={"steps": 100})
    world.config = world.config.model_copy(update={"limits": limits})
    change(world, training=SPEC.training.model_copy(update={"steps": 5000}), suspend=True)
    world.cycle()
    assert not [job for job in world.jobs.values() if not job.finished]
    assert world.status.stage_text == "Suspended"


# --- a name used twice -------------------------------------------------------------------------------------------


async def test_what_goes_on_for_a_request_of_before_is_ended_when_its_name_is_used_anew(operator: RealOperator) -> None:
    forgotten: list[str] = []
    operator.reconciler._forget = forgotten.append
    await operator.cycle()
    before = operator.head.uid
    operator.server.take(f"{REQUESTS.format('hr')}/minji")
    operator.server.put(REQUESTS.format("hr"), {"metadata": {"name": "minji"}, "spec": SPEC.document()})
    await operator.cycle()
    assert operator.head.uid != before
    assert forgotten == [before]


async def test_a_job_of_a_request_that_is_gone_is_no_conflict_though_nobody_saw_it(
    operator: RealOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await operator.cycle()
    operator.server.take(f"{REQUESTS.format('hr')}/minji")
    operator.server.put(REQUESTS.format("hr"), {"metadata": {"name": "minji"}, "spec": SPEC.document()})
    jobs = operator.kube.jobs

    async def none_yet(key: Key) -> list[dict[str, object]]:
        return []

    monkeypatch.setattr(operator.kube, "jobs", none_yet)
    await operator.cycle()
    monkeypatch.setattr(operator.kube, "jobs", jobs)
    for _ in range(3):
        await operator.cycle()
        for name in list(operator.jobs):
            if "deletionTimestamp" in operator.jobs[name]["metadata"]:
                operator.server.end_pods(name)
    assert "Conflict" not in [reason for reason, _ in operator.told]
    (job,) = operator.server.named(JOBS.format("hr")).values()
    assert job["metadata"]["ownerReferences"][0]["uid"] == operator.head.uid


async def test_two_styles_of_one_name_are_two_looks_from_the_first_to_the_last(operator: RealOperator) -> None:
    other = STYLE_SPECS["warm"].model_copy(update={"prompt": "another {subject}"})
    operator.server.put(STYLES.format("hr"), {"metadata": {"name": "warm"}, "spec": other.document()})
    operator.change(styles=[{"name": "warm"}, {"name": "warm", "kind": "ProfileStyle"}])
    await operator.ready()
    portraits = operator.status.portraits
    assert {(portrait.style, portrait.kind) for portrait in portraits} == {
        ("warm", "ClusterProfileStyle"),
        ("warm", "ProfileStyle"),
    }
    assert len({portrait.key for portrait in portraits}) == 2
    assert operator.status.styles_text == "warm, pstyle/warm"


# --- a Lease that is lost ----------------------------------------------------------------------------------------


def _lost() -> None:
    raise NotLeading("another leads")


async def test_whoever_does_not_lead_any_more_draws_nothing() -> None:
    client = PredictorClient(CONFIG.generation, fence=_lost)
    with pytest.raises(NotLeading):
        await client.generate("profile-predictor", ORDER)
    await client.close()


async def test_whoever_does_not_lead_any_more_takes_nothing_away() -> None:
    removed: list[object] = []

    class Bucket:
        def remove(self, versions: object) -> None:
            removed.append(versions)

    sweeper = Sweeper(None, Bucket(), None, config=CONFIG, fence=_lost)  # type: ignore[arg-type]
    old = StoredVersion("k", "", 1, datetime.now(UTC), latest=True, marker=False)
    with pytest.raises(NotLeading):
        await sweeper._carry_out(Swept({Waste.ORPHANED: [old]}), Findings())
    assert not removed


# --- what a stage may write --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.PREPROCESS, Stage.TRAIN, Stage.FINISH])
def test_no_stage_may_write_what_its_request_was_resolved_to(stage: Stage) -> None:
    write = stage_prefix(area("hr"), KEY.name, stage, "0" * 16)
    policy = session_policy("profiles", Scope(stage, (), write))
    assert not resolved_key(area("hr"), KEY.name).startswith(write)
    assert f"{write}*" in policy
    assert "requests/minji/*" not in policy


# --- events ------------------------------------------------------------------------------------------------------


def test_an_event_has_the_same_id_after_a_change_of_the_spec() -> None:
    world = World().run()
    before = {cloud_event(KEY, "u-1", 1, transition)["id"] for transition in reached(world.status)}
    change(world, priority=5)
    world.run()
    assert world.status.observed_generation == 2
    assert {cloud_event(KEY, "u-1", 2, transition)["id"] for transition in reached(world.status)} == before


def test_an_event_names_no_folder_of_photos() -> None:
    world = World(
        photos=[],
        spec=SPEC.model_copy(
            update={"photos": SPEC.photos.model_copy(update={"prefix": "uploads/김 민지 (인사팀)/a b/"})}
        ),
    )
    world.cycle()
    (stalled,) = [transition for transition in reached(world.status) if transition.what == "stalled"]
    assert stalled.data["message"] == (
        "there are no photos under [a place in the store] Upload 5 to 20 photos there; it is looked at again every "
        "minute."
    )


@pytest.mark.parametrize("url", ["http://host:port/", "http://xn--/"])
async def test_an_address_that_is_none_ends_nothing(url: str) -> None:
    sink = EventSink(EventsConfig(sink=EventSinkConfig(url=url)))
    assert not await sink._taken("id", b"{}")
    await sink.close()
