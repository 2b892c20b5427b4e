"""The only writer and its credentials, against an API server and a store in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from operator_world import CONFIG, KEY, World
from profile_contract.names import Stage
from profile_contract.request import Progress
from profile_contract.store import StoreError
from profile_operator.apply import Applier, OwnerConflict, only_progress
from profile_operator.config import ConfigError, JobsConfig, Secrets, read_config
from profile_operator.credentials import CredentialsIssuer
from profile_operator.kube import Conflicted, Document
from profile_operator.plan import AddFinalizer, CreateJob, EventNote, Plan, RemoveFinalizer, Scope
from profile_operator.snapshot import RequestHead

SECRETS = Secrets(access_key=SecretStr("a"), secret_key=SecretStr("s"), redis=SecretStr("redis://r"))


@dataclass
class Server:
    """An API server that notes what it is asked."""

    jobs: dict[str, Document] = field(default_factory=dict)
    secrets: list[Document] = field(default_factory=list)
    finalizers: list[tuple[list[str], str]] = field(default_factory=list)
    statuses: list[tuple[Document, str]] = field(default_factory=list)
    events: list[Document] = field(default_factory=list)

    async def create_job(self, document: Document) -> Document:
        name = document["metadata"]["name"]
        if name in self.jobs:
            raise Conflicted("it exists", 409)
        self.jobs[name] = document
        return document

    async def job(self, namespace: str, name: str) -> Document:
        return self.jobs[name]

    async def apply_secret(self, document: Document) -> None:
        self.secrets.append(document)

    async def set_finalizers(self, key: Any, finalizers: Any, version: str) -> Document:
        self.finalizers.append((list(finalizers), version))
        return {"metadata": {"resourceVersion": "2"}}

    async def set_status(self, key: Any, status: Document, version: str, *, kind: str) -> Document:
        self.statuses.append((status, version))
        return {}

    async def create_event(self, document: Document) -> None:
        self.events.append(document)


@dataclass
class Issuing:
    """A store that issues credentials; `ends` in so many seconds."""

    seconds: float = 21_600
    policies: list[str] = field(default_factory=list)
    down: bool = False

    async def credentials(self, policy: str, seconds: int) -> tuple[dict[str, str], datetime]:
        if self.down:
            raise StoreError("away")
        self.policies.append(policy)
        return {"AWS_ACCESS_KEY_ID": f"key{len(self.policies)}"}, datetime.now(UTC) + timedelta(seconds=self.seconds)


@dataclass
class Bench:
    """An applier over memory, and the first plan of a request."""

    server: Server
    store: Issuing
    applier: Applier
    head: RequestHead
    action: CreateJob


@pytest.fixture
def bench() -> Bench:
    server, store, world = Server(), Issuing(), World()
    issuer = CredentialsIssuer(server, store, CONFIG, SECRETS)  # type: ignore[arg-type]
    applier = Applier(
        server, store, issuer, None, None, config=CONFIG, secrets=SECRETS,  # type: ignore[arg-type]
    )  # fmt: skip
    plan = world.cycle()
    action = next(action for action in plan.actions if isinstance(action, CreateJob))
    return Bench(server, store, applier, World().snapshot().head, action)


async def test_a_job_comes_after_its_credentials_and_the_status_under_the_new_version(bench: Bench) -> None:
    status = bench.head.status.model_copy(update={"stage_text": "Preprocessing"})
    plan = Plan((AddFinalizer(), bench.action), status, (EventNote(reason_running(), "preprocess: begins"),))
    await bench.applier.apply(plan, bench.head)
    assert list(bench.server.jobs) == [bench.action.name]
    assert bench.server.finalizers == [(["profilestudio.io/purge"], "1")]
    assert bench.server.statuses[0][1] == "2"
    assert [event["message"] for event in bench.server.events] == ["preprocess: begins"]
    data = bench.server.secrets[0]["data"]
    assert sorted(data) == [
        "PROFILE_REDIS", "finish.AWS_ACCESS_KEY_ID", "preprocess.AWS_ACCESS_KEY_ID", "train.AWS_ACCESS_KEY_ID",
    ]  # fmt: skip


def reason_running() -> Any:
    from profile_contract.names import Reason

    return Reason.RUNNING


async def test_the_job_of_an_earlier_try_is_adopted(bench: Bench) -> None:
    await bench.applier.apply(Plan((bench.action,)), bench.head)
    await bench.applier.apply(Plan((bench.action,)), bench.head)
    assert len(bench.server.jobs) == 1


async def test_a_foreign_job_of_that_name_is_not_adopted(bench: Bench) -> None:
    await bench.applier.apply(Plan((bench.action,)), bench.head)
    with pytest.raises(OwnerConflict, match=bench.action.name):
        await bench.applier.apply(Plan((bench.action,)), replace(bench.head, uid="another"))


async def test_without_credentials_no_job_is_created(bench: Bench) -> None:
    bench.store.down = True
    with pytest.raises(StoreError):
        await bench.applier.apply(Plan((bench.action,)), bench.head)
    assert bench.server.jobs == {}


async def test_credentials_of_all_stages_are_written_once(bench: Bench) -> None:
    issuer = CredentialsIssuer(bench.server, bench.store, CONFIG, SECRETS)  # type: ignore[arg-type]
    scopes = bench.action.scopes
    for stage in (Stage.PREPROCESS, Stage.TRAIN, Stage.FINISH):
        await issuer.ensure(bench.head, stage, scopes)
    assert len(bench.server.secrets) == 1
    assert len(bench.store.policies) == 3


async def test_credentials_are_issued_anew_for_another_scope_or_when_they_would_end_too_soon(bench: Bench) -> None:
    issuer = CredentialsIssuer(bench.server, bench.store, CONFIG, SECRETS)  # type: ignore[arg-type]
    await issuer.ensure(bench.head, Stage.FINISH, (Scope(Stage.FINISH, (), "a/"),))
    await issuer.ensure(bench.head, Stage.FINISH, (Scope(Stage.FINISH, (), "b/"),))
    assert len(bench.server.secrets) == 2
    bench.store.seconds = 1000
    await issuer.ensure(bench.head, Stage.FINISH, (Scope(Stage.FINISH, (), "c/"),))
    await issuer.ensure(bench.head, Stage.FINISH, (Scope(Stage.FINISH, (), "c/"),))
    assert len(bench.server.secrets) == 4


async def test_letting_a_request_go_leaves_other_finalizers(bench: Bench) -> None:
    head = replace(bench.head, finalizers=("other/one", "profilestudio.io/purge"))
    await bench.applier.apply(Plan((RemoveFinalizer(),)), head)
    assert bench.server.finalizers == [(["other/one"], "1")]


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

    example = Path(__file__).parents[2] / "operator" / "example-config.yaml"
    assert read_config(example).jobs.of(Stage.TRAIN).backoff_limit == 3
    broken = tmp_path / "config.yaml"
    broken.write_text("store: {endpoint: x}")
    with pytest.raises(ConfigError, match=r"store\.bucket"):
        read_config(broken)
    with pytest.raises(ConfigError, match="PROFILE_CONFIG"):
        read_config(tmp_path / "none.yaml")


def test_credentials_must_outlast_the_longest_job() -> None:
    with pytest.raises(ValueError, match="credentialsSeconds must be at least 4200"):
        JobsConfig(**{**CONFIG.jobs.model_dump(), "credentials_seconds": 1000})


def test_the_account_comes_from_the_environment() -> None:
    with pytest.raises(ConfigError, match="AWS_SECRET_ACCESS_KEY"):
        Secrets.from_environment({"AWS_ACCESS_KEY_ID": "a"})
