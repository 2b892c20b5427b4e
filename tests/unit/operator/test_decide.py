"""The operator's rules, played against a world in memory: a faultless run, and what a status says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from operator_world import CONFIG, Crash, World, change, fail, photo, ready, stages_of
from profile_contract.conditions import Reason
from profile_contract.photos import PhotosWarning, PhotosWarningKind
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.resource import parse_head
from profile_contract.stages.finish import FinishOrder
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.preprocess import PreprocessOrder, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import PriorPreservation, class_pictures_digest
from profile_contract.style_ref import StyleRef
from profile_operator.clock import stamp
from profile_operator.decide import decide
from profile_operator.decide.advice import plain
from profile_operator.decide.decision import POLICIES
from profile_operator.decide.orders import order_of
from profile_operator.decide.plan import CreateJob
from profile_operator.observe.snapshot import Cause, JobState
from stage_reports import dataset_report

MOST_WRITES = 11
PREPROCESS, TRAIN, GENERATE, FINISH = Stage


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
    assert status.styles_text == ", ".join(world.spec.style_keys)
    assert [c.type for c in status.conditions] == [
        "Ready", "Preprocessed", "Trained", "Generated", "Finished", "Outdated", "Reconciling", "Stalled",
    ]  # fmt: skip
    assert [c.status for c in status.conditions] == ["True"] * 5 + ["False"] * 3
    assert status.adapter is not None
    assert status.adapter.endswith("/adapter.safetensors")
    assert status.contact_sheet is not None


def test_a_whole_request_takes_few_writes() -> None:
    world = World().run()
    assert world.writes.count("finalizer") == 1
    assert world.writes.count("job") == 3
    # One a stage transition, of which that to finishing is told with its end; the Secrets come on top.
    assert world.writes.count("status") == 4
    assert len(world.writes) + 3 <= MOST_WRITES


def finishing(seconds: float, finished_at: str = "") -> World:
    """A request whose finishing began so long after the last candidate was drawn, and was looked at."""
    world = World(seen_running=True)
    while not any("-finish-" in name for name in world.jobs):
        world.cycle()
        world.work_on()
    reports = {key: report for key, report in world.store.items() if isinstance(report, GenerateReport)}
    drawn = finished_at or stamp(world.now + timedelta(seconds=5 - seconds))
    world.store |= {key: report.model_copy(update={"finished_at": drawn}) for key, report in reports.items()}
    return world


def test_that_finishing_began_is_told_once_it_takes_a_while() -> None:
    world = finishing(4)
    assert world.cycle().again == 26
    assert world.status.stage_text == "Generating"
    world = finishing(30)
    world.cycle()
    assert world.status.stage_text == "Finishing"
    assert world.condition("Generated")[1] == "Succeeded"


@pytest.mark.parametrize("finished_at", ["2099-01-01T00:00:00Z", "2001-01-01T00:00:00Z"])
def test_a_clock_that_jumped_holds_nothing_back(finished_at: str) -> None:
    world = finishing(0, finished_at)
    world.cycle()
    assert world.status.stage_text == "Finishing"


def test_what_hinders_finishing_is_told_at_once() -> None:
    world = finishing(1)
    name = next(name for name in world.jobs if "-finish-" in name)
    world.jobs[name] = replace(world.jobs[name], state=JobState.FAILED, cause=Cause(Reason.STAGE_FAILED, "no disk"))
    world.cycle()
    assert world.condition("Ready")[1] == "StageFailed"
    world = finishing(1)
    cause = Cause(Reason.IMAGE_PULL_FAILED, "no image")
    world.jobs[name] = replace(world.jobs[name], running=False, cause=cause)
    world.cycle()
    assert world.condition("Ready")[1] == "ImagePullFailed"


def test_short_stages_cost_no_write_for_their_start() -> None:
    world = World(seconds_since_write=5.0, seen_running=True).run()
    assert world.writes.count("status") == 4
    # Told once it has run for a while.
    world = World(seconds_since_write=9.9, seen_running=True)
    world.cycle()
    world.work_on()
    assert world.cycle().again == 10
    assert world.condition("Preprocessed")[1:] == ("Pending", "the pod is about to start")
    world.seconds_since_write = 10.0
    world.cycle()
    assert world.condition("Preprocessed")[1:] == ("Running", "looking at the photos")


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
    told = [(note.reason, note.message.split(":")[0]) for note in World(seen_running=True).run().events]
    assert told == [
        (Reason.RUNNING, "preprocess"),
        (Reason.SUCCEEDED, "preprocess"),
        (Reason.RUNNING, "train"),
        (Reason.SUCCEEDED, "train"),
        (Reason.RUNNING, "generate"),
        (Reason.SUCCEEDED, "generate"),
        # That finishing began is not told where it ends soon.
        (Reason.SUCCEEDED, "finish"),
        (Reason.SUCCEEDED, "ready"),
    ]


@pytest.mark.parametrize("nth", range(1, 9))
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
    assert (world.status.photos, world.status.photos_text) == (faultless.status.photos, faultless.status.photos_text)
    assert ready(world)


# --- which policy decides ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("photos", "suspended", "style", "reason"),
    [
        (0, True, "gothic", Reason.NO_PHOTOS),
        (6, True, "gothic", Reason.SUSPENDED),
        (6, False, "gothic", Reason.STYLE_NOT_FOUND),
        (6, False, "warm", Reason.PENDING),
    ],
)
def test_the_first_policy_that_answers_decides(photos: int, suspended: bool, style: str, reason: Reason) -> None:
    world = World(photos=[photo(f"{number}.jpg") for number in range(photos)])
    world.spec = world.spec.model_copy(update={"suspend": suspended, "styles": [StyleRef(name=style)]})
    world.cycle()
    assert world.condition("Ready")[1] == reason
    assert bool(world.created) is (reason is Reason.PENDING)


def test_the_last_policy_always_answers() -> None:
    *_, last = POLICIES
    assert all(last(facts) is not None for facts in (World().facts(), World(photos=[]).facts(), World().run().facts()))


# --- texts and credentials ---------------------------------------------------------------------------------------


def test_no_link_reaches_a_status() -> None:
    world = World()
    text = "GET http://minio:9000/profiles/a?X-Amz-Signature=abc failed\nTraceback"
    fail(world, TRAIN, Cause(Reason.STAGE_FAILED, text))
    written = world.status.to_json()
    assert "X-Amz" not in written
    assert "minio:9000" not in written
    assert "\\n" not in written


def test_credentials_of_all_open_stages_reach_their_inputs_and_own_output_only() -> None:
    plan = decide(World().facts())
    action = next(action for action in plan.actions if isinstance(action, CreateJob))
    chain = World().chain
    scopes = {scope.stage: scope for scope in action.scopes}
    dataset = chain.prefix(PREPROCESS)
    assert list(scopes) == [PREPROCESS, TRAIN, FINISH]
    assert (scopes[PREPROCESS].read, scopes[PREPROCESS].write) == (("hr.1a2b3c4d-5e6f/uploads/minji/",), dataset)
    assert (scopes[TRAIN].read, scopes[TRAIN].write) == ((dataset,), chain.prefix(TRAIN))
    assert scopes[FINISH].read == (dataset, "hr.1a2b3c4d-5e6f/requests/minji/candidates/")
    assert scopes[FINISH].write == chain.prefix(FINISH)
    assert {scope.shared for scope in action.scopes} == {""}


def test_a_training_reaches_the_class_pictures_of_its_own_namespace_and_of_its_own_kind_alone() -> None:
    training = CONFIG.training.model_copy(update={"prior_preservation": PriorPreservation(weight=1.0)})
    world = World(config=CONFIG.model_copy(update={"training": training}))
    digest = class_pictures_digest(training)
    action = next(action for action in decide(world.facts()).actions if isinstance(action, CreateJob))
    shared = {scope.stage: scope.shared for scope in action.scopes}
    assert shared == {PREPROCESS: "", TRAIN: f"hr.1a2b3c4d-5e6f/prior/{digest}/", FINISH: ""}


def test_progress_is_written_when_due_only() -> None:
    world = World()
    world.cycle()
    from profile_contract.progress import ProgressEvent

    job = next(iter(world.jobs.values()))
    event = ProgressEvent(namespace="hr", name="minji", stage=PREPROCESS, digest=job.digest, percent=42)
    early = decide(world.facts(progress=event, seconds_since_write=5.0))
    assert early.status is None
    due = decide(world.facts(progress=event, seconds_since_write=31.0))
    assert due.status is not None
    assert due.status.progress_text == "42%"
    assert due.again == CONFIG.progress_interval_seconds
    foreign = event.model_copy(update={"digest": "other"})
    assert decide(world.facts(progress=foreign, seconds_since_write=31.0)).status is None


# --- what is worth knowing ---------------------------------------------------------------------------------------


def test_warnings_of_the_photos_stand_in_the_status_without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def warned(order: PreprocessOrder, common: dict[str, object]) -> PreprocessReport:
        told = PhotosWarning(
            kind=PhotosWarningKind.TURNED_UPRIGHT, message="Look\nat https://evil.example/x", photos=["a"]
        )
        return dataset_report(order, common).model_copy(update={"warnings": [told]})

    monkeypatch.setattr("stage_reports.dataset_report", warned)
    world = World().run()
    assert ready(world)
    assert world.status.photos is not None
    (warning,) = world.status.photos.warnings
    assert (warning.kind, warning.message, warning.photos) == ("TurnedUpright", "Look at [link]", ["a"])


def test_a_toy_is_named_in_the_status_and_to_finishing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = World().run()
    assert plain.status.toy_model is None
    toy = CONFIG.model_copy(update={"finish": CONFIG.finish.model_copy(update={"toy": True})})
    before = plain.chain
    monkeypatch.setattr("operator_world.CONFIG", toy)
    world = World().run()
    assert world.status.toy_model == CONFIG.training.base_model
    assert (world.chain.preprocess, world.chain.train, world.chain.generate) == (
        before.preprocess, before.train, before.generate,
    )  # fmt: skip
    assert world.chain.finish != before.finish


def test_finishing_is_told_the_title_and_when_the_last_candidate_was_drawn() -> None:
    world = World().run()
    # A request that is ready is looked at no more; one that lost its status is.
    world.status = ProfileRequestStatus()
    chain = world.chain
    ends = [report.finished_at for report in world.reports(chain).generate.values()]
    finish = order_of(Stage.FINISH, world.facts())
    assert isinstance(finish, FinishOrder)
    assert len(ends) == 2
    assert (finish.title, finish.drawn_at) == ("", max(ends))
    assert finish.drawn_at
    order = order_of(Stage.FINISH, world.facts(head=replace(world.head, title="Employee card")))
    assert isinstance(order, FinishOrder)
    assert (order.title, order.digest) == ("Employee card", finish.digest)


@pytest.mark.parametrize(
    ("text", "title"), [("Employee\ncard \x1b[2J", "Employee card [2J"), ("사원증", "사원증"), ("x" * 300, "x" * 100)]
)
def test_a_title_is_one_line_of_bounded_length(text: str, title: str) -> None:
    metadata = {"namespace": "hr", "name": "minji", "uid": "u", "resourceVersion": "1"}
    head = parse_head({"metadata": {**metadata, "annotations": {"profilestudio.io/title": text}}})
    assert head.title == title
    assert parse_head({"metadata": metadata}).title == ""


def test_a_message_obeys_no_stranger() -> None:
    said = plain("a\x1b[31mred\x00\u202e \ud800half\nline\ufeff https://store/x?X-Amz-Signature=1 end")
    assert said == "a [31mred half line [link] end"
    assert plain("가" * 600) == "가" * 499 + "…"
    assert plain("👩\u200d🎓 é") == "👩\u200d🎓 é"


def test_results_tell_which_generation_they_belong_to() -> None:
    world = World().run()
    assert world.status.results_generation == world.generation == 1
    change(world, candidates=3)
    world.cycle()
    assert (world.generation, world.status.results_generation) == (2, 1)
    assert world.status.portraits
    world.run()
    assert world.status.results_generation == 2
