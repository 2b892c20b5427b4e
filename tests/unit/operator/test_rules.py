"""Rules whose figures matter: what is billed, what is too long or too many, what one may say in a status."""

from __future__ import annotations

from dataclasses import replace

import pytest

import operator_world
from operator_world import CONFIG, World, photo
from profile_contract.conditions import Reason
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.preprocess import Captions
from profile_contract.stages.table import Stage
from profile_operator.decide import decide, outage
from profile_operator.decide.orders import LONGEST_ORDER
from profile_operator.decide.plan import DeleteJob
from profile_operator.observe.jobs import job_view
from profile_operator.observe.snapshot import JobState


@pytest.mark.parametrize(("count", "fine"), [(11, True), (12, True), (13, False)])
def test_as_many_photos_are_taken_as_are_said(count: int, fine: bool) -> None:
    world = World(photos=[photo(f"{number}.jpg") for number in range(count)])
    world.cycle()
    assert (world.condition("Ready")[1] != Reason.TOO_MANY_PHOTOS) is fine
    assert bool(world.created) is fine


@pytest.mark.parametrize(("captions", "fine"), [(Captions.WRITTEN, True), (Captions.DESCRIBED, False)])
def test_captions_beside_photos_are_no_photos(monkeypatch: pytest.MonkeyPatch, captions: Captions, fine: bool) -> None:
    limits = CONFIG.preprocess.model_copy(update={"captions": captions})
    monkeypatch.setattr(operator_world, "CONFIG", CONFIG.model_copy(update={"preprocess": limits}))
    names = [f"{number}{ending}" for number in range(12) for ending in (".jpg", ".txt")]
    world = World(photos=[photo(name) for name in names])
    world.cycle()
    assert (world.condition("Ready")[1] != Reason.TOO_MANY_PHOTOS) is fine


@pytest.mark.parametrize(("likeness", "shown"), [(120, 100), (100, 100), (-120, -100), (37, 37)])
def test_a_likeness_stays_within_what_the_api_takes(likeness: int, shown: int) -> None:
    world = World().run()
    prefix = world.chain.prefix(Stage.FINISH)
    report = world.store[prefix]
    assert isinstance(report, FinishReport)
    portraits = [portrait.model_copy(update={"likeness": likeness}) for portrait in report.portraits]
    world.store[prefix] = report.model_copy(update={"portraits": portraits})
    world.status = ProfileRequestStatus()
    world.cycle()
    assert {portrait.likeness for portrait in world.status.portraits} == {shown}
    assert world.status.best_likeness == shown


@pytest.mark.parametrize("filling", ["x" * 400, "$" * 70])
def test_an_order_that_no_environment_variable_holds_stalls(monkeypatch: pytest.MonkeyPatch, filling: str) -> None:
    many = CONFIG.model_copy(update={"preprocess": CONFIG.preprocess.model_copy(update={"maximum_photos": 500})})
    monkeypatch.setattr(operator_world, "CONFIG", many)
    world = World(photos=[photo(f"{filling}{number}.jpg") for number in range(200)])
    world.cycle()
    assert world.created == []
    assert world.condition("Stalled")[:2] == ("True", Reason.INVALID_SPEC)
    assert f"at most {LONGEST_ORDER}" in world.condition("Stalled")[2]


def test_a_conflict_stalls_and_an_outage_does_not() -> None:
    head = World().head
    for reason, stalls in ((Reason.CONFLICT, True), (Reason.INVALID_SPEC, True), (Reason.API_UNAVAILABLE, False)):
        plan = outage(head, reason, "text", operator_world.NOW)
        assert plan.status is not None
        found = {condition.type: condition.status for condition in plan.status.conditions}
        assert (found["Stalled"] == "True") is stalls
        assert (found["Reconciling"] == "True") is not stalls


def test_only_what_is_ours_and_stays_is_deleted_by_suspending() -> None:
    world = World()
    world.cycle()
    name = world.created[0]
    world.spec = world.spec.model_copy(update={"suspend": True})
    for changes, deleted in (
        ({}, True),
        ({"deleting": True}, False),
        ({"owner_uid": "another"}, False),
        ({"owner_uid": ""}, False),
        ({"state": JobState.SUSPENDED}, True),
        ({"state": JobState.SUCCEEDED}, False),
        ({"state": JobState.FAILED}, False),
    ):
        job = replace(world.jobs[name], **changes)
        plan = decide(world.facts(jobs=(job,)))
        assert (DeleteJob(name) in plan.actions) is deleted


@pytest.mark.parametrize(
    ("limits", "gpus"),
    [
        ({"nvidia.com/gpu": "4", "rdma/hca": "1", "memory": "1Gi"}, 4),
        ({"rdma/hca": "1", "example.com/vnic": "4"}, 0),
        ({"amd.com/gpu": 2}, 2),
        ({"nvidia.com/mig-1g.10gb": "1"}, 1),
        ({"nvidia.com/gpu.shared": "1"}, 1),
        ({"gpu.intel.com/i915": "1", "gpu.intel.com/millicores": "500"}, 1),
        ({"hugepages-2Mi": "4", "cpu": "2"}, 0),
    ],
)
def test_only_gpus_are_counted_as_such_and_those_of_the_stage_alone(limits: dict[str, object], gpus: int) -> None:
    sidecar = {"name": "mesh", "resources": {"limits": {"nvidia.com/gpu": "8"}}}
    containers = [sidecar, {"name": "stage", "resources": {"limits": limits}}]
    metadata = {"name": "j", "labels": {"profilestudio.io/stage": "train"}}
    view = job_view({"metadata": metadata, "spec": {"template": {"spec": {"containers": containers}}}})
    assert view is not None
    assert view.gpus == gpus
