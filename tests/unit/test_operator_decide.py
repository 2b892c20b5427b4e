"""Every rule of the operator, played against a world in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from operator_world import CONFIG, SPEC, STYLES, Crash, World, photo, request_area
from profile_contract.names import DeletionPolicy, LayoutName, Reason, Stage
from profile_contract.orders import GenerateReport, PreprocessOrder, PreprocessReport
from profile_contract.request import Photos, Subject, Training
from profile_operator.decide import decide, outage
from profile_operator.plan import CreateJob, Plan, StartGeneration
from profile_operator.snapshot import GenerationView, JobState, Termination

MOST_WRITES = 12
PREPROCESS, TRAIN, GENERATE, FINISH = Stage


def ready(world: World) -> bool:
    return world.condition("Ready")[0] == "True"


def gone(world: World) -> bool:
    return world.gone


def stages_of(world: World) -> list[str]:
    """The stages of the Jobs that were created, in order."""
    return [name.removeprefix("minji-").rpartition("-")[0] for name in world.created]


# --- the faultless run -------------------------------------------------------------------------------------------


def test_a_request_runs_through_all_stages_and_is_ready() -> None:
    world = World().run()
    assert ready(world)
    assert stages_of(world) == ["preprocess", "train", "finish"]
    assert world.generated == ["warm", "plain"]
    status = world.status
    assert (status.stage_text, status.progress_text, status.photos_text, status.best_likeness) == (
        "Done", "100%", "6/6", 51,
    )  # fmt: skip
    assert [c.type for c in status.conditions] == [
        "Ready", "Preprocessed", "Trained", "Generated", "Finished", "Reconciling", "Stalled",
    ]  # fmt: skip
    assert [c.status for c in status.conditions] == ["True"] * 5 + ["False"] * 2
    assert status.adapter is not None
    assert status.adapter.endswith("/adapter.safetensors")
    assert status.contact_sheet is not None


def test_a_whole_request_takes_few_writes() -> None:
    world = World().run()
    assert world.writes.count("finalizer") == 1
    assert world.writes.count("job") == 3
    # One a stage transition; the Secret comes on top.
    assert world.writes.count("status") == 5
    assert len(world.writes) + 1 <= MOST_WRITES


def test_nothing_is_written_when_nothing_changed() -> None:
    world = World().run()
    before = list(world.writes)
    world.cycle()
    assert world.writes == before
    assert world.plan.actions == ()


def test_the_total_of_gpu_seconds_is_job_time_times_gpus() -> None:
    world = World().run()
    train = world.jobs[next(name for name in world.jobs if "-train-" in name)]
    assert train.started is not None
    assert train.completed is not None
    assert world.status.gpu_seconds == round((train.completed - train.started).total_seconds()) > 0
    assert world.status.stages is not None
    assert world.status.stages.train is not None
    assert world.status.stages.train.gpu_seconds == world.status.gpu_seconds


def test_events_tell_each_transition_once() -> None:
    told = [(note.reason, note.message.split(":")[0]) for note in World().run().events]
    assert told == [
        (Reason.RUNNING, "preprocess"),
        (Reason.SUCCEEDED, "preprocess"),
        (Reason.RUNNING, "train"),
        (Reason.SUCCEEDED, "train"),
        (Reason.RUNNING, "generate"),
        (Reason.SUCCEEDED, "generate"),
        (Reason.RUNNING, "finish"),
        (Reason.SUCCEEDED, "finish"),
        (Reason.SUCCEEDED, "ready"),
    ]


@pytest.mark.parametrize("nth", range(1, 10))
def test_killed_after_any_write_it_ends_the_same_without_a_second_job(nth: int) -> None:
    faultless = World().run()
    world = World(crash_after=nth)
    crashes = 0
    for _ in range(40):
        try:
            world.run()
            break
        except Crash:
            crashes += 1
            world.crash_after = None
            world.work_on()
    assert crashes == 1
    assert stages_of(world) == ["preprocess", "train", "finish"]
    assert sorted(world.store) == sorted(faultless.store)
    assert world.status.portraits == faultless.status.portraits
    assert ready(world)


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
    "one style less": (lambda world: change(world, styles=["plain"]), ["finish"], []),
    "a style's content": (
        lambda world: world.styles.update(plain=STYLES["plain"].model_copy(update={"prompt": "{subject}, new"})),
        ["finish"],
        ["plain"],
    ),
    "more candidates": (lambda world: change(world, candidates=3), ["finish"], ["warm", "plain"]),
    "layouts": (lambda world: change(world, layouts=[LayoutName.RESUME]), ["finish"], []),
    "portraits": (lambda world: change(world, portraits=2), ["finish"], []),
    "likeness": (lambda world: change(world, minimum_likeness=10), ["finish"], []),
}  # fmt: skip


def change(world: World, listed: list[object] | None = None, **fields: object) -> None:
    world.spec = world.spec.model_copy(update=fields)
    world.generation += 1
    world.photos += listed or []  # type: ignore[arg-type]


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


def stalled(world: World, reason: Reason) -> str:
    """The request is stalled for that reason; returns the advice."""
    assert world.condition("Ready")[:2] == ("False", reason)
    assert world.condition("Stalled")[:2] == ("True", reason)
    assert world.condition("Reconciling")[0] == "False"
    assert world.status.stage_text == "Stalled"
    return world.condition("Stalled")[2]


def test_no_photos_stalls_and_looks_again_until_they_come() -> None:
    world = World(photos=[])
    plan = world.cycle()
    advice = stalled(world, Reason.NO_PHOTOS)
    assert "hr/uploads/minji/" in advice
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
    world = World(spec=SPEC.model_copy(update={"styles": ["warm", "gothic"]}))
    world.cycle()
    advice = stalled(world, Reason.STYLE_NOT_FOUND)
    assert "gothic" in advice
    assert "plain, warm" in advice
    assert world.created == []
    world.styles["gothic"] = STYLES["plain"]
    assert ready(world.run())


def test_one_style_of_several_missing_is_not_called_generated() -> None:
    world = World().run()
    change(world, styles=["warm", "gothic"])
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


def test_a_pose_that_was_not_drawn_stalls() -> None:
    styles = {**STYLES, "plain": STYLES["plain"].model_copy(update={"pose": "from-behind"})}
    world = World(styles=styles).run()
    assert "from-behind" in stalled(world, Reason.INVALID_SPEC)
    assert "frontal" in world.condition("Stalled")[2]


# --- failures ----------------------------------------------------------------------------------------------------


def fail(world: World, stage: Stage, termination: Termination | None) -> str:
    """Run until the stage's Job is there and let it fail; returns the Job's name."""
    world.run(until=lambda w: any(f"-{stage}-" in name for name in w.jobs))
    name = next(name for name in world.jobs if f"-{stage}-" in name)
    world.end(name, JobState.FAILED, termination)
    world.cycle()
    return name


def bad_input(world: World, reason: Reason, message: str) -> None:
    """The preprocess Job that runs ends with a BadInput report."""
    name = next(iter(world.jobs))
    order = world.orders[name]
    assert isinstance(order, PreprocessOrder)
    world.store[order.output] = PreprocessReport(
        digest=order.digest, outcome="BadInput", reason=reason, message=message
    )
    world.end(name, JobState.FAILED, Termination(reason, message))


@pytest.mark.parametrize("stage", [PREPROCESS, TRAIN, FINISH])
def test_a_failed_job_stalls_with_what_its_pod_said_and_never_runs_by_itself(stage: Stage) -> None:
    world = World()
    fail(world, stage, Termination(Reason.OUT_OF_MEMORY, "needs 30 GB"))
    advice = stalled(world, Reason.OUT_OF_MEMORY)
    assert "needs 30 GB" in advice
    assert "profilestudio.io/retry" in advice
    before = list(world.created)
    for _ in range(5):
        world.cycle()
    assert world.created == before


def test_a_failed_job_without_words_is_a_failed_stage() -> None:
    world = World()
    fail(world, TRAIN, None)
    stalled(world, Reason.STAGE_FAILED)


def test_a_new_retry_annotation_runs_the_failed_stage_once_more() -> None:
    world = World()
    name = fail(world, TRAIN, None)
    world.retry = "1"
    world.cycle()
    assert name not in world.jobs
    assert world.status.photos is not None
    assert world.status.photos.retry == "1"
    world.cycle()
    assert world.created.count(name) == 2
    world.end(name, JobState.FAILED)
    for _ in range(3):
        world.cycle()
    assert world.created.count(name) == 2
    stalled(world, Reason.STAGE_FAILED)


def test_a_wish_to_retry_outlives_a_suspension() -> None:
    world = World()
    name = fail(world, TRAIN, None)
    change(world, suspend=True)
    world.retry = "1"
    world.cycle()
    assert name in world.jobs
    change(world, suspend=False)
    world.cycle()
    world.cycle()
    assert world.created.count(name) == 2


def test_a_generation_report_that_cannot_be_read_stalls_and_is_dropped_when_asked() -> None:
    world = World().run()
    prefix = world.chain.prefix(GENERATE, world.chain.styles["warm"])
    world.store[prefix] = GenerateReport(digest="", outcome="BadInput", reason=Reason.INVALID_ORDER, message="unread")
    world.cycle()
    stalled(world, Reason.INVALID_ORDER)
    world.retry = "1"
    world.cycle()
    assert prefix not in world.store
    assert ready(world.run())


def test_bad_input_stalls_and_stands_until_asked_again() -> None:
    world = World()
    world.cycle()
    bad_input(world, Reason.TOO_FEW_USABLE_PHOTOS, "3 of 6 photos can be used, at least 5 are needed")
    world.cycle()
    advice = stalled(world, Reason.TOO_FEW_USABLE_PHOTOS)
    assert "3 of 6" in advice
    assert "status.photos.verdicts" in advice
    before = list(world.created)
    world.cycle()
    assert world.created == before
    world.retry = "again"
    world.run()
    assert len(world.created) > len(before)
    assert ready(world)


def test_bad_input_that_stands_is_not_run_again_for_a_new_object() -> None:
    world = World(spec=SPEC.model_copy(update={"deletion_policy": DeletionPolicy.RETAIN}))
    world.cycle()
    bad_input(world, Reason.TOO_FEW_USABLE_PHOTOS, "too few")
    world.cycle()
    world.recreate()
    world.cycle()
    stalled(world, Reason.TOO_FEW_USABLE_PHOTOS)
    assert world.created == []


def test_a_job_of_that_name_that_is_not_ours_is_a_conflict() -> None:
    world = World()
    world.cycle()
    name = world.created[0]
    world.jobs[name] = replace(world.jobs[name], owner_uid="somebody")
    world.cycle()
    assert name in stalled(world, Reason.CONFLICT)


def test_a_job_that_is_going_away_is_waited_for() -> None:
    world = World()
    world.cycle()
    name = world.created[0]
    world.jobs[name] = replace(world.jobs[name], deleting=True)
    assert world.cycle().again == 2
    assert world.created == [name]
    del world.jobs[name]
    world.cycle()
    assert world.created == [name, name]


def test_no_portrait_delivered_is_told() -> None:
    world = World().run()
    finish = world.reports(world.chain).finish
    assert finish is not None
    world.store[world.chain.prefix(FINISH)] = finish.model_copy(update={"portraits": []})
    world.cycle()
    assert "minimumLikeness" in stalled(world, Reason.NO_LIKENESS_REACHED)


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


def test_suspend_holds_the_running_job_and_going_on_ends_the_same() -> None:
    world = World()
    world.run(until=lambda w: any("-train-" in name for name in w.jobs))
    name = world.created[-1]
    change(world, suspend=True)
    world.cycle()
    assert world.jobs[name].state is JobState.SUSPENDED
    assert world.condition("Ready")[:2] == ("False", Reason.SUSPENDED)
    assert world.condition("Reconciling")[0] == world.condition("Stalled")[0] == "False"
    assert world.status.stage_text == "Suspended"
    world.work_on()
    world.cycle()
    assert world.created[-1] == name
    change(world, suspend=False)
    world.run()
    assert ready(world)
    assert stages_of(world) == ["preprocess", "train", "finish"]


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
    assert gone(world)
    assert not [key for key in world.store if key.startswith(request_area())]
    assert world.events[-1].reason is Reason.ARTIFACTS_PURGED


def test_deletion_waits_for_the_batch_that_is_drawn() -> None:
    world = generating(World())
    world.deleting = True
    world.cycle()
    assert not gone(world)
    world.cycle()
    assert gone(world)


def test_deletion_with_retain_leaves_the_artifacts() -> None:
    world = World(spec=SPEC.model_copy(update={"deletion_policy": DeletionPolicy.RETAIN})).run()
    kept = dict(world.store)
    world.deleting = True
    world.cycle()
    assert gone(world)
    assert world.store == kept
    assert world.events[-1].reason is Reason.ARTIFACTS_RETAINED


def test_a_request_that_is_not_ours_to_hold_is_left_alone() -> None:
    world = World(deleting=True)
    assert world.cycle() == Plan()


@pytest.mark.parametrize("reason", [Reason.STORE_UNAVAILABLE, Reason.API_UNAVAILABLE])
def test_an_outage_is_told_once_and_what_was_true_stands(reason: Reason) -> None:
    world = World().run()
    plan = outage(world.snapshot().head, reason, "the store cannot be reached: MaxRetryError", world.now)
    assert plan.status is not None
    world.status = plan.status
    assert world.condition("Ready")[:2] == ("False", reason)
    assert world.condition("Reconciling")[0] == "True"
    assert world.condition("Trained")[0] == "True"
    assert world.status.portraits
    assert [note.warning for note in plan.events] == [True]
    assert outage(world.snapshot().head, reason, "the store cannot be reached: MaxRetryError", world.now) == Plan()
    assert ready(world.run())


def test_an_outage_during_deletion_says_that_deleting_waits() -> None:
    world = World().run()
    world.deleting = True
    plan = outage(world.snapshot().head, Reason.STORE_UNAVAILABLE, "the store cannot be reached", world.now)
    assert plan.status is not None
    world.status = plan.status
    assert world.condition("Ready")[:2] == ("False", Reason.DELETING)
    assert world.status.stage_text == "Deleting"


def test_a_new_request_during_an_outage_has_all_conditions() -> None:
    plan = outage(World().snapshot().head, Reason.STORE_UNAVAILABLE, "the store cannot be reached", World().now)
    assert plan.status is not None
    assert len(plan.status.conditions) == 7
    assert plan.status.observed_generation == 1


# --- texts and credentials ---------------------------------------------------------------------------------------


def test_no_link_reaches_a_status() -> None:
    world = World()
    text = "GET http://minio:9000/profiles/a?X-Amz-Signature=abc failed\nTraceback"
    fail(world, TRAIN, Termination(Reason.STAGE_FAILED, text))
    written = world.status.to_json()
    assert "X-Amz" not in written
    assert "minio:9000" not in written
    assert "\\n" not in written


def test_credentials_of_all_open_stages_reach_their_inputs_and_own_output_only() -> None:
    plan = decide(World().snapshot(), World().now, CONFIG)
    action = next(action for action in plan.actions if isinstance(action, CreateJob))
    chain = World().chain
    scopes = {scope.stage: scope for scope in action.scopes}
    dataset = chain.prefix(PREPROCESS)
    assert list(scopes) == [PREPROCESS, TRAIN, FINISH]
    assert (scopes[PREPROCESS].read, scopes[PREPROCESS].write) == (("hr/uploads/minji/",), dataset)
    assert (scopes[TRAIN].read, scopes[TRAIN].write) == ((dataset,), chain.prefix(TRAIN))
    assert scopes[FINISH].read == (dataset, "hr/requests/minji/candidates/")
    assert scopes[FINISH].write == chain.prefix(FINISH)


def test_progress_is_written_when_due_only() -> None:
    world = World()
    world.cycle()
    snapshot = world.snapshot()
    from profile_contract.progress import ProgressEvent

    job = next(iter(world.jobs.values()))
    event = ProgressEvent(namespace="hr", name="minji", stage=PREPROCESS, digest=job.digest, percent=42)
    early = decide(replace(snapshot, progress=event, seconds_since_write=5.0), world.now, CONFIG)
    assert early.status is None
    due = decide(replace(snapshot, progress=event, seconds_since_write=31.0), world.now, CONFIG)
    assert due.status is not None
    assert due.status.progress_text == "42%"
    assert due.again == CONFIG.progress_interval_seconds
    foreign = event.model_copy(update={"digest": "other"})
    assert decide(replace(snapshot, progress=foreign, seconds_since_write=31.0), world.now, CONFIG).status is None
