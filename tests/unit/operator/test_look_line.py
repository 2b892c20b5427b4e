"""A look that is learnt takes a GPU as a request's training does: it waits its turn, and others wait for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from look_lesson import DATASET, FACTS, LESSON, job, trained
from operator_world import CONFIG
from profile_contract.conditions import Reason
from profile_contract.look_learning import LookCondition, MergeWish
from profile_contract.resource import Key
from profile_contract.stages.stage import Stage
from profile_operator import names
from profile_operator.act.look_line import LookLine, is_look
from profile_operator.config import Limits
from profile_operator.decide.look_learning import Learning, LearningFacts, learn
from profile_operator.decide.turns import Claim, Turn
from profile_operator.waiting_list import WaitingList

RIM = Key("hr", "rim")
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
READY = replace(FACTS, dataset=DATASET)
TRAINING = job(Stage.TRAIN)


class World:
    """A line with one look in it, and whom it woke."""

    def __init__(self, trainings: int = 1, jobs: list[dict[str, Any]] | None = None) -> None:
        self.woken: list[Key] = []
        self.waiting = WaitingList(Limits(trainings, 0), self.woken.append)
        self.line = LookLine(self.waiting, CONFIG)
        busy, begun = self.line.load(jobs or [])
        self.waiting.load([], busy, begun)

    def look(self, facts: LearningFacts) -> Learning:
        return self.line.in_turn(RIM, CREATED, facts.jobs, learn(facts))

    def request(self, name: str, busy: int = 0) -> Turn:
        key = Key("hr", name)
        return self.waiting.look(key, None if busy else Claim(key, 0, 0.0), busy=busy)


async def test_a_look_waits_for_a_request_and_is_woken_when_its_turn_comes() -> None:
    world = World()
    world.request("minji", busy=1)
    waiting = world.look(READY)
    row = waiting.conditions[LookCondition.TRAINED]
    assert (waiting.job, row.status, row.reason, row.message) == (None, False, Reason.QUEUED, "waits for a GPU")
    assert waiting.message == "waits for a GPU"
    # Its pictures are looked at without a GPU, and wait for nobody.
    assert world.look(FACTS).job is not None
    world.look(READY)
    world.waiting.forget(Key("hr", "minji"))
    assert [is_look(key) for key in world.woken] == [True]
    assert world.look(READY).job is not None


async def test_a_request_waits_for_a_look_until_it_has_left_its_report() -> None:
    world = World()
    assert world.look(READY).job is not None
    assert not world.request("minji").admitted
    world.look(replace(READY, jobs=(TRAINING,)))
    assert not world.request("minji").admitted
    # The Job has not ended yet, and its report stands: nobody looks at this look again.
    world.look(replace(READY, jobs=(TRAINING,), training=trained()))
    assert world.request("minji").admitted


async def test_merging_takes_nobodys_place() -> None:
    world = World()
    world.request("minji", busy=1)
    learning = world.look(replace(READY, training=trained(), merge=MergeWish(None, "ours")))
    assert learning.job is not None
    assert learning.conditions[LookCondition.MERGED].reason is Reason.PENDING


async def test_where_trainings_are_not_counted_every_look_begins() -> None:
    world = World(0)
    world.request("minji", busy=1)
    assert world.look(READY).job is not None


async def test_a_look_that_is_gone_or_could_not_begin_makes_room() -> None:
    ways: list[Callable[[LookLine], None]] = [lambda line: line.keep(()), lambda line: line.leave(RIM)]
    ways.append(lambda line: line.rest(RIM))
    for leave in ways:
        world = World()
        assert world.look(READY).job is not None
        assert not world.request("minji").admitted
        leave(world.line)
        assert world.request("minji").admitted
    world = World()
    world.look(READY)
    world.line.keep({RIM})
    assert not world.request("minji").admitted


def document(name: str, state: str = "") -> dict[str, Any]:
    labels = {names.LABEL_LOOK: "rim", names.LABEL_STAGE: "train"}
    ended = [{"type": state, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}] if state else []
    status = {"startTime": "2026-01-01T00:00:00Z", "conditions": ended}
    return {
        "metadata": {"name": name, "namespace": "hr", "labels": labels},
        "spec": {"template": {"spec": {"containers": [{}]}}},
        "status": status,
    }


async def test_who_has_just_begun_knows_what_is_trained() -> None:
    digest = LESSON.digest(Stage.TRAIN)[:8]
    assert not World(jobs=[document(f"look-rim-train-{digest}")]).request("minji").admitted
    assert World(jobs=[document(f"look-rim-train-{digest}", "Complete")]).request("minji").admitted
    assert World(jobs=[document("look-rim-merge-0123abcd")]).request("minji").admitted
