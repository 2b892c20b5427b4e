"""A stage that needs a GPU waits for its turn: the operator's own count, or Kueue's. The request says so meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from admission_world import COUNTED, THIRD, preprocessed, training
from operator_world import CONFIG, KEY, NOW, World, change, ready, stages_of
from profile_contract.conditions import Reason
from profile_contract.resource import Key
from profile_contract.style_ref import StyleRef
from profile_operator import metrics
from profile_operator.decide import claim_of, decide
from profile_operator.decide.plan import DeleteJob
from profile_operator.decide.turns import Claim, Turn
from profile_operator.stage_metrics import count_queued
from profile_operator.workqueue import ExpectedError
from real_operator import real_operator

# --- counted by the operator -------------------------------------------------------------------------------------


def test_a_training_waits_for_its_turn_and_says_its_place() -> None:
    world = preprocessed()
    world.turn = THIRD
    world.cycle()
    assert training(world) == []
    assert world.condition("Trained") == ("False", "Queued", "third of 41 that wait for a GPU")
    assert world.condition("Ready") == ("False", "Queued", "train: third of 41 that wait for a GPU")
    assert world.condition("Reconciling")[0] == "True"
    assert world.condition("Stalled")[0] == "False"
    assert world.status.stage_text == "Queued"
    assert world.status.progress is None
    world.turn = Turn(admitted=True)
    world.run()
    assert ready(world)
    assert stages_of(world) == ["preprocess", "train", "finish"]


def test_what_needs_no_gpu_waits_for_nobody() -> None:
    world = World(config=COUNTED)
    world.cycle()
    assert stages_of(world) == ["preprocess"]
    assert claim_of(world.facts()) is None


def test_another_stage_with_a_gpu_waits_too() -> None:
    jobs = COUNTED.jobs.model_copy(update={"preprocess": COUNTED.jobs.preprocess.model_copy(update={"gpus": 1})})
    world = World(config=COUNTED.model_copy(update={"jobs": jobs}))
    world.cycle()
    assert world.created == []
    assert world.condition("Preprocessed")[1] == "Queued"


def test_without_limits_everything_begins_at_once() -> None:
    world = preprocessed(CONFIG)
    assert claim_of(world.facts()) is None
    world.cycle()
    assert len(training(world)) == 1


def test_a_claim_is_what_decides_who_goes_first() -> None:
    world = preprocessed()
    world.spec = world.spec.model_copy(update={"priority": 7})
    assert claim_of(world.facts()) == Claim(KEY, 7, NOW.timestamp())
    world.turn = Turn(admitted=True)
    assert claim_of(world.facts()) == Claim(KEY, 7, NOW.timestamp())
    world.cycle()
    assert claim_of(world.facts()) is None


@pytest.mark.parametrize("fields", [{"suspend": True}, {"styles": [StyleRef(name="gothic")]}])
def test_who_could_not_begin_anyhow_takes_nobodys_turn(fields: dict[str, Any]) -> None:
    world = preprocessed()
    change(world, **fields)
    assert claim_of(world.facts()) is None


def test_what_runs_for_old_inputs_is_ended_while_the_new_waits() -> None:
    world = preprocessed()
    world.turn = Turn(admitted=True)
    world.cycle()
    (old,) = training(world)
    world.turn = THIRD
    change(world, training=world.spec.training.model_copy(update={"seed": 9}))
    assert DeleteJob(old) in decide(world.facts()).actions
    world.cycle()
    assert training(world) == []
    assert world.condition("Trained")[1] == "Queued"


def test_a_place_alone_is_written_now_and_then() -> None:
    world = preprocessed()
    world.turn = THIRD
    world.cycle()
    world.turn = Turn(place=2, waiting=41)
    early = decide(world.facts(seconds_since_write=5.0))
    assert early.status is None
    assert early.again == 30
    due = decide(world.facts(seconds_since_write=30.0))
    assert due.status is not None
    assert "second of 41" in next(c.message for c in due.status.conditions if c.type == "Trained")
    world.turn = THIRD
    same = decide(world.facts(seconds_since_write=5.0))
    assert (same.status, same.again) == (None, None)


def test_since_when_it_waits_stands_in_the_status() -> None:
    world = preprocessed()
    world.turn = THIRD
    world.cycle()
    since = world.stamp
    for _ in range(2):
        world.cycle()
        assert world.status.stages is not None
        assert world.status.stages.train is not None
        assert world.status.stages.train.queue_time == since
        assert world.status.stages.train.start_time is None
        assert world.status.stages.train.attempts == 0
    world.turn = Turn(admitted=True)
    world.cycle()
    world.run()
    stages = world.status.stages
    assert stages is not None
    assert stages.train is not None
    assert stages.train.queue_time == since
    assert stages.train.start_time is not None
    assert stages.train.start_time > since


# --- Kueue -------------------------------------------------------------------------------------------------------


async def test_nobody_trains_before_it_is_known_who_does() -> None:
    async with real_operator(COUNTED) as operator:
        await operator.cycle()
        operator.finish("preprocess")
        asked = len(operator.tokens.asked)
        await operator.cycle()
        assert operator.condition("Trained")[1] == "Queued"
        assert len(operator.tokens.asked) == asked
        operator.waiting.load([], [Key("it", "another")], [])
        await operator.cycle()
        assert operator.condition("Trained")[1] == "Queued"
        operator.waiting.look(Key("it", "another"), None)
        await operator.cycle()
        assert operator.condition("Trained")[1] == "Pending"
        assert len(operator.tokens.asked) == asked + 1


async def test_a_training_that_cannot_begin_leaves_its_place_to_the_next() -> None:
    async with real_operator(COUNTED) as operator:
        operator.waiting.load([], [], [])
        await operator.cycle()
        operator.finish("preprocess")
        operator.server.refuse("POST", "/jobs", 403, "exceeded quota: gpus")
        with pytest.raises(ExpectedError):
            await operator.cycle()
        assert operator.waiting.look(Key("it", "next"), Claim(Key("it", "next"), 0, 0.0)).admitted


# --- counted -----------------------------------------------------------------------------------------------------


def test_waiting_is_counted_by_namespace_and_by_time() -> None:
    def queued() -> float:
        return float(metrics.QUEUED.labels(namespace=KEY.namespace)._value.get())

    def waited() -> float:
        return float(metrics.QUEUE_SECONDS._sum.get())

    before, seconds = queued(), waited()
    world = preprocessed()
    head, world.turn = world.head, THIRD
    world.cycle()
    count_queued(head, world.status, world.now)
    assert queued() == before + 1
    head, world.turn = world.head, Turn(admitted=True)
    world.now += timedelta(seconds=600)
    world.cycle()
    count_queued(head, world.status, world.now)
    assert queued() == before
    assert waited() == pytest.approx(seconds + 605)
    assert world.condition("Ready")[1] == Reason.PENDING
