"""The operator on a real cluster: killed in the middle of every stage, and with each of the services away."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from product import Product, Request, Space, named_styles, pictures_in, wait_for
from profile_contract.stages.table import Stage
from profile_runtime.store.port import StoreError
from profile_runtime.store.s3 import open_s3
from profile_sandbox.kubectl import Kubectl

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]
SERVICES = "profile-services"
OPERATOR = "app.kubernetes.io/component=operator"
HISTORY = "app.kubernetes.io/component=history"
# Long enough in each stage to be killed in its middle.
SPEC: dict[str, Any] = {"candidates": 5, "portraits": 1, "training": {"steps": 4, "rank": 4}}
RETRY = "profilestudio.io/retry"
# A service that was away is found again only when every rule of the network says so.
ASK = """
import json, os, psycopg2, sys, time
for _ in range(30):
    try:
        connection = psycopg2.connect(os.environ["PROFILE_DATABASE"], connect_timeout=5)
        break
    except psycopg2.OperationalError:
        time.sleep(1)
with connection, connection.cursor() as cursor:
    cursor.execute(sys.argv[1], sys.argv[2:])
    print(json.dumps(cursor.fetchall() if cursor.description else []))
"""


@dataclass(frozen=True)
class Operated:
    """A request whose operator can be killed and whose services can be taken away."""

    product: Product
    space: Space
    request: Request

    def leader(self) -> str:
        """The operator's pod that works, by its Lease; empty where nobody holds it."""
        lease = self.product.kubectl.get("-n", self.product.release_namespace, "lease", "profile-studio-operator")
        return str(lease["spec"].get("holderIdentity", "")).rpartition("-")[0]

    def kill_operator(self) -> None:
        """Kill the operator's pod that works without a word: the other one takes over."""
        namespace = self.product.release_namespace
        self.product.kubectl.run(
            "-n", namespace, "delete", "pod", self.leader(), "--grace-period=0", "--force", "--wait=false"
        )

    def stage_text(self) -> str:
        """What the STAGE column says."""
        return self.request.status.stage_text

    def has_begun(self, stage: str) -> bool:
        """Whether a stage runs, by its words. That finishing runs is told with its end, where that comes soon."""
        if stage == "Finishing":
            return any(_stage_of(job) == "finish" for job in self.request.jobs())
        return self.stage_text() == stage

    def digest(self, stage: Stage) -> str:
        """The digest that the status tells for a stage."""
        stages = self.request.status.stages
        entry = getattr(stages, stage.value) if stages else None
        return entry.digest if entry else ""

    def python(self, *arguments: str) -> str:
        """Run Python in the history's pod, as the history."""
        namespace = self.product.release_namespace
        pods = self.product.kubectl.get("-n", namespace, "pods", "-l", HISTORY)["items"]
        running = [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        return self.product.kubectl.run("-n", namespace, "exec", running[0], "--", "python", *arguments)

    def sql(self, query: str, *values: str) -> list[list[Any]]:
        """Ask the product's database."""
        found: list[list[Any]] = json.loads(self.python("-c", ASK, query, *values))
        return found

    @contextlib.contextmanager
    def away(self, *services: str) -> Iterator[None]:
        """These services answer nobody; what they hold stays. The operator starts anew, without open connections."""
        kubectl = self.product.kubectl
        before = {name: kubectl.get("-n", SERVICES, "service", name)["spec"]["selector"] for name in services}
        try:
            for name in services:
                _select(kubectl, name, {"nobody": "home"})
            self.kill_operator()
            yield
        finally:
            for name, selector in before.items():
                _select(kubectl, name, selector)


def _select(kubectl: Kubectl, service: str, selector: dict[str, str]) -> None:
    patch = [{"op": "replace", "path": "/spec/selector", "value": selector}]
    kubectl.run("-n", SERVICES, "patch", "service", service, "--type=json", "-p", json.dumps(patch))


@pytest.fixture(scope="module")
def operated(product: Product, people: Path) -> Iterator[Operated]:
    """One person's request; the first test takes it to its end, the others go on from there."""
    if os.environ.get("PROFILE_STORE"):
        pytest.skip("takes services away: for the sandbox, not for somebody's own cluster")
    with product.space() as space:
        space.upload(pictures_in(people / "p00060"))
        yield Operated(product, space, space.request(**SPEC))


def _stage_of(job: dict[str, Any]) -> str:
    """The stage whose Job this is."""
    return str(job["metadata"]["labels"]["profilestudio.io/stage"])


def test_killed_in_the_middle_of_every_stage_it_ends_the_same_without_a_second_job(operated: Operated) -> None:
    for stage in ("Preprocessing", "Training", "Generating", "Finishing"):
        wait_for(lambda stage=stage: operated.has_begun(stage), 600, f"{stage} begins")  # type: ignore[misc]
        leader = operated.leader()
        operated.kill_operator()
        # Fifteen seconds from its last renewal, which was up to two before, and the moment until somebody looks.
        wait_for(lambda leader=leader: operated.leader() not in ("", leader), 22, "the other takes over")  # type: ignore[misc]
    operated.request.wait("Ready", seconds=300)
    jobs = operated.request.jobs()
    assert sorted(map(_stage_of, jobs)) == ["finish", "preprocess", "train"]
    assert len(operated.request.pods()) == 3, "no stage was run twice"
    made = operated.space.made()
    assert len([key for key in made if "/candidates/" in key and key.endswith(".png")]) == 6
    assert len(operated.request.status.portraits) == 1


def test_credentials_of_a_job_reach_its_inputs_and_its_own_output_only(operated: Operated) -> None:
    space = operated.space
    uid = operated.request.document()["metadata"]["uid"]
    secret = space.kubectl.get("-n", space.name, "secret", f"{operated.request.name}-finish-{uid}")["data"]
    variables = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    account = {name: base64.b64decode(secret[name]).decode() for name in variables}
    base_url = space.store._client._base_url  # the address of the forwarded port
    store = open_s3(f"s3://{space.store._bucket}?endpoint={base_url.host}&secure=false", account)
    area = f"{space.area}requests/{operated.request.name}/"
    dataset = f"{area}dataset/{operated.digest(Stage.PREPROCESS)}/report.json"
    output = f"{area}portraits/{operated.digest(Stage.FINISH)}/"
    assert store.read(dataset)
    assert store.list(output)
    for foreign in (f"{space.area}uploads/person/00.jpg", operated.request.status.adapter or ""):
        with pytest.raises(StoreError, match="AccessDenied"):
            store.read(foreign)
    for forbidden in (dataset, f"{space.area}uploads/person/00.jpg", "elsewhere/requests/x/portraits/y/z"):
        with pytest.raises(StoreError, match="AccessDenied"):
            store.write(forbidden, b"x")
    with pytest.raises(StoreError, match="AccessDenied"):
        store.list("")


def test_the_store_away_is_told_and_passes(operated: Operated) -> None:
    before = operated.request.job_uids()
    with operated.away("minio"):
        # What was delivered stays ready; what is asked for anew waits, and says for what.
        condition = operated.request.condition("Ready")
        assert condition is not None
        assert condition.status == "True"
        operated.request.patch({"layouts": ["resume"]})
        condition = operated.request.wait("Ready", status="False", reason="StoreUnavailable", seconds=120)
        assert "cannot be reached" in condition.message
        reconciling = operated.request.condition("Reconciling")
        assert reconciling is not None
        assert reconciling.status == "True"
        assert operated.request.status.portraits, "what was delivered is still told"
    operated.request.wait("Ready", seconds=120)
    after = operated.request.job_uids()
    assert {name for name in set(after) - set(before) if "-finish-" not in name} == set()
    assert before.items() <= after.items()


def test_the_history_is_rebuilt_from_the_store(operated: Operated) -> None:
    query = "SELECT DISTINCT stage FROM stages WHERE namespace = %s ORDER BY stage"
    operated.sql("TRUNCATE stages")
    assert operated.sql(query, operated.space.name) == []
    operated.python("-m", "profile_history", "rebuild")
    assert operated.sql(query, operated.space.name) == [["finish"], ["generate"], ["preprocess"], ["train"]]


def test_a_predictor_that_is_away_is_told_and_waited_for(operated: Operated) -> None:
    kubectl, away = operated.product.kubectl, {"name": "away", "namespace": operated.space.name}
    document = kubectl.get("cpstyle", "studio-warm")
    trained = operated.digest(Stage.TRAIN)
    try:
        spec = {**document["spec"], "predictor": "nobody-serves-this"}
        kubectl.apply(json.dumps({**document, "kind": "ProfileStyle", "metadata": away, "spec": spec}))
        operated.request.patch({"styles": [{"name": "away", "kind": "ProfileStyle"}]})
        condition = operated.request.wait("Ready", status="False", reason="PredictorUnavailable", seconds=120)
        assert "nobody-serves-this" in condition.message
        stalled = operated.request.condition("Stalled")
        assert stalled is not None
        assert stalled.status == "False"
        served = json.dumps({"spec": {"predictor": "profile-predictor"}})
        kubectl.run("-n", away["namespace"], "patch", "pstyle", "away", "--type=merge", "-p", served)
        # It is drawn as it was resolved until somebody asks for the style's new content.
        outdated = operated.request.wait("Outdated", reason="PlatformChanged", seconds=60)
        assert "the content of the style pstyle/away changed" in outdated.message
        operated.request.patch({"styles": [{"name": "away", "kind": "ProfileStyle", "refresh": 1}]})
        operated.request.wait("Ready", seconds=240)
        assert operated.digest(Stage.TRAIN) == trained
    finally:
        operated.request.patch({"styles": named_styles("studio-warm")})


def test_suspend_stops_the_pod_and_a_changed_mind_costs_no_second_training(operated: Operated) -> None:
    request = operated.request
    request.wait("Ready", seconds=240)
    before = request.job_uids()
    request.patch({"training": {"steps": 400, "rank": 4}})
    name = wait_for(lambda: next(iter(set(request.job_uids()) - set(before)), ""), 60, "a new training Job")
    wait_for(lambda: [pod for pod in request.pods() if _belongs(pod, name)], 60, "its pod")
    request.patch({"suspend": True})
    request.wait("Ready", status="False", reason="Suspended", seconds=60)
    wait_for(lambda: not [pod for pod in request.pods() if _belongs(pod, name)], 90, "its pod goes")
    wait_for(lambda: name not in request.job_uids(), 60, "its Job goes")
    request.patch({"suspend": False, "training": {"steps": 4, "rank": 4}})
    request.wait("Ready", seconds=60)
    assert name not in request.job_uids()
    assert {job: uid for job, uid in request.job_uids().items() if "-finish-" not in job} == {
        job: uid for job, uid in before.items() if "-finish-" not in job
    }


def _belongs(pod: dict[str, Any], job: str) -> bool:
    return bool(pod["metadata"]["labels"].get("batch.kubernetes.io/job-name") == job)


def test_a_retry_annotation_looks_again_once(operated: Operated, people: Path) -> None:
    space = operated.space
    space.upload(pictures_in(people / "p900055", 3), "uploads/few/")
    request = space.request("few", photos={"prefix": "uploads/few/"})
    request.wait("Stalled", reason="TooFewUsablePhotos", seconds=180)
    before = request.job_uids()
    space.kubectl.run("-n", space.name, "annotate", "preq", "few", f"{RETRY}=once")
    wait_for(lambda: set(request.job_uids().values()) - set(before.values()), 60, "the stage runs once more")
    request.wait("Stalled", reason="TooFewUsablePhotos", seconds=180)
    again = request.job_uids()
    assert list(again) == list(before)
    assert request.status.last_handled_retry == "once"
    # Many statuses were written since: what somebody applied is still theirs to take away.
    shown = space.kubectl.run("-n", space.name, "get", "preq", "few", "-o", "json", "--show-managed-fields")
    managed = json.loads(shown)["metadata"]["managedFields"]
    owned = [entry["fieldsV1"].get("f:metadata", {}) for entry in managed if "subresource" not in entry]
    assert any(RETRY in json.dumps(fields) for fields in owned)
    managers = {entry["manager"] for entry in managed}
    assert "profile-operator" in managers
    assert "OpenAPI-Generator" not in managers
    request.delete()


def test_a_secret_that_somebody_deletes_is_made_anew(operated: Operated) -> None:
    space = operated.space
    request = space.request("held", photos={"prefix": "uploads/few/"}, training={"steps": 4, "rank": 4})
    name = f"held-preprocess-{request.document()['metadata']['uid']}"
    wait_for(lambda: space.kubectl.run("-n", space.name, "get", "secret", name, "--ignore-not-found"), 60, "its Secret")
    space.kubectl.run("-n", space.name, "delete", "secret", name)
    request.wait("Stalled", reason="TooFewUsablePhotos", seconds=240)
    request.delete()


def test_deletion_waits_for_the_store_and_says_so(operated: Operated) -> None:
    """Last of this module: the request is gone after it."""
    request, space = operated.request, operated.space
    assert space.made()
    with operated.away("minio"):
        space.kubectl.run("-n", space.name, "delete", "preq", request.name, "--wait=false")
        wait_for(lambda: operated.stage_text() == "Deleting", 120, "the status tells that deleting waits")
        condition = request.condition("Ready")
        assert condition is None or condition.reason == "Deleting"
    wait_for(lambda: not _exists(space, request.name), 180, "the request goes")
    assert space.made() == []


def _exists(space: Space, name: str) -> bool:
    return bool(space.kubectl.run("-n", space.name, "get", "preq", name, "--ignore-not-found").strip())
