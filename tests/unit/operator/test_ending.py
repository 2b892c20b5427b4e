"""Generation, suspension, deletion and outages, played against a world in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from operator_world import SPEC, World, change, gone, ready, request_area, stages_of, stalled
from profile_contract.conditions import Reason
from profile_contract.request import DeletionPolicy
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.table import Stage
from profile_operator.decide import outage
from profile_operator.decide.plan import Plan, StartGeneration
from profile_operator.observe.snapshot import GenerationView

MOST_WRITES = 12
PREPROCESS, TRAIN, GENERATE, FINISH = Stage


# --- generation --------------------------------------------------------------------------------------------------


def generating(world: World) -> World:
    return world.run(until=lambda w: w.view.running)


def test_generation_draws_each_seed_and_a_neutral_twin_of_the_first_for_a_toned_style() -> None:
    world = generating(World())
    assert world.work is not None
    warm, plain = world.work.styles
    assert [(c.seed, c.twin) for c in warm.candidates] == [(7, False), (7, True), (8, False)]
    assert [(c.seed, c.twin) for c in plain.candidates] == [(7, False), (8, False)]
    assert warm.candidates[0].prompt == "sks person, warm light"
    assert warm.candidates[1].prompt == "sks person, neutral light"
    assert warm.candidates[1].pose_key == warm.candidates[0].pose_key
    assert [c.pose_name for c in plain.candidates] == ["photo-0", "photo-1"]
    assert warm.candidates[0].key == f"{warm.prefix}000007.png"
    assert warm.candidates[1].key == f"{warm.prefix}000007-neutral.png"


def test_a_predictor_that_is_away_is_waited_for_and_told_once() -> None:
    world = generating(World())
    world.view = replace(world.view, reason=Reason.PREDICTOR_UNAVAILABLE, message="does not answer")
    world.events = []
    world.cycle()
    world.cycle()
    assert world.condition("Ready")[:2] == ("False", Reason.PREDICTOR_UNAVAILABLE)
    assert world.condition("Generated")[1] == Reason.PREDICTOR_UNAVAILABLE
    assert world.condition("Reconciling")[0] == "True"
    assert world.condition("Stalled")[0] == "False"
    assert [(note.reason, note.warning) for note in world.events] == [(Reason.PREDICTOR_UNAVAILABLE, True)]
    world.view = replace(world.view, reason=None, message="")
    assert ready(world.run())


def test_a_predictor_that_refuses_stalls_until_asked_again() -> None:
    world = generating(World())
    world.view = replace(world.view, running=False, reason=Reason.PREDICTOR_REFUSED, message="rank too high")
    world.cycle()
    assert "rank too high" in stalled(world, Reason.PREDICTOR_REFUSED)
    assert not world.view.running
    world.retry = "1"
    assert ready(world.run())


def test_generation_goes_on_after_a_restart() -> None:
    world = generating(World())
    world.view = GenerationView()
    plan = world.cycle()
    assert any(isinstance(action, StartGeneration) for action in plan.actions)
    assert ready(world.run())
    assert stages_of(world) == ["preprocess", "train", "finish"]


def test_finishing_gets_the_candidates_and_twins_of_every_style() -> None:
    world = World().run()
    order = next(order for name, order in world.orders.items() if "-finish-" in name)
    styles = getattr(order, "styles")  # noqa: B009 - the union's other members have none
    assert [(s.style, s.tone.value, len(s.candidates)) for s in styles] == [
        ("warm", "Warm", 3),
        ("plain", "Neutral", 2),
    ]


def test_gpu_seconds_of_generation_are_those_of_what_was_drawn_for_this_request() -> None:
    world = generating(World())
    assert world.work is not None
    before = world.status.gpu_seconds
    world.work_on()
    for style in world.work.styles:
        report = world.store[style.prefix]
        assert isinstance(report, GenerateReport)
        world.store[style.prefix] = report.model_copy(update={"seconds": 4.0, "gpu": "H100", "gpu_count": 1})
    world.run()
    assert world.status.gpu_seconds >= before + 8


# --- suspend, deletion, outages ----------------------------------------------------------------------------------


def test_suspend_deletes_the_running_job_and_going_on_makes_the_same() -> None:
    world = World()
    world.run(until=lambda w: any("-train-" in name for name in w.jobs))
    name = world.created[-1]
    change(world, suspend=True)
    world.cycle()
    assert name not in world.jobs
    assert world.condition("Ready")[:2] == ("False", Reason.SUSPENDED)
    assert world.condition("Reconciling")[0] == world.condition("Stalled")[0] == "False"
    assert world.status.stage_text == "Suspended"
    world.work_on()
    world.cycle()
    assert world.created[-1] == name
    change(world, suspend=False)
    world.run()
    assert ready(world)
    assert stages_of(world) == ["preprocess", "train", "train", "finish"]
    assert world.created.count(name) == 2


def test_suspend_holds_generation() -> None:
    world = generating(World())
    change(world, suspend=True)
    world.cycle()
    assert not world.view.running
    world.cycle()
    assert not world.view.running


def test_suspending_what_is_done_changes_nothing() -> None:
    world = World().run()
    change(world, suspend=True)
    world.cycle()
    assert ready(world)


def test_deletion_ends_the_job_before_it_purges() -> None:
    world = World()
    world.run(until=lambda w: any("-train-" in name for name in w.jobs))
    world.deleting = True
    assert world.cycle().again == 2
    assert not gone(world)
    assert world.store
    assert not [job for job in world.jobs.values() if not job.finished]
    world.cycle()
    assert not gone(world)
    assert not [key for key in world.store if key.startswith(request_area())]
    world.run(until=gone)
    assert not [key for key in world.store if key.startswith(request_area())]
    assert world.events[-1].reason is Reason.ARTIFACTS_PURGED


def test_deletion_waits_for_the_batch_that_is_drawn() -> None:
    world = generating(World())
    world.deleting = True
    world.cycle()
    assert not gone(world)
    world.run(until=gone)


def test_deletion_with_retain_leaves_the_artifacts() -> None:
    world = World(spec=SPEC.model_copy(update={"deletion_policy": DeletionPolicy.RETAIN})).run()
    kept = dict(world.store)
    world.deleting = True
    world.cycle()
    assert gone(world)
    assert world.store == kept
    assert world.events[-1].reason is Reason.ARTIFACTS_RETAINED


@pytest.mark.parametrize("policy", list(DeletionPolicy))
@pytest.mark.parametrize("how", ["orphan", "unowned", "background"])
def test_ended_jobs_go_with_a_request_that_leaves_them_to_nobody(policy: DeletionPolicy, how: str) -> None:
    world = World(spec=SPEC.model_copy(update={"deletion_policy": policy})).run()
    if how == "orphan":
        world.finalizers = (*world.finalizers, "orphan")
    world.jobs = {name: replace(job, unowned=how == "unowned") for name, job in world.jobs.items()}
    world.jobs["other"] = replace(next(iter(world.jobs.values())), name="other", owner_uid="another", unowned=True)
    world.deleting = True
    world.run(until=gone)
    # Those that have an owner are the garbage collector's to delete: no write for them.
    assert len(world.jobs) == (4 if how == "background" else 1)
    assert "other" in world.jobs


def test_a_request_that_is_not_ours_to_hold_is_left_alone() -> None:
    world = World(deleting=True)
    assert world.cycle() == Plan()


@pytest.mark.parametrize("reason", [Reason.STORE_UNAVAILABLE, Reason.API_UNAVAILABLE])
def test_an_outage_is_told_once_and_what_was_true_stands(reason: Reason) -> None:
    world = World().run()
    text = "the store cannot be reached: MaxRetryError"
    assert outage(world.head, reason, text, world.now) == Plan()
    change(world, portraits=2)
    plan = outage(world.head, reason, text, world.now)
    assert plan.status is not None
    world.status = plan.status
    assert world.condition("Ready")[:2] == ("False", reason)
    assert world.condition("Reconciling")[0] == "True"
    assert world.condition("Trained")[0] == "True"
    assert world.status.portraits
    assert [note.warning for note in plan.events] == [True]
    assert outage(world.head, reason, text, world.now) == Plan()
    assert ready(world.run())


def test_an_outage_during_deletion_says_that_deleting_waits() -> None:
    world = World().run()
    world.deleting = True
    plan = outage(world.head, Reason.STORE_UNAVAILABLE, "the store cannot be reached", world.now)
    assert plan.status is not None
    world.status = plan.status
    assert world.condition("Ready")[:2] == ("False", Reason.DELETING)
    assert world.status.stage_text == "Deleting"


def test_a_new_request_during_an_outage_has_all_conditions() -> None:
    plan = outage(World().head, Reason.STORE_UNAVAILABLE, "the store cannot be reached", World().now)
    assert plan.status is not None
    assert len(plan.status.conditions) == 7
    assert plan.status.observed_generation == 1
