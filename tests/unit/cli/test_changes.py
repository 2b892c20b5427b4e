"""`kubectl profile` add, replace and remove: no photo is lost, and none is left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fake_api import FakeApi
from plugin_world import JPEG, Bucket, Call, folder, revision
from profile_cli.terminal import Terminal


def _standing(api: FakeApi, store: Bucket, count: int = 8) -> None:
    api.request("minji")
    for number in range(count):
        store.write(f"hr.1a2b3c4d-5e6f/uploads/minji/{number}.jpg", JPEG + str(number).encode())


def test_added_photos_stand_beside_the_others_and_are_looked_at(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path
) -> None:
    _standing(api, store)
    said = call("add", "minji", folder(tmp_path, 2, mark="n"))
    assert "2 photos added, 10 in all; they are looked at anew (revision 2)" in said
    assert revision(api) == 2
    assert len(store.names()) == 10
    # The same names, other pictures: none is written over.
    json_said = json.loads(call("add", "minji", folder(tmp_path, 1, mark="", name="other"), "-o", "json"))
    assert json_said == {"namespace": "hr", "name": "minji"}
    (tmp_path / "other" / "0.jpg").write_bytes(JPEG + b"another")
    assert json.loads(call("add", "minji", str(tmp_path / "other"), "-o", "json"))["added"] == ["0-2.jpg"]
    assert store.read("hr.1a2b3c4d-5e6f/uploads/minji/0.jpg") == JPEG + b"0"
    assert revision(api) == 3


def test_adding_what_is_there_raises_nothing(call: Call, api: FakeApi, store: Bucket, tmp_path: Path) -> None:
    _standing(api, store)
    assert "nothing changed" in call("add", "minji", folder(tmp_path, 2))
    assert revision(api) == 1


def test_more_than_twenty_are_not_sent(call: Call, api: FakeApi, store: Bucket, tmp_path: Path) -> None:
    _standing(api, store, 19)
    said = call("add", "minji", folder(tmp_path, 2, mark="n"), code=1)
    assert "there are 19 photos, and 2 more are too many" in said
    assert "remove minji --refused" in said
    assert len(store.names()) == 19
    call("add", "minji", folder(tmp_path, 1, mark="m", name="last"))
    assert len(store.names()) == 20


@pytest.mark.parametrize("verb", ["add", "replace", "remove"])
def test_nothing_changes_where_the_request_may_not_be_changed(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path, verb: str
) -> None:
    _standing(api, store)
    api.denied = {"PATCH"}
    words = ["0.jpg"] if verb == "remove" else [folder(tmp_path, 6, mark="n")]
    assert "is forbidden" in call(verb, "minji", *words, *(["--yes"] if verb == "replace" else []), code=1)
    assert store.names() == [f"{number}.jpg" for number in range(8)]


def test_added_photos_go_when_the_request_could_not_be_told(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path
) -> None:
    _standing(api, store)
    api.fails_for_real = {"PATCH"}
    call("add", "minji", folder(tmp_path, 2, mark="n"), code=1)
    assert len(store.names()) == 8


@pytest.mark.parametrize("others", [1, 3])
def test_a_revision_that_others_raise_at_the_same_time_is_raised_beyond(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path, others: int
) -> None:
    _standing(api, store)
    api.raised_by_others = others
    call("add", "minji", folder(tmp_path, 2, mark="n"))
    assert revision(api) == 2 + others


def test_a_request_without_a_revision_has_its_first_one_raised(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path
) -> None:
    _standing(api, store)
    del api.requests["hr", "minji"]["spec"]["photos"]["revision"]
    call("add", "minji", folder(tmp_path, 2, mark="n"))
    assert revision(api) == 2


def test_replacing_is_asked_for(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _standing(api, store)
    photos = folder(tmp_path, 6, mark="n")
    assert "Delete 8 of the 8 photos of hr/minji? Nobody is here to be asked: --yes" in call(
        "replace", "minji", photos, code=1
    )
    monkeypatch.setattr(Terminal, "ask", lambda *_: "n")
    assert "nothing was changed" in call("replace", "minji", photos, code=1)
    assert (len(store.names()), revision(api)) == (8, 1)
    monkeypatch.setattr(Terminal, "ask", lambda *_: "Yes")
    assert "8 photos deleted, 6 new" in call("replace", "minji", photos)
    assert store.names() == [f"{number}n.jpg" for number in range(6)]
    assert revision(api) == 2


def test_a_photo_that_stays_is_not_sent_again(call: Call, api: FakeApi, store: Bucket, tmp_path: Path) -> None:
    _standing(api, store)
    assert "3 photos deleted, 0 new" in call("replace", "minji", folder(tmp_path, 5), "--yes")
    assert store.names() == [f"{number}.jpg" for number in range(5)]


def test_a_replacement_that_cannot_be_sent_loses_nothing(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path
) -> None:
    _standing(api, store)
    store.broken = "write"
    call("replace", "minji", folder(tmp_path, 6, mark="n"), "--yes", code=1)
    assert (store.names(), revision(api)) == ([f"{number}.jpg" for number in range(8)], 1)


@pytest.mark.parametrize("verb", ["replace", "remove"])
def test_photos_of_several_requests_are_not_taken_from_one(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path, verb: str
) -> None:
    _standing(api, store)
    api.request("twin", photos={"prefix": "uploads/minji/", "revision": 1})
    words = ["0.jpg"] if verb == "remove" else [folder(tmp_path, 6, mark="n"), "--yes"]
    assert "are those of twin, too" in call(verb, "minji", *words, code=1)
    assert len(store.names()) == 8


def test_named_and_refused_photos_are_removed(call: Call, api: FakeApi, store: Bucket) -> None:
    _standing(api, store)
    assert "no photo is called 9.jpg; nothing was deleted" in call("remove", "minji", "1.jpg", "9.jpg", code=1)
    assert "name the photos" in call("remove", "minji", code=1)
    assert (len(store.names()), revision(api)) == (8, 1)
    assert "1 photos deleted, 7 left" in call("remove", "minji", "1.jpg")
    verdicts: list[dict[str, Any]] = [
        {"name": "0.jpg", "accepted": True, "reason": "Accepted"},
        {"name": "1.jpg", "accepted": False, "reason": "Blurred"},
        {"name": "2.jpg", "accepted": False, "reason": "Blurred"},
    ]
    api.requests["hr", "minji"]["status"] = {"photos": {"verdicts": verdicts}}
    assert json.loads(call("remove", "minji", "--refused", "2.jpg", "-o", "json"))["removed"] == ["2.jpg"]
    assert (store.names(), revision(api)) == (["0.jpg", "3.jpg", "4.jpg", "5.jpg", "6.jpg", "7.jpg"], 3)
    assert "no photo was refused" in call("remove", "minji", "--refused")


def test_the_last_photo_is_not_removed(call: Call, api: FakeApi, store: Bucket) -> None:
    _standing(api, store, 2)
    assert "no photo would be left" in call("remove", "minji", "0.jpg", "1.jpg", code=1)
    assert len(store.names()) == 2


def test_photos_that_are_gone_while_the_request_was_not_told_are_said(call: Call, api: FakeApi, store: Bucket) -> None:
    _standing(api, store)
    api.fails_for_real = {"PATCH"}
    assert "raise spec.photos.revision" in call("remove", "minji", "0.jpg", code=1)


@pytest.mark.parametrize("verb", ["add", "replace", "remove", "delete", "photos", "watch", "portraits"])
def test_a_request_that_is_not_there_is_said_with_those_that_are(
    call: Call, api: FakeApi, tmp_path: Path, verb: str
) -> None:
    api.request("other")
    words = {"add": [folder(tmp_path)], "replace": [folder(tmp_path), "--yes"], "remove": ["a.jpg"]}.get(verb, [])
    assert "there is no ProfileRequest hr/minji; there are other" in call(verb, "minji", *words, code=1)
