"""`kubectl profile` create, add, replace, remove and delete: nothing is lost, and nothing is left behind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_api import FakeApi, serving
from profile_cli.cluster import Cluster, Unreachable
from profile_cli.observed import ObservedRequest
from profile_cli.plugin import connection, deletion
from profile_cli.plugin.__main__ import main
from profile_cli.terminal import Terminal
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import StoreError

JPEG = b"\xff\xd8\xff\xe0"
REQUESTS = "/apis/profilestudio.io/v1alpha1/namespaces/hr/profilerequests"

WITH_STORE = ("create", "add", "replace", "remove", "portraits", "doctor")
Call = Callable[..., str]


class Bucket(FolderStore):
    """A store that counts, and breaks when told to."""

    broken = ""

    def write(self, key: str, data: bytes, content_type: str = "") -> None:
        if self.broken == "write":
            raise StoreError("the store refused a.jpg: AccessDenied")
        super().write(key, data, content_type)

    def names(self, prefix: str = "hr.1a2b3c4d-5e6f/uploads/minji/") -> list[str]:
        return [one.key.removeprefix(prefix) for one in self.list(prefix)]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[FakeApi]:
    api = FakeApi()
    with serving(api, tmp_path / "kubeconfig"):
        yield api


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    store = Bucket(tmp_path / "store")
    monkeypatch.setattr(connection, "open_named", lambda _: store)
    return store


@pytest.fixture
def call(api: FakeApi, store: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*words: str, code: int = 0) -> str:
        # The command's own words win.
        verb, *rest = words
        url = ["--store", "s3://profiles?endpoint=store.example"] if verb in WITH_STORE else []
        assert main(["--kubeconfig", str(tmp_path / "kubeconfig"), verb, *url, *rest]) == code, capsys.readouterr().out
        return capsys.readouterr().out

    return run


def folder(tmp_path: Path, count: int = 6, mark: str = "", name: str = "photos") -> str:
    """A folder of so many photos; `mark` makes them others."""
    place = tmp_path / name
    place.mkdir(exist_ok=True)
    for number in range(count):
        (place / f"{number}{mark}.jpg").write_bytes(JPEG + f"{number}{mark}".encode())
    return str(place)


def revision(api: FakeApi, name: str = "minji") -> int:
    found: int = api.requests["hr", name]["spec"]["photos"]["revision"]
    return found


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


# --- add, replace, remove ----------------------------------------------------------------------------------------


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


# --- delete ------------------------------------------------------------------------------------------------------


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
