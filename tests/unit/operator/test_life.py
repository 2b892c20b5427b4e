"""One request's life over an API server in memory: what is written, what is looked at, what fails around it."""

from __future__ import annotations

import contextlib

import pytest

from operator_world import CONFIG
from profile_contract.progress import ProgressEvent
from profile_operator.workqueue import ExpectedError
from real_operator import RealOperator, real_operator


def writes(operator: RealOperator) -> int:
    return len([call for call in operator.server.writes() if call.body != {}])


async def test_a_whole_life_and_then_rest(operator: RealOperator) -> None:
    await operator.ready()
    assert [(p.style, p.rank, p.likeness) for p in operator.status.portraits] == [("warm", 1, 50), ("plain", 1, 51)]
    assert sorted(name.split("-")[1] for name in operator.jobs) == ["finish", "preprocess", "train"]
    owners = [job["metadata"]["ownerReferences"][0]["uid"] for job in operator.jobs.values()]
    assert set(owners) == {operator.document["metadata"]["uid"]}
    before = writes(operator)
    assert await operator.cycle() is None
    assert writes(operator) == before


async def test_the_gpu_seconds_are_those_of_all_gpus() -> None:
    jobs = CONFIG.jobs.model_copy(update={"train": CONFIG.jobs.train.model_copy(update={"gpus": 4})})
    async with real_operator(CONFIG.model_copy(update={"jobs": jobs})) as operator:
        await operator.cycle()
        operator.finish("preprocess", seconds=100)
        await operator.cycle()
        operator.finish("train", seconds=3600)
        operator.ran("train", "2026-01-02T04:03:30Z", "2026-01-02T04:04:00Z", exit_code=0)
        await operator.cycle()
        assert operator.status.gpu_seconds == 120


async def test_a_retried_training_is_billed_twice(operator: RealOperator) -> None:
    await operator.cycle()
    operator.finish("preprocess")
    await operator.cycle()
    operator.end("train", "Failed", seconds=3600)
    operator.ran("train", "2026-01-02T03:54:05Z", "2026-01-02T03:54:55Z", exit_code=1)
    await operator.cycle()
    assert operator.condition("Stalled")[:2] == ("True", "StageFailed")
    assert operator.status.gpu_seconds == 50
    await operator.cycle()
    assert operator.status.gpu_seconds == 50
    operator.end_pods("train")
    operator.annotate("profilestudio.io/retry", "1")
    await operator.cycle()
    assert "train" not in {name.split("-")[1] for name in operator.jobs}
    await operator.cycle()
    operator.finish("train", seconds=30)
    operator.job("train")["status"] = {
        "startTime": "2026-01-02T05:00:00Z",
        "conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-02T05:00:30Z"}],
    }
    operator.ran("train", "2026-01-02T05:00:05Z", "2026-01-02T05:00:28Z", exit_code=0)
    await operator.cycle()
    assert operator.status.gpu_seconds == 50 + 23


# --- photos: looked at once, and anew when somebody asks ----------------------------------------------------------


async def test_photos_are_listed_once(operator: RealOperator) -> None:
    await operator.ready()
    listed = operator.store.lists.count("hr.1a2b3c4d-5e6f/uploads/minji/")
    operator.store.objects["hr.1a2b3c4d-5e6f/uploads/minji/new.jpg"] = b"new"
    for _ in range(3):
        await operator.cycle()
    assert operator.store.lists.count("hr.1a2b3c4d-5e6f/uploads/minji/") == listed == 1
    assert operator.status.photos is not None
    assert operator.status.photos.found == 6
    operator.change(photos={"prefix": "uploads/minji/", "revision": 2})
    await operator.cycle()
    assert operator.status.photos.found == 7
    assert len([name for name in operator.jobs if "-preprocess-" in name]) == 2


async def test_another_prefix_is_looked_at_anew(operator: RealOperator) -> None:
    await operator.ready()
    assert operator.status.photos is not None
    assert operator.status.photos.prefix == "uploads/minji/"
    operator.change(photos={"prefix": "uploads/nobody-at-all/", "revision": 1})
    await operator.cycle()
    assert operator.condition("Ready")[:2] == ("False", "NoPhotos")
    assert "hr.1a2b3c4d-5e6f/uploads/nobody-at-all/" in operator.condition("Ready")[2]
    operator.change(photos={"prefix": "uploads/minji/", "revision": 1})
    await operator.cycle()
    assert operator.condition("Ready")[0] == "True"


async def test_a_status_of_before_that_names_no_prefix_asks_for_nothing(operator: RealOperator) -> None:
    await operator.ready()
    del operator.document["status"]["photos"]["prefix"]
    listed = len(operator.store.lists)
    await operator.cycle()
    assert operator.store.lists[listed:].count("hr.1a2b3c4d-5e6f/uploads/minji/") == 0
    assert operator.condition("Ready")[0] == "True"


async def test_only_a_new_value_asks_to_try_again(operator: RealOperator) -> None:
    await operator.ready()
    listed = operator.store.lists.count("hr.1a2b3c4d-5e6f/uploads/minji/")
    operator.annotate("profilestudio.io/retry", "a")
    await operator.cycle()
    assert operator.store.lists.count("hr.1a2b3c4d-5e6f/uploads/minji/") == listed + 1
    # Taken away, emptied, and set again to what was answered: nothing is asked for.
    for value in (None, "", "a"):
        operator.annotate("profilestudio.io/retry", value)
        await operator.cycle()
        assert operator.store.lists.count("hr.1a2b3c4d-5e6f/uploads/minji/") == listed + 1
    operator.annotate("profilestudio.io/retry", "b")
    await operator.cycle()
    assert operator.store.lists.count("hr.1a2b3c4d-5e6f/uploads/minji/") == listed + 2


async def test_styles_and_layouts_are_sets_and_portraits_stand_as_asked(operator: RealOperator) -> None:
    operator.change(layouts=["square", "resume", "print-5x7"])
    await operator.ready()
    jobs, keys = set(operator.jobs), [portrait.key for portrait in operator.status.portraits]
    operator.change(styles=["plain", "warm"], layouts=["print-5x7", "square", "resume"])
    for _ in range(2):
        await operator.cycle()
    assert set(operator.jobs) == jobs
    assert operator.condition("Ready")[0] == "True"
    assert [portrait.style for portrait in operator.status.portraits] == ["plain", "warm"]
    assert [portrait.key for portrait in operator.status.portraits] == keys[::-1]


# --- what fails --------------------------------------------------------------------------------------------------


async def test_a_conflict_is_looked_at_again_at_once(operator: RealOperator) -> None:
    operator.server.refuse("PATCH", "/status", 409, "the object has been modified", reason="Conflict")
    assert await operator.cycle() == pytest.approx(0.2)
    assert not operator.status.conditions
    await operator.cycle()
    assert operator.condition("Preprocessed")[1] == "Pending"
    assert len(operator.jobs) == 1


async def test_a_409_of_a_quota_is_no_job_of_that_name(operator: RealOperator) -> None:
    text = 'Operation cannot be fulfilled on resourcequotas "team": the object has been modified'
    operator.server.refuse("POST", "/jobs", 409, text, reason="Conflict", kind="resourcequotas", times=2)
    assert await operator.cycle() == pytest.approx(0.2)
    assert await operator.cycle() == pytest.approx(0.2)
    assert operator.told == []
    await operator.cycle()
    assert len(operator.jobs) == 1
    assert operator.condition("Preprocessed")[1] == "Pending"


async def test_a_status_comes_under_the_version_of_the_finalizers_write(operator: RealOperator) -> None:
    await operator.cycle()
    patches = [call for call in operator.server.writes("/profilerequests/minji") if call.method == "PATCH"]
    versions = [call.body["metadata"]["resourceVersion"] for call in patches]
    assert len(patches) == 2
    assert versions[0] != versions[1]
    assert operator.document["metadata"]["finalizers"] == ["profilestudio.io/purge"]


async def test_what_a_failed_pod_said_is_told(operator: RealOperator) -> None:
    await operator.cycle()
    name = next(iter(operator.jobs))
    said = {"terminated": {"exitCode": 64, "message": '{"reason": "ModelNotFound", "message": "no sface.onnx"}'}}
    operator.pod(name, status={"containerStatuses": [{"name": "stage", "state": said}]})
    operator.end("preprocess", "Failed")
    await operator.cycle()
    assert operator.condition("Stalled")[:2] == ("True", "ModelNotFound")
    assert "no sface.onnx" in operator.condition("Stalled")[2]


async def test_what_the_kubelet_said_of_the_pod_is_told(operator: RealOperator) -> None:
    await operator.cycle()
    name = next(iter(operator.jobs))
    evicted = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": 'Usage of EmptyDir volume "scratch" exceeds the limit',
    }
    gone = {"terminated": {"exitCode": 137}}
    operator.pod(name, status={**evicted, "containerStatuses": [{"name": "stage", "state": gone}]})
    operator.end("preprocess", "Failed")
    await operator.cycle()
    assert operator.condition("Stalled")[1] == "ScratchFull"
    assert 'evicted: Usage of EmptyDir volume "scratch" exceeds the limit' in operator.condition("Stalled")[2]


async def test_pods_of_jobs_that_run_are_not_listed(operator: RealOperator) -> None:
    await operator.cycle()
    operator.job("preprocess")["status"] = {"startTime": "2026-01-02T03:04:05Z", "active": 1, "ready": 1}
    before = len(operator.server.calls)
    await operator.cycle()
    assert [call.path for call in operator.server.calls[before:] if call.path.endswith("/pods")] == []
    operator.job("preprocess")["status"] = {"startTime": "2026-01-02T03:04:05Z", "active": 1}
    await operator.cycle()
    assert [call.path for call in operator.server.calls[before:] if call.path.endswith("/pods")] != []


async def test_progress_of_the_running_stage_is_told() -> None:
    async with real_operator(CONFIG.model_copy(update={"progress_interval_seconds": 1e-9})) as operator:
        await operator.cycle()
        digest = operator.job("preprocess")["metadata"]["annotations"]["profilestudio.io/digest"]
        operator.beside.event = ProgressEvent.model_validate(
            {"namespace": "hr", "name": "minji", "stage": "preprocess", "digest": digest, "percent": 42}
        )
        await operator.cycle()
        assert operator.beside.asked_progress[-1] == ("preprocess", digest)
        assert (operator.status.progress_text, operator.status.stage_text) == ("42%", "Preprocessing")
        # The Job has ended: its progress is asked for no more.
        operator.finish("preprocess")
        asked = len(operator.beside.asked_progress)
        await operator.cycle()
        assert all(stage == "train" for stage, _ in operator.beside.asked_progress[asked:])


async def test_a_job_that_ended_well_without_a_report_says_so(operator: RealOperator) -> None:
    await operator.cycle()
    operator.end("preprocess", "Complete")
    await operator.cycle()
    assert operator.condition("Stalled")[:2] == ("True", "StageFailed")
    assert "ended well, but its report is not in the store" in operator.condition("Stalled")[2]


async def test_a_store_that_is_away_changes_nothing_of_what_is_ready(operator: RealOperator) -> None:
    await operator.ready()
    operator.store.away = True
    before = writes(operator)
    with contextlib.suppress(ExpectedError):
        await operator.cycle()
    assert writes(operator) == before
    assert operator.condition("Ready")[0] == "True"


async def test_a_store_that_is_away_is_told_of_what_is_asked_for_now(operator: RealOperator) -> None:
    await operator.ready()
    operator.store.away = True
    operator.change(portraits=2)
    with pytest.raises(ExpectedError):
        await operator.cycle()
    # What was true of the generation before is not said of this one.
    stamps = {c.type: c.observed_generation for c in operator.status.conditions}
    assert (stamps["Ready"], stamps["Trained"], operator.status.observed_generation) == (2, 1, 2)
    assert operator.condition("Ready")[:2] == ("False", "StoreUnavailable")
    assert operator.condition("Reconciling")[0] == "True"
    assert len(operator.status.portraits) == 2
    operator.store.away = False
    await operator.cycle()
    operator.finish("finish")
    await operator.cycle()
    assert operator.condition("Ready")[0] == "True"
    assert {c.observed_generation for c in operator.status.conditions} == {2}


async def test_the_time_of_a_condition_moves_with_its_status_alone(operator: RealOperator) -> None:
    await operator.cycle()
    for condition in operator.document["status"]["conditions"]:
        condition["lastTransitionTime"] = "2020-01-01T00:00:00Z"
    operator.end("preprocess", "Failed")
    await operator.cycle()
    times = {
        c.type: (c.status, c.reason, c.last_transition_time, c.observed_generation) for c in operator.status.conditions
    }
    assert times["Ready"] == ("False", "StageFailed", "2020-01-01T00:00:00Z", 1)
    assert times["Stalled"][2] != "2020-01-01T00:00:00Z"


# --- what a stranger wrote ---------------------------------------------------------------------------------------


async def test_a_whole_life_takes_few_writes_of_the_api_server(operator: RealOperator) -> None:
    await operator.ready()
    written = [call for call in operator.server.writes() if "dryRun" not in call.query]
    # The finalizer; a Secret and a Job a stage; what is told as each of the four begins, and at the end.
    assert len(written) == 1 + 2 * 3 + 5
