"""The platform's limits: told before anything is begun, and no business of what is finished or runs."""

from __future__ import annotations

import pytest

from operator_world import CONFIG, World, ready
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
