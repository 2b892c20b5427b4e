"""The only writer and its credentials: real writes to an API server in memory, and what a store issues."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from fake_kubernetes import SECRETS
from operator_world import CONFIG, KEY, World
from profile_contract.request_status import Progress
from profile_contract.stages.table import Stage
from profile_operator.act.applier import only_progress
from profile_operator.config import GenerationConfig, OperatorConfig, Secrets
from profile_operator.decide.plan import Plan, RemoveFinalizer, Scope
from profile_operator.job_settings import JobsConfig
from profile_operator.workqueue import ExpectedError
from profile_runtime.configuration import ConfigError, read_config
from real_operator import RealOperator, real_operator


def secret_path(operator: RealOperator, stage: str) -> str:
    return f"{SECRETS.format('hr')}/minji-{stage}-{operator.document['metadata']['uid']}"


def issued(operator: RealOperator) -> list[tuple[dict[str, list[str]], int]]:
    """Of each session: what it may do where, and for how many seconds."""
    found = []
    for policy, seconds in operator.tokens.asked:
        granted = {action: one["Resource"] for one in policy["Statement"] for action in one["Action"]}
        found.append((granted, seconds))
    return found


async def test_a_job_comes_after_its_credentials(operator: RealOperator) -> None:
    await operator.cycle()
    order = [call.path.rpartition("/")[2] for call in operator.server.writes() if "dryRun" not in call.query]
    assert order == ["minji", "secrets", "jobs", "status"]
    data = {name: base64.b64decode(value).decode() for name, value in operator.secret["data"].items()}
    assert data == {
        "AWS_ACCESS_KEY_ID": "ACCESS1",
        "AWS_SECRET_ACCESS_KEY": "secret1",
        "AWS_SESSION_TOKEN": "token1",
    }
    uid = operator.document["metadata"]["uid"]
    assert operator.secret["metadata"]["ownerReferences"][0]["uid"] == uid
    assert operator.tokens.tags == [uid]


async def test_each_stage_gets_its_own_credentials_for_as_long_as_its_job_may_take() -> None:
    jobs = CONFIG.jobs.model_copy(
        update={"preprocess": CONFIG.jobs.preprocess.model_copy(update={"active_deadline_seconds": 1800})}
    )
    async with real_operator(CONFIG.model_copy(update={"jobs": jobs})) as operator:
        await operator.ready()
        (preprocess, short), (train, long), (finish, _) = issued(operator)
    area = "arn:aws:s3:::profiles/hr.1a2b3c4d-5e6f/requests/minji"
    assert (short, long) == (1800 + 600, 3600 + 600)
    assert preprocess["s3:GetObject"][0] == "arn:aws:s3:::profiles/hr.1a2b3c4d-5e6f/uploads/minji/*"
    assert [place.rsplit("/", 2)[0] for place in preprocess["s3:PutObject"]] == [f"{area}/dataset"]
    assert [place.rsplit("/", 2)[0] for place in train["s3:GetObject"]] == [f"{area}/dataset", f"{area}/adapter"]
    assert [place.rsplit("/", 2)[0] for place in train["s3:PutObject"]] == [f"{area}/adapter"]
    dataset, candidates, portraits = finish["s3:GetObject"]
    assert dataset.startswith(f"{area}/dataset/")
    assert candidates == f"{area}/candidates/*"
    assert finish["s3:PutObject"] == [portraits]
    assert portraits.startswith(f"{area}/portraits/")


async def test_without_credentials_no_job_is_created(operator: RealOperator) -> None:
    operator.tokens.away = True
    with pytest.raises(ExpectedError, match="no temporary credentials"):
        await operator.cycle()
    assert operator.jobs == {}
    with pytest.raises(ExpectedError):
        await operator.cycle()
    assert operator.condition("Ready")[:2] == ("False", "StoreUnavailable")


@pytest.fixture
def _always_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a Secret stood is remembered for no time at all."""
    monkeypatch.setattr("profile_operator.observe.issued.SECONDS", 0.0)


@pytest.mark.usefixtures("_always_looked_at")
async def test_a_secret_that_somebody_deleted_is_made_anew(operator: RealOperator) -> None:
    await operator.cycle()
    del operator.server.objects[secret_path(operator, "preprocess")]
    assert await operator.cycle() == 10
    assert operator.secret["data"]["AWS_ACCESS_KEY_ID"] == base64.b64encode(b"ACCESS2").decode()
    await operator.cycle()
    assert len(operator.tokens.asked) == 2
    assert len(operator.jobs) == 1


def secret_calls(operator: RealOperator) -> int:
    return sum("/secrets/" in call.path for call in operator.server.calls)


async def test_that_a_secret_stood_a_moment_ago_is_remembered(
    operator: RealOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod that is to start is looked at often, and each time its Secret would be asked for."""
    await operator.cycle()
    for _ in range(2):
        await operator.cycle()
    assert secret_calls(operator) == 0
    monkeypatch.setattr("profile_operator.observe.issued.SECONDS", -1.0)
    await operator.cycle()
    assert secret_calls(operator) == 1
    monkeypatch.undo()
    await operator.cycle()
    assert secret_calls(operator) == 1
    assert len(operator.tokens.asked) == 1


async def test_of_a_secret_that_was_taken_away_nothing_is_remembered(operator: RealOperator) -> None:
    """As while a queue of Kueue holds a Job: before its pod starts there must be another."""
    await operator.cycle()
    await operator.credentials.withdraw(operator.head, Stage.PREPROCESS)
    await operator.cycle()
    assert len(operator.tokens.asked) == 2
    assert operator.secret["data"]["AWS_ACCESS_KEY_ID"] == base64.b64encode(b"ACCESS2").decode()


@pytest.mark.usefixtures("_always_looked_at")
async def test_a_secret_that_we_did_not_make_is_not_believed(operator: RealOperator) -> None:
    """Somebody put another in its place, or an operator before us made it: what it holds is not known."""
    await operator.cycle()
    path = secret_path(operator, "preprocess")
    del operator.server.objects[path]
    planted = operator.server.put(SECRETS.format("hr"), {"metadata": {"name": path.rpartition("/")[2]}, "data": {}})
    await operator.cycle()
    assert "AWS_ACCESS_KEY_ID" in operator.secret["data"]
    assert operator.secret["metadata"]["uid"] != planted["metadata"]["uid"]
    before = operator.secret["metadata"]["uid"]
    operator.observer._issued.forget(operator.head.uid)
    await operator.cycle()
    assert operator.secret["metadata"]["uid"] != before
    await operator.cycle()
    assert len(operator.tokens.asked) == 3


async def test_a_secret_without_its_owner_reference_goes_with_its_request(operator: RealOperator) -> None:
    """`kubectl delete --cascade=orphan` takes the reference away, and nobody else knows whose the Secret is."""
    await operator.cycle()
    path = secret_path(operator, "preprocess")
    operator.server.objects[path]["metadata"].pop("ownerReferences")
    operator.change(deletionPolicy="Retain")
    operator.delete()
    await operator.cycle()
    await operator.cycle()
    assert operator.gone()
    assert path not in operator.server.objects


async def test_a_secret_that_may_not_be_reached_any_more_holds_no_request(operator: RealOperator) -> None:
    await operator.cycle()
    operator.server.refuse("DELETE", "/secrets/", 403, "forbidden", reason="Forbidden", times=20)
    operator.change(deletionPolicy="Retain")
    operator.delete()
    await operator.cycle()
    await operator.cycle()
    assert operator.gone()


async def test_no_secret_of_somebody_else_is_touched(operator: RealOperator) -> None:
    for name in ("minji-store-credentials", "minji", "minji-preprocess", "minji-preprocess-u2"):
        operator.server.put(SECRETS.format("hr"), {"metadata": {"name": name}, "data": {"a": "b"}})
    before = json.dumps(operator.server.named(SECRETS.format("hr")))
    await operator.ready()
    operator.delete()
    for _ in range(4):
        await operator.cycle()
    after = operator.server.named(SECRETS.format("hr"))
    assert json.dumps({name: after[name] for name in json.loads(before)}) == before
    calls = operator.server.writes("/secrets")
    created = [(call.method, call.body["metadata"]["name"]) for call in calls if call.method == "POST"]
    written = [*created, *((call.method, call.path.rpartition("/")[2]) for call in calls)]
    uid = next(name for _, name in written if name.startswith("minji-train-")).removeprefix("minji-train-")
    assert {name for _, name in written} - {"secrets"} == {
        f"minji-{s}-{uid}" for s in ("preprocess", "train", "finish")
    }
    assert "PATCH" not in {method for method, _ in written}
    assert "PUT" not in {method for method, _ in written}


@pytest.mark.usefixtures("_always_looked_at")
async def test_credentials_of_a_pod_that_waits_are_renewed_and_those_of_one_that_runs_are_not(
    operator: RealOperator,
) -> None:
    await operator.cycle()
    # Ten minutes more than the deadline are asked for, five must be left.
    operator.tokens.shorter = 301
    del operator.server.objects[secret_path(operator, "preprocess")]
    await operator.cycle()
    first, asked = operator.secret["metadata"]["uid"], len(operator.tokens.asked)
    operator.tokens.shorter = 0
    await operator.cycle()
    assert operator.secret["metadata"]["uid"] != first
    await operator.cycle()
    assert len(operator.tokens.asked) == asked + 1
    operator.job("preprocess")["status"] = {"startTime": "2026-01-02T03:04:05Z", "active": 1, "ready": 1}
    del operator.server.objects[secret_path(operator, "preprocess")]
    await operator.cycle()
    assert len(operator.tokens.asked) == asked + 1


async def test_a_pod_that_runs_needs_no_look_at_its_secret(operator: RealOperator) -> None:
    await operator.cycle()
    operator.job("preprocess")["status"] = {"startTime": "2026-01-02T03:04:05Z", "active": 1, "ready": 1}
    before = len(operator.server.calls)
    await operator.cycle()
    assert [call.path for call in operator.server.calls[before:] if "/secrets/" in call.path] == []


async def test_credentials_that_fit_are_not_issued_again(operator: RealOperator) -> None:
    await operator.cycle()
    head = operator.head
    scope = Scope(Stage.PREPROCESS, ("hr.1a2b3c4d-5e6f/uploads/minji/",), "hr.1a2b3c4d-5e6f/requests/minji/dataset/x/")
    await operator.credentials.ensure(head, Stage.PREPROCESS, (scope,))
    await operator.credentials.ensure(head, Stage.PREPROCESS, (scope,))
    assert len(operator.tokens.asked) == 2
    other = Scope(Stage.PREPROCESS, ("hr.1a2b3c4d-5e6f/uploads/minji/",), "hr.1a2b3c4d-5e6f/requests/minji/dataset/y/")
    await operator.credentials.ensure(head, Stage.PREPROCESS, (other,))
    assert len(operator.tokens.asked) == 3


async def test_credentials_that_would_end_before_the_job_are_issued_again(operator: RealOperator) -> None:
    await operator.cycle()
    scope = Scope(Stage.FINISH, (), "hr.1a2b3c4d-5e6f/requests/minji/portraits/x/")
    # Ten minutes more than the deadline are asked for, five must be left. Time stands still: on a busy machine the
    # second look would come later than a second after the first.
    with time_machine.travel(datetime.now(UTC), tick=False):
        for shorter, times in ((300, 1), (301, 2)):
            operator.tokens.shorter, before = shorter, len(operator.tokens.asked)
            operator.server.objects.pop(secret_path(operator, "finish"), None)
            for _ in range(2):
                await operator.credentials.ensure(operator.head, Stage.FINISH, (scope,))
            assert len(operator.tokens.asked) - before == times


async def test_letting_a_request_go_leaves_other_finalizers(operator: RealOperator) -> None:
    operator.document["metadata"]["finalizers"] = ["other/one", "profilestudio.io/purge", "another/one"]
    await operator.applier.apply(Plan((RemoveFinalizer(),)), operator.head)
    assert operator.document["metadata"]["finalizers"] == ["other/one", "another/one"]


def test_links_for_the_predictor_outlive_its_calls() -> None:
    with pytest.raises(ValueError, match="grantSeconds must be at least callSeconds"):
        GenerationConfig(grant_seconds=599)
    assert GenerationConfig().url("p") == "http://p-predictor.profile-studio.svc"


def test_which_writes_are_progress() -> None:
    status = World().run().status
    progress = Progress(stage=Stage.TRAIN, percent=42)
    further = status.model_copy(update={"progress": progress, "progress_text": "42%"})
    assert only_progress(status, further)
    assert not only_progress(status, further.model_copy(update={"stage_text": "Training"}))


def test_the_key_keeps_its_form() -> None:
    assert str(KEY) == "hr/minji"


def test_the_example_configuration_can_be_read(tmp_path: Any) -> None:
    from pathlib import Path

    example = Path(__file__).parents[3] / "operator" / "example-config.yaml"
    assert read_config(example, OperatorConfig, "PROFILE_CONFIG").jobs.of(Stage.TRAIN).backoff_limit == 3
    broken = tmp_path / "config.yaml"
    broken.write_text("store: {endpoint: x}")
    with pytest.raises(ConfigError, match=r"store\.bucket"):
        read_config(broken, OperatorConfig, "PROFILE_CONFIG")
    with pytest.raises(ConfigError, match="PROFILE_CONFIG"):
        read_config(tmp_path / "none.yaml", OperatorConfig, "PROFILE_CONFIG")


def test_credentials_must_outlast_the_longest_job() -> None:
    with pytest.raises(ValueError, match="credentialsSeconds must be at least 4200"):
        JobsConfig(**{**CONFIG.jobs.model_dump(), "credentials_seconds": 1000})


def test_the_account_comes_from_the_environment() -> None:
    with pytest.raises(ConfigError, match="AWS_SECRET_ACCESS_KEY"):
        Secrets.from_environment({"AWS_ACCESS_KEY_ID": "a"})
