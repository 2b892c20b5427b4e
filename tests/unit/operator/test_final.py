"""What is final stays final: nothing that the platform changes begins work for a request."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finished_world import OTHER, finished, nothing_ran, settings_of, with_recipe
from operator_world import CONFIG, SPEC, STYLES, World, change, fail, ready, stages_of, stalled
from profile_contract.conditions import Reason
from profile_contract.layouts import LayoutName
from profile_contract.recipe import Recipe
from profile_contract.request import Photos, Training, Updates
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.stages import train
from profile_contract.stages.table import Stage
from profile_contract.style_ref import StyleRef
from profile_operator.decide.plan import DeleteJob, StopGeneration
from profile_operator.observe.snapshot import Cause, GenerationView, JobState
from properties import examples

PREPROCESS, TRAIN, GENERATE, FINISH = STAGES = tuple(Stage)


# --- the platform changes ----------------------------------------------------------------------------------------

PLATFORM: dict[str, tuple[Callable[[World], object], str]] = {
    "defaults": (
        lambda world: setattr(world, "config", settings_of()), "the platform's settings for training changed",
    ),
    "a recipe": (lambda world: setattr(world, "config", with_recipe()), "the platform's settings for drawing"),
    "a style's content": (
        lambda world: world.styles.update(warm=OTHER["warm"]), "the content of the style warm changed",
    ),
    "a style is gone": (lambda world: world.styles.pop("warm"), "the style warm is gone"),
    "a style of a newer version": (
        lambda world: (world.styles.pop("warm"), world.unclear.update(warm="spec.tone: odd")),
        "the style warm cannot be understood by this version",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLATFORM)
def test_what_the_platform_changes_is_told_and_begins_nothing(name: str) -> None:
    changes, text = PLATFORM[name]
    world = finished()
    portraits, times = world.status.portraits, world.status.conditions[0].last_transition_time
    assert world.condition("Outdated") == ("False", Reason.UP_TO_DATE, "")
    changes(world)
    for _ in range(3):
        world.cycle()
    assert nothing_ran(world)
    assert ready(world)
    assert world.condition("Outdated")[:2] == ("True", Reason.PLATFORM_CHANGED)
    assert text in world.condition("Outdated")[2]
    assert "kubectl profile refresh minji" in world.condition("Outdated")[2]
    assert world.writes == ["status"]
    assert (world.status.portraits, world.status.conditions[0].last_transition_time) == (portraits, times)


def test_orders_and_the_status_tell_the_recipe_that_a_request_was_resolved_with() -> None:
    world = World()
    world.config = with_recipe()
    assert world.config.recipe is not None
    digest = world.config.recipe.digest
    world.run()
    assert world.status.resolved is not None
    assert world.status.resolved.recipe == digest
    (order,) = (order for name, order in world.orders.items() if "-train-" in name)
    assert order.recipe == digest  # type: ignore[union-attr]
    assert finished().status.resolved.recipe is None  # type: ignore[union-attr]


def test_a_recipe_that_changed_is_named_if_anything_would_be_made_otherwise() -> None:
    world = World()
    world.config = with_recipe()
    world.run()
    world.created, world.generated = [], []
    recipe = Recipe.model_validate({"generation": {"sampler": "Euler"}, "licence": "another text"})
    world.config = world.config.model_copy(update={"recipe": recipe})
    world.cycle()
    assert world.condition("Outdated")[:2] == ("False", Reason.UP_TO_DATE)
    world.config = settings_of().model_copy(update={"recipe": recipe})
    world.cycle()
    assert nothing_ran(world)
    words = f"the recipe of {world.config.training.base_model} changed; the platform's limits for photos changed"
    assert world.condition("Outdated")[2].startswith(words)


def test_a_new_version_of_a_stage_is_told_and_begins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = finished()
    monkeypatch.setattr(train, "VERSION", train.VERSION + 1)
    world.cycle()
    assert nothing_ran(world)
    assert "a new version trains otherwise" in world.condition("Outdated")[2]
    change(world, refresh=1)
    world.run()
    assert stages_of(world) == ["train", "finish"]
    assert world.condition("Outdated")[:2] == ("False", Reason.UP_TO_DATE)


def test_what_was_begun_goes_on_as_it_was_resolved() -> None:
    world = World().run(until=lambda w: any("-train-" in name for name in w.jobs))
    world.config, world.styles = settings_of(), {}
    assert ready(world.run())
    order = next(order for name, order in world.orders.items() if "-train-" in name)
    assert order.parameters.rank == CONFIG.training.rank  # type: ignore[union-attr]
    assert stages_of(world) == ["preprocess", "train", "finish"]
    assert world.condition("Outdated")[0] == "True"


def test_a_layout_reruns_finishing_alone_whatever_the_platform_set_meanwhile() -> None:
    world = finished()
    world.config, world.styles = settings_of(), {}
    change(world, layouts=[LayoutName.RESUME])
    world.run()
    assert ready(world)
    assert (stages_of(world), world.generated) == (["finish"], [])


def test_a_style_more_is_drawn_alone() -> None:
    world = finished()
    world.config, world.styles = settings_of(), {"cool": OTHER["plain"]}
    change(world, styles=[*SPEC.styles, StyleRef(name="cool")])
    world.run()
    assert ready(world)
    assert (stages_of(world), world.generated) == (["finish"], ["cool"])


def test_a_followed_style_is_drawn_anew_and_finished() -> None:
    world = World(spec=SPEC.model_copy(update={"updates": Updates.FOLLOWED})).run()
    world.created, world.generated = [], []
    world.styles["plain"] = OTHER["plain"]
    world.config = settings_of()
    world.run()
    assert ready(world)
    assert (stages_of(world), world.generated) == (["finish"], ["plain"])


def test_refresh_takes_over_everything_once() -> None:
    world = finished()
    world.config, world.styles = settings_of(), dict(OTHER)
    change(world, refresh=1)
    world.run()
    assert ready(world)
    assert stages_of(world) == ["preprocess", "train", "finish"]
    assert sorted(world.generated) == ["plain", "warm"]
    assert world.condition("Outdated")[:2] == ("False", Reason.UP_TO_DATE)
    assert world.status.resolved is not None
    assert (world.status.resolved.refresh, world.status.resolved.generation) == (1, 2)


def test_a_style_is_refreshed_alone() -> None:
    world = finished()
    world.config, world.styles = settings_of(), dict(OTHER)
    change(world, styles=[StyleRef(name="warm", refresh=1), StyleRef(name="plain")])
    world.run()
    assert ready(world)
    assert (stages_of(world), world.generated) == (["finish"], ["warm"])
    assert "the content of the style plain changed" in world.condition("Outdated")[2]
    assert "style warm" not in world.condition("Outdated")[2]


def test_suspended_and_resumed_it_is_ready_and_nothing_ran() -> None:
    world = finished()
    world.config = settings_of()
    for suspended in (True, False):
        change(world, suspend=suspended)
        world.cycle()
        assert ready(world)
    assert nothing_ran(world)


def test_a_retry_takes_what_the_platform_sets_now_for_the_stage_that_failed() -> None:
    world = World()
    fail(world, TRAIN, Cause(Reason.OUT_OF_MEMORY, "30 GB"))
    world.config = settings_of()
    world.cycle()
    stalled(world, Reason.OUT_OF_MEMORY)
    world.retry = "1"
    world.run()
    assert ready(world)
    assert stages_of(world) == ["preprocess", "train", "train", "finish"]
    orders = [order for name, order in world.orders.items() if "-train-" in name]
    assert [order.parameters.rank for order in orders] == [32, 8]  # type: ignore[union-attr]


# --- whatever happens --------------------------------------------------------------------------------------------


def lose_reports(world: World) -> None:
    for stage in (PREPROCESS, TRAIN):
        world.store.pop(world.chain.prefix(stage), None)


HAPPENS: dict[str, Callable[[World], object]] = {
    "defaults": lambda world: setattr(world, "config", settings_of()),
    "defaults back": lambda world: setattr(world, "config", CONFIG),
    "style edited": lambda world: world.styles.update(warm=OTHER["warm"]),
    "style gone": lambda world: world.styles.pop("warm", None),
    "style back": lambda world: (world.styles.update(warm=STYLES["warm"]), world.unclear.pop("plain", None)),
    "style not understood": lambda world: (world.styles.pop("plain", None), world.unclear.update(plain="odd")),
    "uploads gone": lambda world: setattr(world, "photos", []),
    "jobs cleaned up": lambda world: setattr(world, "jobs", {}),
    "reports gone": lose_reports,
    "status lost": lambda world: setattr(world, "status", ProfileRequestStatus()),
    "restart": lambda world: setattr(world, "view", GenerationView()),
    "suspend": lambda world: change(world, suspend=True),
    "resume": lambda world: change(world, suspend=False),
    "look": lambda world: None,
}


@examples(100)
@given(st.lists(st.sampled_from(sorted(HAPPENS)), max_size=12))
def test_whatever_the_platform_does_a_finished_request_costs_nothing(history: list[str]) -> None:
    world = finished()
    portraits = world.status.portraits
    for event in history:
        HAPPENS[event](world)
        world.cycle()
        assert nothing_ran(world), event
        assert ready(world), event
        assert world.status.portraits == portraits
    again = len(world.writes)
    world.cycle()
    assert len(world.writes) == again


ASKED: dict[str, Callable[[World], None]] = {
    "layout": lambda world: change(world, layouts=[LayoutName.RESUME]),
    "portraits": lambda world: change(world, portraits=2),
    "style less": lambda world: change(world, styles=[StyleRef(name="warm")]),
    "style more": lambda world: change(world, styles=list(SPEC.styles)),
    "training": lambda world: change(world, training=Training(rank=4)),
    "refresh": lambda world: change(world, refresh=world.spec.refresh + 1),
    "retry": lambda world: setattr(world, "retry", f"{world.retry}x"),
    "revision": lambda world: change(
        world, photos=Photos(prefix="uploads/minji/", revision=world.spec.photos.revision + 1)
    ),
    "defaults": lambda world: setattr(world, "config", settings_of()),
    "defaults back": lambda world: setattr(world, "config", CONFIG),
    "style edited": lambda world: world.styles.update(warm=OTHER["warm"]),
    "style back": lambda world: world.styles.update(warm=STYLES["warm"]),
    "step": lambda world: world.work_on(),
    "status lost": lambda world: setattr(world, "status", ProfileRequestStatus()),
}


def cycle_and_watch(world: World) -> None:
    """One look, after which nothing is lost, nothing that is wanted was ended, and nothing is done twice."""
    stored, created, billed = set(world.store), len(world.created), world.status.gpu_seconds
    running = {name for name, job in world.jobs.items() if job.state is JobState.ACTIVE}
    drawing = world.view.running and world.view.digest == world.chain.generate
    plan = world.cycle()
    chain, begun = world.chain, world.created[created:]
    # One that was taken away before its end, as inputs changed and changed back, runs again.
    assert [name for name in begun if world.orders[name].output in stored] == [], "a stage runs twice"
    assert stored <= set(world.store), "a report is lost"
    ended = {action.name for action in plan.actions if isinstance(action, DeleteJob)}
    wanted = {chain.job_name(stage) for stage in (PREPROCESS, TRAIN, FINISH)}
    assert ended & running & wanted == set(), "what runs for what is asked for now is ended"
    stops = [action for action in plan.actions if isinstance(action, StopGeneration)]
    assert not (stops and drawing and world.chain.prefix(TRAIN) in stored), "drawing that is asked for now is ended"
    busy = [job for job in world.jobs.values() if job.state is JobState.ACTIVE and job.gpus]
    assert len(busy) <= 1, "a request holds two GPUs"
    assert world.status.gpu_seconds >= billed, "GPU seconds are forgotten"


@examples(100)
@given(st.lists(st.sampled_from(sorted(ASKED)), max_size=10))
def test_whatever_is_asked_and_changed_it_converges_and_rests(history: list[str]) -> None:
    world = World()
    cycle_and_watch(world)
    for event in history:
        ASKED[event](world)
        cycle_and_watch(world)
    for _ in STAGES:
        cycle_and_watch(world)
        world.work_on()
    world.run()
    assert ready(world)
    assert {portrait.style for portrait in world.status.portraits} == set(world.spec.style_keys)
    # Each run of a stage drew or learnt once, and what the status tells lies in the store.
    assert len(world.drawn) == len(set(world.drawn))
    assert all(f"{portrait.key.rpartition('/')[0]}/" in world.store for portrait in world.status.portraits)
    before = (list(world.writes), list(world.created), world.recorded)
    world.cycle()
    assert (world.writes, world.created, world.recorded) == before
    world.config, world.styles = settings_of(rank=3), {}
    world.cycle()
    world.cycle()
    assert (world.created, world.recorded) == before[1:]
    assert ready(world)
