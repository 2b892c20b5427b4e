"""`kubectl profile create`: nothing is sent that would be refused, and nothing is left of what could not be made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fake_api import FakeApi
from plugin_world import JPEG, Bucket, Call, folder
from profile_cli.terminal import Terminal

REQUESTS = "/apis/profilestudio.io/v1alpha1/namespaces/hr/profilerequests"


# --- create ------------------------------------------------------------------------------------------------------


def test_a_request_is_made_with_its_photos_which_go_with_it(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path
) -> None:
    said = call("create", "minji", folder(tmp_path), "--noun", "woman")
    assert "6 files: all taken" in said
    assert "6 photos stand under hr.1a2b3c4d-5e6f/uploads/minji/ (6 new)" in said
    assert len(store.names()) == 6
    made = api.requests["hr", "minji"]
    assert made["spec"]["photos"] == {"prefix": "uploads/minji/", "deletionPolicy": "Delete"}
    # Asked before anything is sent.
    assert [one for one in api.calls if "POST" in one] == [f"POST dry {REQUESTS}", f"POST {REQUESTS}"]


@pytest.mark.parametrize(("answer", "noun"), [("woman", "woman"), ("Man", "man"), ("", "person"), (None, "person")])
def test_who_creates_is_asked_who_is_in_the_photos(  # noqa: PLR0917
    call: Call, api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str | None, noun: str
) -> None:
    monkeypatch.setattr(Terminal, "ask", lambda *_: answer)
    said = call("create", "minji", folder(tmp_path))
    assert api.requests["hr", "minji"]["spec"].get("subject", {}).get("noun", "person") == noun
    assert ("nobody said who is in the photos" in said) == (answer is None)


def test_an_answer_that_is_no_noun_sends_nothing(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Terminal, "ask", lambda *_: "dog")
    assert "'dog' is none of person, woman, man" in call("create", "minji", folder(tmp_path), code=1)
    assert (store.names(), api.requests) == ([], {})


def test_a_taken_name_replaces_nothing(call: Call, api: FakeApi, store: Bucket, tmp_path: Path) -> None:
    before = api.request("minji")
    store.write("hr.1a2b3c4d-5e6f/uploads/minji/mine.jpg", b"mine")
    # Two photos are too few for a new request, and meant for this one.
    for photos in (folder(tmp_path, 2, name="two"), folder(tmp_path)):
        said = call("create", "minji", photos, code=1)
        assert "already exists" in said
        assert "kubectl profile add minji" in said
    assert store.names() == ["mine.jpg"]
    assert api.requests == {("hr", "minji"): before}
    assert not [one for one in api.calls if one.startswith(("PATCH", "PUT"))]


@pytest.mark.parametrize(
    ("words", "denied", "said"),
    [
        (["-n", "nosuch"], "", 'namespaces "nosuch" not found'),
        ([], "POST", "is forbidden"),
        (["--style", "studio-wram"], "", "there is no style studio-wram: this cluster offers studio-cool, studio-warm"),
    ],
)
def test_what_the_api_would_refuse_is_sent_nowhere(  # noqa: PLR0917
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path, words: list[str], denied: str, said: str
) -> None:
    api.denied = {denied} - {""}
    assert said in call("create", "minji", folder(tmp_path), *words, code=1)
    assert store.list("") == []
    assert api.requests == {}


@pytest.mark.parametrize("name", ["Bob_X", "-bob", "bob.", "a" * 41, "b..b", "민지", "../x", "", "a\n", "a/b"])
def test_a_name_that_the_api_would_refuse_is_said_before_anybody_is_asked(
    call: Call, api: FakeApi, tmp_path: Path, name: str
) -> None:
    assert "cannot be a request's name" in call("create", "--", name, folder(tmp_path), code=1)
    assert api.calls == []


@pytest.mark.parametrize("name", ["minji", "a", "a-b.c", "a" * 40, "0"])
def test_a_name_that_the_api_takes_is_taken(call: Call, api: FakeApi, tmp_path: Path, name: str) -> None:
    call("create", name, folder(tmp_path))
    assert ("hr", name) in api.requests


@pytest.mark.parametrize(("count", "fine"), [(4, False), (5, True), (20, True), (21, False)])
def test_a_request_takes_five_to_twenty_photos(  # noqa: PLR0917
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path, count: int, fine: bool
) -> None:
    said = call("create", "minji", folder(tmp_path, count), code=0 if fine else 1)
    assert bool(api.requests) is fine
    assert len(store.names()) == (count if fine else 0)
    if not fine:
        assert f"5 to 20 photos of one person, and these are {count}" in said
        call("create", "minji", folder(tmp_path, count), "--any-number")
        assert len(store.names()) == count


def test_a_request_that_could_not_be_made_leaves_no_photos(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path
) -> None:
    api.fails_for_real = {"POST"}
    assert "is forbidden" in call("create", "minji", folder(tmp_path), code=1)
    assert store.list("") == []


def test_a_store_that_refuses_is_said_with_what_to_check(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path
) -> None:
    store.broken = "write"
    said = call("create", "minji", folder(tmp_path), code=1)
    assert "https://store.example, bucket profiles answered AccessDenied" in said
    assert "NAMESPACE.ID/uploads/" in said
    assert api.requests == {}


def test_a_broken_upload_goes_on_where_it_stopped(call: Call, api: FakeApi, store: Bucket, tmp_path: Path) -> None:
    photos = folder(tmp_path)
    store.write("hr.1a2b3c4d-5e6f/uploads/minji/0.jpg", JPEG + b"0")
    assert "(5 new)" in call("create", "minji", photos)


def test_photos_of_a_former_request_are_not_mixed_in(call: Call, api: FakeApi, store: Bucket, tmp_path: Path) -> None:
    store.write("hr.1a2b3c4d-5e6f/uploads/minji/somebody.jpg", b"else")
    said = call("create", "minji", folder(tmp_path), code=1)
    assert "1 photos of a former request stand under hr.1a2b3c4d-5e6f/uploads/minji/" in said
    assert store.names() == ["somebody.jpg"]
    call("create", "minji", folder(tmp_path), "--replace-leftovers")
    assert store.names() == [f"{number}.jpg" for number in range(6)]


@pytest.mark.parametrize("prefix", ["uploads/minji/", "uploads/minji/deeper/"])
def test_another_requests_photos_are_left_alone(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path, prefix: str
) -> None:
    api.request("other", photos={"prefix": prefix})
    said = call("create", "minji", folder(tmp_path), "--replace-leftovers", code=1)
    assert "belongs to the request other" in said
    assert store.list("") == []


def test_a_photo_to_draw_over_is_named_as_it_lies_in_the_folder(call: Call, api: FakeApi, tmp_path: Path) -> None:
    call("create", "minji", folder(tmp_path), "--source", "3.jpg")
    assert api.requests["hr", "minji"]["spec"]["source"] == "3.jpg"
    assert "training" not in api.requests["hr", "minji"]["spec"]
    call("create", "junho", folder(tmp_path), "--source", str(tmp_path / "elsewhere" / "2.jpg"), "--preview")
    assert api.requests["hr", "junho"]["spec"]["source"] == "2.jpg"
    assert api.requests["hr", "junho"]["spec"]["training"] == {"mode": "None"}


def test_a_photo_to_draw_over_that_is_not_there_is_said_before_anything_is_sent(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path
) -> None:
    said = call("create", "minji", folder(tmp_path), "--source", "9.jpg", code=1)
    assert "--source 9.jpg is none of the photos: 0.jpg, 1.jpg" in said
    assert (api.requests, store.list("")) == ({}, [])


def test_a_name_that_begins_like_anothers_is_another(call: Call, api: FakeApi, tmp_path: Path) -> None:
    api.request("minji-2")
    call("create", "minji", folder(tmp_path))


def test_a_script_is_told_the_name_alone(
    call: Call, api: FakeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "profilerequest.profilestudio.io/minji\n"
    assert call("create", "minji", folder(tmp_path), "-o", "name", "--dry-run") == name
    assert api.requests == {}
    assert call("create", "minji", folder(tmp_path), "-o", "name") == name
    assert "leave -o name out" in call("create", "junho", folder(tmp_path), "-o", "name", "--watch", code=1)
    assert [request for _, request in api.requests] == ["minji"]


# --- dry runs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", [["--dry-run"], ["--dry-run=client"], ["--dry-run=server"], ["--dry-run", "server"]])
def test_a_dry_run_prints_the_request_and_changes_nothing(
    call: Call, api: FakeApi, store: Bucket, tmp_path: Path, option: list[str]
) -> None:
    document = json.loads(call("create", *option, "minji", folder(tmp_path)))
    assert document["metadata"]["name"] == "minji"
    assert document["metadata"]["namespace"] == "hr"
    assert api.requests == {}
    assert store.list("") == []
    assert [one for one in api.calls if one.startswith("POST")] == (
        [f"POST dry {REQUESTS}"] if "server" in str(option) else []
    )


@pytest.mark.parametrize("option", ["--dry-run=client", "--dry-run=server"])
def test_a_dry_run_tells_what_is_wrong(call: Call, api: FakeApi, tmp_path: Path, option: str) -> None:
    photos = folder(tmp_path)
    assert "nowhere does not exist" in call("create", "minji", str(tmp_path / "nowhere"), option, code=1)
    assert "cannot be a request's name" in call("create", "Bob_X", photos, option, code=1)
    assert "there is no style nosuch" in call("create", "minji", photos, "--style", "nosuch", option, code=1)
    assert "5 to 20 photos" in call("create", "minji", folder(tmp_path, 3, name="few"), option, code=1)
    assert "--layouts Passport" in call("create", "minji", photos, "--layouts", "Passport", option, code=1)
    assert "--portraits 99: Input should be less than or equal to 16" in call(
        "create", "minji", photos, "--portraits", "99", option, code=1
    )


def test_a_dry_run_of_the_server_tells_a_taken_name(call: Call, api: FakeApi, tmp_path: Path) -> None:
    api.request("minji")
    assert "already exists" in call("create", "minji", folder(tmp_path), "--dry-run=server", code=1)


def test_styles_that_may_not_be_listed_are_the_operators_to_judge(call: Call, api: FakeApi, tmp_path: Path) -> None:
    api.denied = {"clusterprofilestyles"}
    call("create", "minji", folder(tmp_path), "--style", "mine")
    assert api.requests["hr", "minji"]["spec"]["styles"] == [{"name": "mine"}]


# --- delete ------------------------------------------------------------------------------------------------------


def test_a_namespaces_own_style_is_named_by_its_kind(call: Call, api: FakeApi, tmp_path: Path) -> None:
    api.own_styles = [("hr", "blue"), ("sales", "green")]
    call("create", "minji", folder(tmp_path), "--style", "pstyle/blue", "--style", "studio-warm")
    assert api.requests["hr", "minji"]["spec"]["styles"] == [
        {"name": "blue", "kind": "ProfileStyle"},
        {"name": "studio-warm"},
    ]
    said = call("create", "junho", folder(tmp_path), "--style", "pstyle/green", code=1)
    assert "there is no style pstyle/green: this cluster offers studio-cool, studio-warm, pstyle/blue" in said
    assert "--style" in call("create", "junho", folder(tmp_path), "--style", "team/blue", code=1)
