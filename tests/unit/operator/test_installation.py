"""Installations: the first serves a request, others keep off, and a person or the values hand it over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fake_kubernetes import REQUESTS
from operator_world import CONFIG, KEY, World
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.resource import INSTALLATION_ANNOTATION, RequestHead
from profile_operator.decide.installation import served_by_another
from profile_runtime.kubernetes.errors import ResourceConflict
from real_operator import real_operator

OURS = "profile-system/profile-studio"
CLAIMING = CONFIG.model_copy(update={"installation": OURS})


def head(holder: str = "", handed_to: str = "") -> RequestHead:
    return replace(World().head, status=ProfileRequestStatus(installation=holder), handed_to=handed_to)


@pytest.mark.parametrize(
    ("holder", "handed_to", "formerly", "another"),
    [
        ("", "", [], ""),
        (OURS, "", [], ""),
        ("lab/other", "", [], "lab/other"),
        ("lab/other", "", ["lab/other"], ""),
        ("lab/other", OURS, [], ""),
        (OURS, "lab/other", [], "lab/other"),
        ("", "lab/other", [], "lab/other"),
        ("", "lab/other", ["lab/other"], ""),
    ],
)
def test_who_serves_a_request(holder: str, handed_to: str, formerly: list[str], another: str) -> None:
    config = CLAIMING.model_copy(update={"formerly": formerly})
    assert served_by_another(head(holder, handed_to), config) == another


async def test_the_first_look_claims_a_request_before_anything_is_done_for_it() -> None:
    async with real_operator(CLAIMING) as operator:
        await operator.cycle()
        assert operator.status.installation == OURS
        writes = [call.path for call in operator.server.writes()]
        assert writes[0].endswith("/status")
        assert any("/jobs" in path for path in writes[1:])


async def test_who_comes_second_makes_nothing() -> None:
    """Both have read the request before either wrote: the conditional write of the status lets one of them on."""
    async with real_operator(CLAIMING) as operator:
        before = operator.head
        await operator.cycle()
        calls = len(operator.server.writes())
        plan = operator.server.writes()[0]
        with pytest.raises(ResourceConflict):
            await operator.kube.set_status(KEY, plan.body["status"], before.resource_version)
        assert len(operator.server.writes()) == calls + 1


async def test_another_installations_request_is_not_touched_and_that_is_said_once() -> None:
    async with real_operator(CLAIMING) as operator:
        document = operator.server.objects[f"{REQUESTS.format(KEY.namespace)}/{KEY.name}"]
        document["status"] = {"installation": "lab/other"}
        for _ in range(3):
            assert await operator.reconciler.reconcile(KEY) is None
        assert operator.server.writes() == []
        ((reason, message),) = operator.told
        assert reason == "OtherInstallation"
        assert "lab/other serves the request" in message
        assert f"{INSTALLATION_ANNOTATION}={OURS}" in message
        # A deletion is the other's, too: it alone knows where everything lies.
        document["metadata"] |= {"deletionTimestamp": "2026-01-02T03:04:05Z", "finalizers": ["profilestudio.io/purge"]}
        assert await operator.reconciler.reconcile(KEY) is None
        assert operator.server.writes() == []


async def test_a_person_hands_a_request_over() -> None:
    async with real_operator(CLAIMING) as operator:
        document = operator.server.objects[f"{REQUESTS.format(KEY.namespace)}/{KEY.name}"]
        document["status"] = {"installation": "lab/other"}
        document["metadata"]["annotations"] = {INSTALLATION_ANNOTATION: OURS}
        await operator.reconciler.reconcile(KEY)
        assert operator.status.installation == OURS
        document = operator.server.objects[f"{REQUESTS.format(KEY.namespace)}/{KEY.name}"]
        document["metadata"]["annotations"] = {INSTALLATION_ANNOTATION: "lab/other"}
        calls = len(operator.server.writes())
        await operator.reconciler.reconcile(KEY)
        assert len(operator.server.writes()) == calls


async def test_a_finished_request_that_is_handed_over_is_claimed_and_nothing_else_happens() -> None:
    async with real_operator(CLAIMING) as operator:
        await operator.ready()
        operator.document["status"]["installation"] = "lab/other"
        operator.annotate(INSTALLATION_ANNOTATION, OURS)
        before, calls = dict(operator.document["status"]), len(operator.server.writes())
        for _ in range(3):
            await operator.cycle()
        assert operator.document["status"] == before | {"installation": OURS}
        assert [call.path.rpartition("/")[2] for call in operator.server.writes()[calls:]] == ["status"]
