"""Stages that end are counted once, well or not, with the reason."""

from operator_world import World, fail
from profile_contract.conditions import Reason
from profile_contract.stages.table import Stage
from profile_operator.observe.snapshot import Cause
from profile_operator.stage_metrics import newly_stalled


def test_a_failed_stage_is_told_once_with_its_reason() -> None:
    world = World()
    world.run(until=lambda w: any("-train-" in name for name in w.jobs))
    before = world.status
    fail(world, Stage.TRAIN, Cause(Reason.OUT_OF_MEMORY, "too small"))
    assert newly_stalled(before, world.status) == (Stage.TRAIN, Reason.OUT_OF_MEMORY)
    failed = world.status
    world.cycle()
    assert newly_stalled(failed, world.status) is None


def test_a_request_that_goes_well_stalls_nowhere() -> None:
    world = World()
    before = world.status
    world.run()
    assert newly_stalled(before, world.status) is None


def test_a_request_without_photos_blames_no_later_stage() -> None:
    world = World(photos=[])
    before = world.status
    world.cycle()
    world.cycle()
    told = newly_stalled(before, world.status)
    assert told is None or told == (Stage.PREPROCESS, Reason.NO_PHOTOS)
