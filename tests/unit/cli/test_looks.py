"""`kubectl profile` list, watch, photos, portraits, styles and doctor, over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fake_api import FakeApi
from profile_cli.plugin import connection, doctor
from profile_cli.plugin.__main__ import main
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import StoreError

Call = Callable[..., str]
SECOND = "2026-03-02T09:00:01Z"
KEY = "hr.1a2b3c4d-5e6f/requests/minji/portraits/d/"
NAUGHTY = "a\x1b[2J\x1b]0;pwned\x07.jpg"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    store = FolderStore(tmp_path / "store")
    for module in (connection, doctor):
        monkeypatch.setattr(module, "open_named", lambda _: store)
    return store


@pytest.fixture
def call(api: FakeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*words: str, code: int = 0) -> str:
        assert main(["--kubeconfig", str(tmp_path / "kubeconfig"), *words]) == code, capsys.readouterr().out
        return capsys.readouterr().out

    return run


def condition(kind: str, status: str, reason: str = "Running", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": SECOND}


def said(api: FakeApi, *conditions: dict[str, str], **status: Any) -> None:
    """What the operator says of hr/minji."""
    request = api.requests.get(("hr", "minji")) or api.request("minji")
    request["status"] = {"observedGeneration": 1, "conditions": list(conditions), **status}


PORTRAIT = {
    "style": "studio-warm", "key": f"{KEY}studio-warm/1.png", "seed": 4, "rank": 1, "likeness": 71,
    "layouts": {"square": f"{KEY}studio-warm/1-square.jpg"},
}  # fmt: skip


def test_watching_ends_as_the_request_does(call: Call, api: FakeApi) -> None:
    said(api, condition("Ready", "True", "Succeeded"), portraits=[PORTRAIT], bestLikeness=71)
    assert "ready: 1 portrait, likeness up to 71 %" in call("watch", "minji")
    (line,) = call("watch", "minji", "-o", "json").splitlines()
    assert json.loads(line)["ready"] is True


def test_watching_a_stalled_request_ends_with_1(call: Call, api: FakeApi) -> None:
    said(api, condition("Stalled", "True", "NoPhotos", f"there is nothing but {NAUGHTY}"))
    text = call("watch", "minji", code=1)
    assert "cannot go on: NoPhotos: there is nothing but a\\x1b[2J\\x1b]0;pwned\\x07.jpg" in text
    assert not {"\x1b", "\x07"} & set(text)
    (line,) = call("watch", "minji", "-o", "json", code=1).splitlines()
    assert json.loads(line)["failed"].startswith("NoPhotos")


def test_watching_tells_each_change_once(call: Call, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    said(api, condition("Ready", "False"), stageText="Training", progress={"stage": "train", "percent": 10})
    looks = iter(range(10))

    def moved(_: float) -> None:
        if next(looks) == 2:
            said(api, condition("Ready", "True", "Succeeded"))

    monkeypatch.setattr(time, "sleep", moved)
    lines = [json.loads(line) for line in call("watch", "minji", "-o", "json").splitlines()]
    assert [(line["text"], line["percent"], line["ready"]) for line in lines] == [
        ("Training", 10, False),
        ("done", 100, True),
    ]


@pytest.mark.parametrize("output", ["table", "json"])
def test_interrupting_watches_no_more_and_ends_nothing(
    call: Call, api: FakeApi, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    said(api, condition("Ready", "False"))

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    assert "interrupted; the request goes on in the cluster" in call("watch", "minji", "-o", output, code=130)
    assert [one for one in api.calls if "DELETE" in one] == []


def test_a_request_deleted_while_it_is_watched_ends_with_1(
    call: Call, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(api, condition("Ready", "False"))
    monkeypatch.setattr(time, "sleep", lambda _: api.requests.clear())
    assert "was deleted while it was watched" in call("watch", "minji", code=1)


def test_verdicts_are_shown_and_what_to_do_about_the_refused(call: Call, api: FakeApi) -> None:
    good = {"name": "a.jpg", "accepted": True, "reason": "Accepted"}
    bad = {"name": NAUGHTY, "accepted": False, "reason": "Blurred", "advice": "[bold]Hold still."}
    said(api, photos={"verdicts": [good]})
    assert "--refused" not in call("photos", "minji")
    said(api, photos={"verdicts": [good, bad]})
    text = call("photos", "minji")
    assert "a-[2J-]0;pwned-.jpg" in text
    assert "[bold]Hold still." in text
    assert not {"\x1b", "\x07"} & set(text)
    assert "`kubectl profile remove minji --refused`" in text
    assert json.loads(call("photos", "minji", "-o", "json"))[1]["name"] == NAUGHTY


def test_warnings_about_the_photos_are_said_with_the_photos_that_they_are_about(call: Call, api: FakeApi) -> None:
    good = {"name": "a.jpg", "accepted": True, "reason": "Accepted"}
    upright = "2 of the accepted photos lay on the side or upside down and were turned upright."
    names = [NAUGHTY, *(f"{n}.jpg" for n in range(6))]
    warnings = [
        {"kind": "TurnedUpright", "message": upright, "photos": names},
        {"kind": "NotFrontal", "message": "No photo is taken from the front."},
        {"kind": "LeftOut", "message": "1 of 3 photos were left out; each has its reason.", "photos": ["b.jpg"]},
    ]
    stages = {"preprocess": {"digest": "d", "startTime": SECOND, "completionTime": SECOND}}
    said(api, condition("Ready", "True", "Succeeded"), photos={"verdicts": [good], "warnings": warnings}, stages=stages)
    for command in ("photos", "watch"):
        text = " ".join(call(command, "minji").split())
        assert f"note: {upright} (a-[2J-]0;pwned-.jpg, 0.jpg, 1.jpg, 2.jpg, 3.jpg and 2 more)" in text
        assert "note: No photo is taken from the front." in text
        assert "left out" not in text


def test_a_toys_portraits_are_said_to_be_one_wherever_they_are_shown(
    call: Call, api: FakeApi, store: FolderStore, tmp_path: Path
) -> None:
    store.write(str(PORTRAIT["key"]), b"portrait")
    store.write(f"{KEY}studio-warm/1-square.jpg", b"square")
    store.write(f"{KEY}contact-sheet.jpg", b"sheet")
    shown = (("watch", "minji"), ("portraits", "minji"), ("portraits", "minji", "--out", str(tmp_path / "out")))
    ready = condition("Ready", "True", "Succeeded")
    for toy, times in (("studio-mini", 1), (None, 0)):
        said(api, ready, portraits=[PORTRAIT], contactSheet=f"{KEY}contact-sheet.jpg", toyModel=toy)
        for words in shown:
            text = " ".join(call(*words, *(["--store", "s3://any"] if "--out" in words else [])).split())
            assert text.count("studio-mini is a small demonstration model") == times, text


def test_portraits_are_listed_without_a_folder_and_without_a_store(call: Call, api: FakeApi) -> None:
    said(api)
    assert "no portraits yet" in call("portraits", "minji")
    said(api, portraits=[PORTRAIT])
    text = call("portraits", "minji")
    assert "71 %" in text
    assert "portraits minji --out FOLDER" in text
    document = json.loads(call("portraits", "minji", "-o", "json"))
    assert (document["files"], document["portraits"][0]["seed"]) == ([], 4)


def test_portraits_of_a_request_that_runs_anew_can_be_had(
    call: Call, api: FakeApi, store: FolderStore, tmp_path: Path
) -> None:
    for path in ("studio-warm/1.png", "studio-warm/1-square.jpg", "contact-sheet.jpg"):
        store.write(KEY + path, path.encode())
    said(
        api,
        condition("Stalled", "True", "TooFewUsablePhotos"),
        portraits=[PORTRAIT],
        contactSheet=f"{KEY}contact-sheet.jpg",
        stages={"preprocess": {"digest": "p"}},
    )
    out = tmp_path / "out"
    text = call("portraits", "minji", "--out", str(out))
    assert "made before the request changed" in text
    assert (out / "portraits" / "studio-warm" / "1.png").read_text() == "studio-warm/1.png"
    assert json.loads(call("portraits", "minji", "--out", str(out), "-o", "json"))["files"] == [
        str(out / "contact-sheet.jpg"),
        str(out / "portraits/studio-warm/1-square.jpg"),
        str(out / "portraits/studio-warm/1.png"),
    ]


def test_a_forged_status_writes_nothing_outside(call: Call, api: FakeApi, store: FolderStore, tmp_path: Path) -> None:
    said(api, portraits=[PORTRAIT | {"key": f"{KEY}../../../../evil"}], contactSheet=f"{KEY}contact-sheet.jpg")
    assert "nothing was written" in call("portraits", "minji", "--out", str(tmp_path / "out"), code=1)
    assert not (tmp_path / "out").exists()


def test_requests_are_listed_in_one_or_all_namespaces(call: Call, api: FakeApi) -> None:
    assert "there are no requests in namespace hr" in call("list")
    api.request("minji", styles=["studio-warm", "campus"])["metadata"]["annotations"] = {
        "profilestudio.io/title": "Minji"
    }
    api.request("junho", "default")
    here = call("list")
    assert "studio-warm, campus" in here
    assert "Minji" in here
    assert "junho" not in here
    for words in (["list", "-A"], ["-A", "list"]):
        everywhere = call(*words)
        assert all(word in everywhere for word in ("junho", "minji", "default", "namespace"))
    names = [one["metadata"]["name"] for one in json.loads(call("list", "-A", "-o", "json"))]
    assert names == ["junho", "minji"]


def test_a_namespace_that_is_not_there_is_said(call: Call, api: FakeApi) -> None:
    assert 'namespaces "nosuch" not found' in call("list", "-n", "nosuch", code=1)


# --- doctor ------------------------------------------------------------------------------------------------------


def findings(call: Call, *words: str, code: int) -> dict[str, dict[str, Any]]:
    given = ["doctor", "--store", "s3://profiles?endpoint=store.example&secure=false", "-o", "json", *words]
    return {one["what"]: one for one in json.loads(call(*given, code=code))}


def test_where_all_is_well_the_doctor_says_so(call: Call, api: FakeApi, store: FolderStore) -> None:
    looked = findings(call, code=0)
    assert all(one["well"] for one in looked.values())
    assert "the namespace hr exists" in looked
    assert store.list("") == []


def test_the_doctor_finds_a_missing_namespace(call: Call, api: FakeApi, store: FolderStore) -> None:
    looked = findings(call, "-n", "nosuch", code=1)
    assert looked["the namespace nosuch exists"]["well"] is False
    assert "kubectl create namespace nosuch" in looked["the namespace nosuch exists"]["advice"]
    assert [what for what, one in looked.items() if not one["well"]] == ["the namespace nosuch exists"]


@pytest.mark.parametrize("verb", ["create", "get", "list", "patch", "delete"])
def test_the_doctor_asks_for_every_verb_that_is_used(call: Call, api: FakeApi, store: FolderStore, verb: str) -> None:
    api.denied = {verb}
    looked = findings(call, code=1)
    assert [what for what, one in looked.items() if not one["well"]] == [f"you may {verb} profilerequests"]


def test_a_namespace_that_may_not_be_seen_does_not_tell_where_its_photos_lie(
    call: Call, api: FakeApi, store: FolderStore
) -> None:
    api.denied = {"v1"}
    looked = findings(call, code=1)
    assert looked["the namespace hr exists"]["well"] is None
    told = looked["where the photos of hr lie is told"]
    assert told["well"] is False
    assert "you may not get the namespace" in told["advice"]
    assert store.list("") == []


def test_the_doctor_says_why_the_store_is_not_reached(
    call: Call, api: FakeApi, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreError("the store cannot be reached: MaxRetryError") from ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(store, "list", away)
    advice = findings(call, code=1)["the store answers you"]["advice"]
    assert "Tried http://store.example, bucket profiles: nothing listens there" in advice
    assert "without &secure=false" in advice


def test_the_doctor_leaves_nothing_in_the_store_that_begins_alike(
    call: Call, api: FakeApi, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "delete", None)
    findings(call, code=0)
    assert store.list("") == []


# --- what kubectl's own options mean ------------------------------------------------------------------------------


@pytest.fixture
def labelled(api: FakeApi) -> FakeApi:
    """Two requests of a namespace, of which one has a team's label."""
    api.request("minji")["metadata"]["labels"] = {"team": "hr"}
    api.request("junho")
    return api


@pytest.mark.parametrize("everywhere", [(), ("-A",)])
def test_requests_are_listed_by_their_labels(call: Call, labelled: FakeApi, everywhere: tuple[str, ...]) -> None:
    (request,) = json.loads(call("list", "-l", "team=hr", "-o", "json", *everywhere))
    assert request["metadata"]["name"] == "minji"
    assert "junho" in call("list", *everywhere)
    assert "there are no requests in " in (text := call("list", "--selector", "team=art", *everywhere))
    assert "with team=art" in text


def test_names_are_those_that_kubectl_takes(call: Call, labelled: FakeApi) -> None:
    labelled.own_styles.append(("hr", "ours"))
    assert call("list", "-o", "name").split() == [
        "profilerequest.profilestudio.io/junho",
        "profilerequest.profilestudio.io/minji",
    ]
    assert call("list", "-l", "team=art", "-o", "name") == ""
    assert call("styles", "-o", "name").split()[1:] == [
        "clusterprofilestyle.profilestudio.io/studio-warm",
        "profilestyle.profilestudio.io/ours",
    ]


def test_yaml_says_what_json_says(call: Call, api: FakeApi) -> None:
    said(api, condition("Ready", "True", "Succeeded"), portraits=[PORTRAIT], photos={"verdicts": []})
    api.requests["hr", "minji"]["metadata"]["annotations"] = {"profilestudio.io/title": "민지 카드"}
    for words in (["list"], ["photos", "minji"], ["portraits", "minji"], ["styles"]):
        text = call(*words, "-o", "yaml")
        assert yaml.safe_load(text) == json.loads(call(*words, "-o", "json")), words
    assert "title: 민지 카드\n" in call("list", "-o", "yaml")
    (last,) = yaml.safe_load_all(call("watch", "minji", "-o", "yaml"))
    assert last["ready"] is True
    assert set(yaml.safe_load(call("watch", "nobody", "-o", "yaml", code=1))) == {"error"}


def test_the_cluster_is_asked_as_somebody_else(call: Call, api: FakeApi) -> None:
    call("list")
    call("--as", "system:serviceaccount:hr:bot", "list")
    call("list", "--as", "minji", "--as-group", "hr", "--as-group", "system:authenticated")
    assert api.acting == [(), ("system:serviceaccount:hr:bot",), ("minji", "hr", "system:authenticated")]


@pytest.mark.parametrize(
    ("words", "why"),
    [(["--as-group", "hr"], "give --as, too"), (["--as", "a\nb"], "'a\\nb'"), (["--as", "민지"], "ASCII")],
)
def test_nobody_is_asked_as_who_cannot_be(call: Call, api: FakeApi, words: list[str], why: str) -> None:
    assert why in call("list", *words, code=1)
    assert api.calls == []
