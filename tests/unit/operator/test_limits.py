"""The platform's limits: told before anything is begun, and no business of what is finished or runs."""

from __future__ import annotations

import pytest

from operator_world import CONFIG, World, change, ready
from profile_contract.request import Training
from profile_operator.config import LimitsConfig


def limited(**limits: int) -> World:
    """A world whose request asks for 2 styles, 2 candidates, 400 steps and 512 pixels."""
    world = World(config=CONFIG.model_copy(update={"limits": LimitsConfig(**limits)}))
    world.spec = world.spec.model_copy(update={"training": Training(steps=400, resolution=512)})
    return world


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"steps": 399}, "spec.training.steps is 400, and this installation takes 399 at most"),
        ({"resolution": 448}, "spec.training.resolution is 512, and this installation takes 448 at most"),
        ({"styles": 1}, "the number of spec.styles is 2, and this installation takes 1 at most"),
        ({"pictures": 3}, "2 candidates in each of 2 styles are 4, and this installation takes 3 at most"),
    ],
)
def test_what_goes_beyond_a_limit_is_told_and_nothing_is_begun(limits: dict[str, int], said: str) -> None:
    world = limited(**limits)
    for _ in range(3):
        world.cycle()
    assert world.created == []
    condition = next(c for c in world.status.conditions if c.type == "Stalled")
    assert (condition.status, condition.reason) == ("True", "InvalidSpec")
    assert said in condition.message


def test_what_stays_within_the_limits_goes_on() -> None:
    world = limited(steps=400, resolution=512, styles=2, pictures=4)
    world.cycle()
    assert len(world.created) == 1


def test_limits_that_come_later_do_not_touch_what_is_finished_or_runs() -> None:
    world = limited()
    world.cycle()
    world.config = CONFIG.model_copy(update={"limits": LimitsConfig(steps=1)})
    world.cycle()
    assert len(world.jobs) == 1
    assert world.condition("Stalled")[0] == "False"
    world = limited()
    world.run()
    assert ready(world)
    world.config = CONFIG.model_copy(update={"limits": LimitsConfig(steps=1)})
    before = world.status
    world.cycle()
    assert world.status == before


def lower(world: World, **limits: int) -> None:
    """The platform takes less from now on."""
    world.config = world.config.model_copy(update={"limits": LimitsConfig(**limits)})


def begun(stage: str, **limits: int) -> World:
    """A world whose stage has ended and whose next one is about to begin."""
    world = limited(**limits)
    world.run(until=lambda w: any(f"-{stage}-" in name for name in w.created))
    world.work_on()
    return world


@pytest.mark.parametrize("stage", ["preprocess", "train"])
def test_limits_that_come_between_two_stages_do_not_touch_what_was_taken(stage: str) -> None:
    world = begun(stage)
    lower(world, steps=1, resolution=64, styles=1, pictures=1)
    world.run()
    assert ready(world)
    assert sum("-train-" in name for name in world.created) == 1


def test_a_trained_request_that_asks_for_other_pictures_is_judged_by_its_pictures_alone() -> None:
    world = begun("train")
    lower(world, steps=1, resolution=64, pictures=6)
    change(world, candidates=3)
    world.run()
    assert ready(world)
    change(world, candidates=4)
    world.run()
    assert "4 candidates in each of 2 styles are 8" in world.condition("Stalled")[2]
    assert "steps" not in world.condition("Stalled")[2]


def test_what_is_asked_for_while_a_training_runs_is_judged_when_that_has_ended() -> None:
    """Else whoever waits for the training to run would be held to nothing."""
    world = limited(pictures=4)
    world.run(until=lambda w: any("-train-" in name for name in w.jobs))
    before = world.recorded
    change(world, candidates=32)
    for _ in range(3):
        world.cycle()
    assert len(world.jobs) == 2
    assert world.recorded == before
    assert before is not None
    assert world.status.resolved is not None
    assert world.status.resolved.digest == before.digest
    world.run()
    assert world.condition("Stalled")[:2] == ("True", "InvalidSpec")
    assert world.generated == []
