"""What a change of a request runs again, and what its photos and styles may be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from operator_world import SPEC, STYLES, World, change, photo, ready, stages_of, stalled
from profile_contract.conditions import Reason
from profile_contract.layouts import LayoutName
from profile_contract.request import DeletionPolicy, Photos, Subject, Training
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.stages.table import Stage
from profile_contract.style_ref import StyleRef

MOST_WRITES = 12
PREPROCESS, TRAIN, GENERATE, FINISH = Stage


# --- what a change runs again ------------------------------------------------------------------------------------

CHANGES: dict[str, tuple[Callable[[World], None], list[str], list[str]]] = {
    "nothing": (lambda world: None, [], []),
    "more photos under a new revision": (
        lambda world: change(world, photos=Photos(prefix="uploads/minji/", revision=2), listed=[photo("new.jpg")]),
        ["preprocess", "train", "finish"],
        ["warm", "plain"],
    ),
    "more photos, but the same revision": (lambda world: world.photos.append(photo("new.jpg")), [], []),
    "the same photos under a new revision": (
        lambda world: change(world, photos=Photos(prefix="uploads/minji/", revision=2)), [], [],
    ),
    "subject": (
        lambda world: change(world, subject=Subject(noun="woman")), ["train", "finish"], ["warm", "plain"],
    ),
    "training": (lambda world: change(world, training=Training(rank=8)), ["train", "finish"], ["warm", "plain"]),
    "one style less": (lambda world: change(world, styles=[StyleRef(name="plain")]), ["finish"], []),
    "a style's content": (
        lambda world: world.styles.update(plain=STYLES["plain"].model_copy(update={"prompt": "{subject}, new"})),
        [],
        [],
    ),
    "more candidates": (lambda world: change(world, candidates=3), ["finish"], ["warm", "plain"]),
    "layouts": (lambda world: change(world, layouts=[LayoutName.RESUME]), ["finish"], []),
    "portraits": (lambda world: change(world, portraits=2), ["finish"], []),
    "likeness": (lambda world: change(world, minimum_likeness=10), ["finish"], []),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_runs_again_what_depends_on_it(name: str) -> None:
    what, jobs, styles = CHANGES[name]
    world = World().run()
    world.created, world.generated = [], []
    what(world)
    world.run()
    assert ready(world)
    assert stages_of(world) == jobs
    assert world.generated == styles
    assert world.status.observed_generation == world.generation


def test_an_identical_request_that_comes_again_runs_nothing_and_is_ready_at_once() -> None:
    world = World(spec=SPEC.model_copy(update={"deletion_policy": DeletionPolicy.RETAIN})).run()
    world.recreate()
    world.cycle()
    assert ready(world)
    assert (world.created, world.generated) == ([], [])
    assert world.writes == ["finalizer", "status"]
    assert world.status.gpu_seconds == 0


def test_gpu_seconds_never_go_down() -> None:
    world = World().run()
    before = world.status.gpu_seconds
    change(world, training=Training(rank=8))
    world.run()
    assert world.status.gpu_seconds > before


def training(world: World) -> str:
    """Run until training runs; returns its Job's name."""
    world.run(until=lambda w: any("-train-" in name for name in w.jobs))
    return world.created[-1]


def test_photos_that_were_taken_away_are_not_trained_on() -> None:
    world = World()
    name = training(world)
    world.photos.clear()
    world.cycle()
    assert name in world.jobs
    change(world, photos=Photos(prefix="uploads/another/", revision=2))
    world.cycle()
    stalled(world, Reason.NO_PHOTOS)
    assert name not in world.jobs


def test_too_many_new_photos_end_the_training_on_the_old_ones() -> None:
    world = World()
    name = training(world)
    change(world, photos=Photos(prefix="uploads/minji/", revision=2), listed=[photo(f"new{n}.jpg") for n in range(20)])
    world.cycle()
    stalled(world, Reason.TOO_MANY_PHOTOS)
    assert name not in world.jobs


def test_a_status_that_was_lost_withdraws_no_photos() -> None:
    world = World()
    name = training(world)
    world.status, world.photos = ProfileRequestStatus(), []
    world.cycle()
    assert name in world.jobs


def test_photos_that_were_taken_away_are_drawn_no_more() -> None:
    world = World().run(until=lambda w: w.view.running)
    world.photos.clear()
    change(world, photos=Photos(prefix="uploads/minji/", revision=2))
    world.cycle()
    assert not world.view.running


def test_drawing_with_an_adapter_that_is_trained_anew_stops() -> None:
    world = World().run(until=lambda w: w.view.running)
    change(world, training=Training(rank=8))
    world.cycle()
    assert not world.view.running


def test_a_training_that_is_superseded_ends_while_a_style_is_missing() -> None:
    world = World()
    name = training(world)
    change(world, styles=[StyleRef(name="warm"), StyleRef(name="unknown")], training=Training(rank=8))
    world.cycle()
    stalled(world, Reason.STYLE_NOT_FOUND)
    assert name not in world.jobs


def test_a_training_that_is_not_superseded_goes_on_while_a_style_is_missing() -> None:
    world = World()
    name = training(world)
    change(world, styles=[StyleRef(name="warm"), StyleRef(name="unknown")])
    world.cycle()
    stalled(world, Reason.STYLE_NOT_FOUND)
    assert name in world.jobs


def test_a_job_for_inputs_that_are_no_more_is_deleted() -> None:
    world = World()
    world.run(until=lambda w: any("-train-" in name for name in w.jobs))
    old = world.created[-1]
    change(world, training=Training(rank=8))
    world.cycle()
    assert old not in world.jobs
    assert world.created[-1] != old
    assert world.created[-1].startswith("minji-train-")


# --- photos and styles -------------------------------------------------------------------------------------------


def test_no_photos_stalls_and_looks_again_until_they_come() -> None:
    world = World(photos=[])
    plan = world.cycle()
    advice = stalled(world, Reason.NO_PHOTOS)
    assert "hr.1a2b3c4d-5e6f/uploads/minji/" in advice
    assert "Upload" in advice
    assert plan.again == 60
    assert world.created == []
    world.photos = [photo("a.jpg")]
    world.run()
    assert ready(world)


def test_too_many_photos_stall() -> None:
    world = World(photos=[photo(f"{n}.jpg") for n in range(13)])
    world.cycle()
    assert "13 photos" in stalled(world, Reason.TOO_MANY_PHOTOS)
    assert world.created == []
    world.photos = world.photos[:12]
    assert ready(world.run())


@pytest.mark.parametrize("prefix", ["uploads/*/a/", "uploads/$x/", "uploads/a?/"])
def test_a_prefix_that_would_widen_the_credentials_is_refused(prefix: str) -> None:
    world = World(spec=SPEC.model_copy(update={"photos": Photos(prefix=prefix)}))
    world.cycle()
    stalled(world, Reason.INVALID_SPEC)
    assert world.created == []


def test_a_missing_style_stalls_before_anything_runs_and_tells_which_exist() -> None:
    world = World(spec=SPEC.model_copy(update={"styles": [StyleRef(name="warm"), StyleRef(name="gothic")]}))
    world.cycle()
    advice = stalled(world, Reason.STYLE_NOT_FOUND)
    assert "gothic" in advice
    assert "plain, warm" in advice
    assert world.created == []
    world.styles["gothic"] = STYLES["plain"]
    assert ready(world.run())


def test_a_missing_style_begins_no_generation_that_a_deletion_would_wait_for() -> None:
    world = World(spec=SPEC.model_copy(update={"styles": [StyleRef(name="warm"), StyleRef(name="gothic")]}))
    world.cycle()
    stalled(world, Reason.STYLE_NOT_FOUND)
    assert world.status.stages is not None
    assert world.status.stages.generate is None
    world.deleting = True
    world.cycle()
    assert world.gone


def test_one_style_of_several_missing_is_not_called_generated() -> None:
    world = World().run()
    change(world, styles=[StyleRef(name="warm"), StyleRef(name="gothic")])
    world.cycle()
    stalled(world, Reason.STYLE_NOT_FOUND)
    assert world.condition("Trained")[0] == "True"
    assert world.condition("Generated")[:2] == ("False", Reason.STYLE_NOT_FOUND)
    assert world.condition("Finished")[:2] == ("False", Reason.WAITING_FOR_STAGE)


def test_the_pinned_photos_are_not_listed_again() -> None:
    world = World()
    world.cycle()
    listed = world.listings
    world.work_on()
    world.run()
    assert world.listings == listed


def test_a_layout_that_shows_more_is_drawn_anew() -> None:
    world = World(spec=SPEC.model_copy(update={"layouts": [LayoutName.RESUME]})).run()
    world.created, world.generated = [], []
    change(world, layouts=[LayoutName.SQUARE])
    world.run()
    assert stages_of(world) == ["finish"]
    assert world.generated == ["warm", "plain"]


def test_a_pose_that_was_not_drawn_stalls() -> None:
    styles = {**STYLES, "plain": STYLES["plain"].model_copy(update={"pose": "from-behind"})}
    world = World(styles=styles).run()
    assert "from-behind" in stalled(world, Reason.INVALID_SPEC)
    assert "frontal" in world.condition("Stalled")[2]
