"""The operator's writes to an API server: who owns what afterwards, and what a conflict, a quota or an outage means."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import closing

import aiohttp
import pytest
from kubernetes.aio import client

from fake_kubernetes import EVENTS, JOBS, REQUESTS, SECRETS, FakeKubernetes
from profile_contract.request_status import ProfileRequestStatus, Progress
from profile_contract.resource import Key, parse_head
from profile_operator.act.applier import changed_status
from profile_operator.clients.kubernetes import Kube
from profile_operator.health import HealthServer, listen
from profile_runtime.kubernetes.aio import with_proxy, without_proxy
from profile_runtime.kubernetes.errors import ApiError, ResourceConflict, ResourceNotFound

KEY = Key("hr", "minji")
PATH = f"{REQUESTS.format('hr')}/minji"


@pytest.fixture
def server() -> FakeKubernetes:
    server = FakeKubernetes()
    metadata = {"name": "minji", "labels": {"team": "hr"}, "annotations": {"note": "a"}, "finalizers": ["other/one"]}
    server.put(REQUESTS.format("hr"), {"metadata": metadata, "spec": {"seed": 1}}, manager="kubectl")
    return server


@pytest.fixture
async def kube(server: FakeKubernetes) -> AsyncIterator[Kube]:
    async with server.kube() as kube:
        yield kube


def version(server: FakeKubernetes) -> str:
    return str(server.objects[PATH]["metadata"]["resourceVersion"])


async def test_a_status_takes_nothing_away_from_others(server: FakeKubernetes, kube: Kube) -> None:
    await kube.set_status(KEY, {"stageText": "Training"}, version(server))
    assert server.objects[PATH]["status"] == {"stageText": "Training"}
    assert {"metadata.labels.team", "metadata.annotations.note"} <= server.owners[PATH]["kubectl"]
    assert server.owners[PATH]["profile-operator"] == {"status.stageText"}
    assert server.objects[PATH]["metadata"]["generation"] == 1
    assert [call.method for call in server.writes()] == ["PATCH"]


async def test_a_status_that_was_read_before_somebody_wrote_is_refused(server: FakeKubernetes, kube: Kube) -> None:
    old = version(server)
    await kube.set_status(KEY, {"stageText": "Training"}, old)
    with pytest.raises(ResourceConflict):
        await kube.set_status(KEY, {"stageText": "Finishing"}, old)
    with pytest.raises(ResourceConflict):
        await kube.set_finalizers(KEY, ["a/b"], old)
    assert server.objects[PATH]["status"] == {"stageText": "Training"}
    assert server.objects[PATH]["metadata"]["finalizers"] == ["other/one"]


async def test_a_status_patch_takes_away_what_stands_no_more_and_leaves_what_a_newer_version_wrote(
    server: FakeKubernetes, kube: Kube
) -> None:
    old = {"progress": {"stage": "train", "percent": 5, "eta": "soon"}, "novelty": 1, "stageText": "Training"}
    await kube.set_status(KEY, {**old, "progressText": "5%"}, version(server))
    head = parse_head(server.objects[PATH])
    await kube.set_status(
        KEY, changed_status(head, ProfileRequestStatus(stage_text="Finishing")), head.resource_version
    )
    status = server.objects[PATH]["status"]
    assert "progress" not in status
    assert (status["stageText"], status["novelty"], status["progressText"]) == ("Finishing", 1, "")
    assert ProfileRequestStatus.model_validate(status) == ProfileRequestStatus(stage_text="Finishing")


async def test_a_status_that_cannot_be_read_is_written_anew(server: FakeKubernetes, kube: Kube) -> None:
    await kube.set_status(KEY, {"conditions": "none", "adapter": 7, "phase": "Odd"}, version(server))
    head = parse_head(server.objects[PATH])
    new = ProfileRequestStatus(progress=Progress(stage="train", percent=1))
    await kube.set_status(KEY, changed_status(head, new), head.resource_version)
    assert server.objects[PATH]["status"] == new.document()


async def test_every_write_names_its_manager(server: FakeKubernetes, kube: Kube) -> None:
    metadata = {"name": "a", "namespace": "hr"}
    await kube.create_job({"metadata": metadata, "spec": {}})
    await kube.create_event({"metadata": metadata})
    await kube.create_secret({"metadata": metadata, "data": {"x": "eA=="}})
    await kube.set_finalizers(KEY, ["other/one", "profilestudio.io/purge"], version(server))
    await kube.set_status(KEY, {"stageText": "a"}, version(server))
    managers = {call.query.get("fieldManager") for call in server.calls if call.method != "GET"}
    assert managers == {"profile-operator"}
    assert len(server.calls) == 5


async def test_a_job_is_gone_when_its_pods_are(server: FakeKubernetes, kube: Kube) -> None:
    server.put(JOBS.format("hr"), {"metadata": {"name": "a"}, "spec": {}})
    labels = {"batch.kubernetes.io/job-name": "a"}
    server.put("/api/v1/namespaces/hr/pods", {"metadata": {"name": "a-1", "labels": labels}})
    await kube.delete_job("hr", "a")
    assert (await kube.job("hr", "a"))["metadata"]["deletionTimestamp"]
    server.end_pods("a")
    with pytest.raises(ResourceNotFound):
        await kube.job("hr", "a")
    await kube.delete_job("hr", "a")


async def test_a_secret_is_looked_at_without_being_read(server: FakeKubernetes, kube: Kube) -> None:
    assert await kube.secret_uid("hr", "a") == ""
    secret = server.put(SECRETS.format("hr"), {"metadata": {"name": "a"}, "data": {"x": "eA=="}})
    before = secret["metadata"]["resourceVersion"]
    assert await kube.secret_uid("hr", "a") == secret["metadata"]["uid"]
    assert server.objects[f"{SECRETS.format('hr')}/a"]["metadata"]["resourceVersion"] == before
    assert [(call.method, call.query) for call in server.calls] == [("DELETE", {"dryRun": "All"})] * 2


async def test_a_secret_is_deleted_only_as_the_one_that_was_seen(server: FakeKubernetes, kube: Kube) -> None:
    secret = server.put(SECRETS.format("hr"), {"metadata": {"name": "a"}})
    with pytest.raises(ResourceConflict):
        await kube.delete_secret("hr", "a", "another")
    assert f"{SECRETS.format('hr')}/a" in server.objects
    await kube.delete_secret("hr", "a", secret["metadata"]["uid"])
    assert f"{SECRETS.format('hr')}/a" not in server.objects
    await kube.delete_secret("hr", "a", secret["metadata"]["uid"])


async def test_what_fails_is_told_apart(server: FakeKubernetes, kube: Kube) -> None:
    with pytest.raises(ResourceNotFound):
        await kube.request(Key("hr", "nobody"))
    server.refuse("POST", "/jobs", 403, "jobs.batch is forbidden: exceeded quota: team")
    with pytest.raises(ApiError, match="403: jobs") as refusal:
        await kube.create_job({"metadata": {"name": "a", "namespace": "hr"}})
    assert refusal.value.status == 403
    server.refuse("GET", "/clusterprofilestyles", 500, "x" * 5000)
    with pytest.raises(ApiError) as long:
        await kube.cluster_styles()
    assert len(str(long.value)) < 400


async def test_a_list_holds_names_and_finalizers(server: FakeKubernetes, kube: Kube) -> None:
    server.put(REQUESTS.format("lab"), {"metadata": {"name": "sora"}, "status": {"stageText": "Training"}})
    (sora,) = await kube.listed_requests(["lab"])
    assert (sora.key, sora.metadata.finalizers) == (Key("lab", "sora"), ())
    everybody = {request.key.name: request for request in await kube.listed_requests([])}
    assert everybody.keys() == {"minji", "sora"}
    assert everybody["minji"].metadata.finalizers == ("other/one",)


async def test_jobs_of_another_request_are_not_listed(server: FakeKubernetes, kube: Kube) -> None:
    for name, request in (("a", "minji"), ("b", "sora")):
        server.put(JOBS.format("hr"), {"metadata": {"name": name, "labels": {"profilestudio.io/request": request}}})
    assert [job["metadata"]["name"] for job in await kube.jobs(KEY)] == ["a"]


def test_no_proxy_stands_before_the_api_server_of_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    settings = without_proxy(client.Configuration(host="https://10.0.0.1:443"))
    assert settings.proxy is None
    assert settings.client_session_kwargs == {"trust_env": False}


def test_from_outside_the_environments_proxy_is_taken_unless_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,.internal")
    assert with_proxy(client.Configuration(host="https://api.example.com:6443")).proxy == "http://proxy:3128"
    assert with_proxy(client.Configuration(host="https://10.1.2.3:6443")).proxy is None
    assert with_proxy(client.Configuration(host="https://api.internal")).proxy is None


async def test_the_kubelet_is_answered_on_both_kinds_of_addresses() -> None:
    well = True
    health = HealthServer(lambda: well)
    with closing(listen(0)) as free:
        port = free.getsockname()[1]
    await health.start(port)
    for host in ["127.0.0.1", *(["[::1]"] if socket.has_dualstack_ipv6() else [])]:
        async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}/healthz") as answer:
            assert answer.status == 200
    well = False
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/healthz") as answer:
        assert answer.status == 500
    await health.stop()


async def test_events_are_posted(server: FakeKubernetes, kube: Kube) -> None:
    await kube.create_event({"metadata": {"name": "a", "namespace": "hr"}, "message": "m"})
    assert [event["message"] for event in server.events("hr")] == ["m"]
    assert server.named(EVENTS.format("hr")).keys() == {"a"}
