"""`kubectl profile delete`: what goes with a request, what stays, and that people are told."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from fake_api import FakeApi
from plugin_world import Bucket, Call, folder
from profile_cli.cluster import Cluster, Unreachable
from profile_cli.observed import ObservedRequest
from profile_cli.plugin import deletion


def test_a_request_goes_with_the_photos_that_were_uploaded_for_it(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path
) -> None:
    call("create", "minji", folder(tmp_path))
    assert api.requests["hr", "minji"]["spec"]["photos"]["deletionPolicy"] == "Delete"
    said = call("delete", "minji", "--wait")
    assert "profilerequest hr/minji is gone, with everything that was made for it" in said
    assert "the photos under uploads/minji/ are gone, too" in said
    assert "stay" not in said
    assert api.requests == {}


def test_photos_can_be_kept(call: Call, api: FakeApi, store: Bucket, tmp_path: Path) -> None:
    call("create", "minji", folder(tmp_path))
    request = api.requests["hr", "minji"]
    document = json.loads(call("delete", "minji", "--keep-photos", "--wait", "-o", "json"))
    # The operator reads what stands there as the request goes.
    assert request["spec"]["photos"]["deletionPolicy"] == "Retain"
    assert (document["gone"], document["photosGo"]) == (True, False)
    assert document["stays"] == ["the photos under uploads/minji/ stay: as --keep-photos says"]


def test_nothing_is_deleted_where_the_photos_could_not_be_kept(call: Call, api: FakeApi) -> None:
    _uploaded(api)
    api.denied.add("PATCH")
    call("delete", "minji", "--keep-photos", code=1)
    assert ("hr", "minji") in api.requests


def _uploaded(api: FakeApi, **spec: Any) -> None:
    api.request("minji", photos={"prefix": "uploads/minji/", "revision": 1, "deletionPolicy": "Delete"}, **spec)


def test_photos_that_others_uploaded_stay_and_are_told(call: Call, api: FakeApi) -> None:
    api.request("minji")
    said = call("delete", "minji")
    assert "is being deleted" in said
    assert "the photos under hr.1a2b3c4d-5e6f/uploads/minji/ stay: spec.photos.deletionPolicy is Retain" in said


def test_photos_that_go_later_are_told_so(call: Call, api: FakeApi) -> None:
    _uploaded(api)
    assert "the photos under hr.1a2b3c4d-5e6f/uploads/minji/ go with it" in call("delete", "minji")


@pytest.mark.parametrize("theirs", ["uploads/minji/", "uploads/minji/deeper/"])
def test_photos_that_another_request_uses_stay(call: Call, api: FakeApi, theirs: str) -> None:
    _uploaded(api)
    api.request("twin", photos={"prefix": theirs})
    api.request("third")
    assert "the request twin uses them, too" in call("delete", "minji")


def test_what_is_retained_is_told(call: Call, api: FakeApi) -> None:
    _uploaded(api, deletionPolicy="Retain")
    said = call("delete", "minji", "--wait")
    assert "what was made stays under hr.1a2b3c4d-5e6f/requests/minji/: deletionPolicy is Retain" in said
    assert "everything that was made" not in said


def test_deletion_is_waited_for_and_not_for_ever(
    call: Call, api: FakeApi, store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    _uploaded(api)
    real = api.answer

    def lingering(method: str, url: str, body: Any, kind: str) -> tuple[int, dict[str, Any]]:
        if method == "DELETE":
            return 200, {}
        return real(method, url, body, kind)

    monkeypatch.setattr(api, "answer", lingering)
    monkeypatch.setattr(deletion, "DELETION_SECONDS", 0.05)
    assert "still there after 0.05 s" in call("delete", "minji", "--wait", code=1)
    assert "is being deleted" in call("delete", "minji")


def test_an_api_server_that_is_away_for_a_moment_does_not_end_the_wait(
    call: Call, api: FakeApi, store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    _uploaded(api)
    asked: list[str] = []
    real = Cluster.request

    def away(cluster: Cluster, namespace: str, name: str) -> ObservedRequest | None:
        asked.append(name)
        if len(asked) == 2:
            raise Unreachable("away")
        return real(cluster, namespace, name)

    monkeypatch.setattr(Cluster, "request", away)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    assert "is gone" in call("delete", "minji", "--wait")
    assert len(asked) == 3
