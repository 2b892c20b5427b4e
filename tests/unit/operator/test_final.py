"""What is final stays final: nothing that the platform changes, or the store loses, begins work for a request."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_kubernetes import CLUSTER_STYLES as STYLES_PATH
from operator_world import AREA, CONFIG, SPEC, STYLES, World, change, fail, photo, ready, stages_of, stalled
from profile_contract.artifacts import resolved_key
from profile_contract.conditions import Reason
from profile_contract.layouts import LayoutName
from profile_contract.recipe import Recipe
from profile_contract.request import DeletionPolicy, Photos, ProfileRequestStatus, Training, Updates
from profile_contract.stages import train
from profile_contract.stages.table import Stage
from profile_contract.style_ref import StyleRef
from profile_operator.clients import record_memory
from profile_operator.config import OperatorConfig
from profile_operator.decide.plan import DeleteJob, StopGeneration
from profile_operator.observe.snapshot import Cause, GenerationView, JobState
from profile_operator.workqueue import ExpectedError
from profile_runtime.store.port import StoreError
from real_operator import RealOperator, real_operator

PREPROCESS, TRAIN, GENERATE, FINISH = STAGES = tuple(Stage)
OTHER = {name: style.model_copy(update={"prompt": "{subject}, other"}) for name, style in STYLES.items()}


def settings_of(rank: int = 8, minimum: int = 6, mark: bool = True) -> OperatorConfig:
    """The configuration with other defaults."""
    return CONFIG.model_copy(
        update={
            "training": CONFIG.training.model_copy(update={"rank": rank}),
            "preprocess": CONFIG.preprocess.model_copy(update={"minimum_photos": minimum}),
            "finish": CONFIG.finish.model_copy(update={"visible_mark": mark}),
            "generation": CONFIG.generation.model_copy(update={"width": 640}),
        }
    )


def with_recipe() -> OperatorConfig:
    """The configuration as a chart makes it of a recipe that draws with another sampler."""
    recipe = Recipe.model_validate({"generation": {"sampler": "Euler"}})
    drawing = CONFIG.generation.model_copy(update={"sampler": recipe.generation.sampler})
    return CONFIG.model_copy(update={"recipe": recipe, "generation": drawing})


def finished() -> World:
    world = World().run()
    world.created, world.generated, world.writes = [], [], []
    return world


def nothing_ran(world: World) -> bool:
    return (world.created, world.generated) == ([], [])


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


# --- the store and the cluster lose something --------------------------------------------------------------------


@pytest.mark.parametrize("stages", [[PREPROCESS], [TRAIN], [PREPROCESS, TRAIN], list(Stage)])
def test_reports_of_a_finished_request_may_go(stages: list[Stage]) -> None:
    world = finished()
    for stage in stages:
        world.store.pop(world.chain.prefix(stage), None)
    world.photos, world.jobs = [], {}
    for _ in range(3):
        world.cycle()
    assert nothing_ran(world)
    assert ready(world)
    assert world.writes == []


@pytest.mark.parametrize("stages", [[], [PREPROCESS], [TRAIN], [PREPROCESS, TRAIN]])
def test_a_lost_status_is_rebuilt_from_the_record(stages: list[Stage]) -> None:
    world = finished()
    for stage in stages:
        del world.store[world.chain.prefix(stage)]
    resolved, portraits = world.status.resolved, world.status.portraits
    world.status, world.jobs, world.photos = ProfileRequestStatus(), {}, []
    world.config, world.styles = settings_of(), {}
    world.cycle()
    assert nothing_ran(world)
    assert ready(world)
    assert (world.status.resolved, world.status.portraits) == (resolved, portraits)
    assert world.condition("Outdated")[0] == "True"


def test_a_record_that_is_lost_or_that_nobody_understands_leaves_what_is_ready() -> None:
    world = finished()
    world.recorded, world.config = None, settings_of()
    world.photos.clear()
    for _ in range(3):
        world.cycle()
    assert nothing_ran(world)
    assert ready(world)


def test_a_request_that_was_ready_before_there_were_records_is_recorded() -> None:
    world = finished()
    world.recorded, world.status = None, world.status.model_copy(update={"resolved": None})
    world.cycle()
    assert world.snapshot().recorded is not None
    assert nothing_ran(world)
    assert ready(world)
    world.config = settings_of()
    world.cycle()
    assert nothing_ran(world)
    assert world.condition("Outdated")[0] == "True"


def test_uploads_that_are_gone_do_not_take_a_retry_of_what_was_made_of_them() -> None:
    world = World()
    fail(world, FINISH, None)
    world.photos, world.retry = [], "1"
    assert ready(world.run())
    assert "the photos are no longer under uploads/minji/" in world.condition("Outdated")[2]
    change(world, photos=Photos(prefix="uploads/minji/", revision=2))
    world.cycle()
    stalled(world, Reason.NO_PHOTOS)


def test_a_request_that_comes_again_with_other_photos_is_made_of_them() -> None:
    world = World(spec=SPEC.model_copy(update={"deletion_policy": DeletionPolicy.RETAIN})).run()
    world.recreate()
    world.photos = [photo(f"other-{number}.jpg") for number in range(6)]
    assert ready(world.run())
    assert stages_of(world) == ["preprocess", "train", "finish"]


# --- as it is written and read -----------------------------------------------------------------------------------


@pytest.fixture
async def operator() -> Any:
    async with real_operator() as operator:
        yield operator


def record(operator: RealOperator) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(operator.store.objects[resolved_key(AREA, "minji")])
    return value


async def test_the_record_is_written_before_the_first_job(operator: RealOperator) -> None:
    write, away = operator.store.write, [True]

    def failing(key: str, data: bytes, content_type: str = "") -> None:
        if key.endswith("resolved.json") and away.pop():
            raise StoreError("the store is away")
        write(key, data, content_type)

    operator.store.write = failing  # type: ignore[method-assign]
    with pytest.raises(ExpectedError):
        await operator.cycle()
    assert operator.jobs == {}
    away.append(False)
    await operator.cycle()
    assert len(operator.jobs) == 1
    assert record(operator)["train"]["parameters"]["rank"] == 32
    assert operator.status.resolved is not None
    assert operator.status.resolved.generation == 1


async def test_a_finished_request_reads_the_record_alone_and_writes_nothing(
    operator: RealOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await operator.ready()
    before, writes = operator.document["status"], len(operator.server.writes())
    keys: list[str] = []
    read = operator.store.read

    def counting(key: str, most: int | None = None) -> bytes:
        keys.append(key)
        return read(key, most)

    operator.store.read = counting  # type: ignore[method-assign]
    await operator.cycle()
    assert keys == [], "it was read a moment ago"
    monkeypatch.setattr(record_memory, "SECONDS", 0.0)
    for _ in range(2):
        await operator.cycle()
    assert keys == [resolved_key(AREA, "minji")] * 2
    assert (operator.document["status"], len(operator.server.writes())) == (before, writes)


async def test_a_style_that_is_edited_or_deleted_is_told_of_a_finished_request(operator: RealOperator) -> None:
    await operator.ready()
    jobs = set(operator.jobs)
    operator.server.named(STYLES_PATH)["warm"]["spec"]["prompt"] = "{subject}, other"
    await operator.cycle()
    assert "the content of the style warm changed" in operator.condition("Outdated")[2]
    for name in ("warm", "plain"):
        del operator.server.objects[f"{STYLES_PATH}/{name}"]
    await operator.cycle()
    assert "the style warm is gone" in operator.condition("Outdated")[2]
    assert operator.condition("Ready")[0] == "True"
    assert set(operator.jobs) == jobs


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


@settings(max_examples=100, deadline=None)
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


@settings(max_examples=100, deadline=None)
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
