"""Areas: a namespace that was made anew is another one, and one that may not be seen any more is remembered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from areas import NAMESPACE_UID, area
from fake_kubernetes import NAMESPACES, FakeKubernetes
from operator_world import World
from profile_contract.areas import area_of
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.resource import RequestHead
from profile_operator.observe import areas as module
from profile_operator.observe.areas import Areas
from profile_runtime.kubernetes.errors import Forbidden

OTHER_UID = "ffffffff-5e6f-4a7b-8c9d-0e1f2a3b4c5d"


def head(uid: str, told: str = "") -> RequestHead:
    return replace(World().head, uid=uid, status=ProfileRequestStatus(area=told))


async def test_a_namespace_made_anew_under_an_old_name_sees_nothing_of_the_old_one() -> None:
    server = FakeKubernetes()
    async with server.kube() as kube:
        known = Areas(kube, "profile/a/")
        assert await known.of(head("u1")) == area_of("hr", NAMESPACE_UID, "profile/a/")
        server.put(NAMESPACES, {"metadata": {"name": "hr", "uid": OTHER_UID}})
        # What its status tells is not believed: it may come from a backup.
        told = area_of("hr", NAMESPACE_UID, "profile/a/")
        assert await known.of(head("u2", told)) == area_of("hr", OTHER_UID, "profile/a/")


async def test_a_namespace_is_asked_about_once_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 2)
    server = FakeKubernetes()
    async with server.kube() as kube:
        known = Areas(kube, "")
        for _ in range(3):
            await known.of(head("u1"))
        assert len(server.calls) == 1
        for uid in ("u2", "u3", "u1"):
            await known.of(head(uid))
        assert len(server.calls) == 4


async def test_what_is_left_of_a_request_is_found_when_its_namespace_may_not_be_seen() -> None:
    server = FakeKubernetes()
    server.refuse("GET", NAMESPACES, 403, "no RoleBinding any more", reason="Forbidden", times=9)
    async with server.kube() as kube:
        known = Areas(kube, "")
        assert await known.left_by(head("u1", area())) == area()
        for told in ("", area("finance"), "hr/"):
            with pytest.raises(Forbidden):
                await known.left_by(head("u1", told))
        with pytest.raises(Forbidden):
            await known.of(head("u1", area()))
