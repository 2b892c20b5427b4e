"""`profile-studio serve`: the page over the folder runner, through HTTP; what the stages do is played here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from played_run import Played, played_desk, portrait
from profile_cli.__main__ import parser
from profile_cli.errors import CommandError
from profile_cli.run.other_networks import OtherNetworks
from profile_cli.run.runner import InputRefused
from profile_cli.serve import worker as worker_module
from profile_cli.serve.desk import Desk
from profile_cli.serve.ledger import Ledger
from profile_cli.styles import known_styles
from profile_contract.conditions import Reason
from profile_contract.photos import PhotoReason
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.preprocess import PhotoVerdict, PreprocessReport
from profile_runtime.store.folder import FolderStore

TOKEN = "the-token-of-this-test"
ORIGIN = "http://127.0.0.1:8765"
PAGE = {"X-Profile-Studio": "page"}
PHOTO = b"\xff\xd8\xff" + b"p" * 2000


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(worker_module, "Run", Played)
    Played.fails = None
    Played.during = lambda _: None
    return played_desk(tmp_path, ORIGIN, TOKEN)


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    with TestClient(desk.app, base_url=ORIGIN) as client:
        client.get(f"/?token={TOKEN}")
        yield client


def _ask(client: TestClient, draft: str = "p-1", **more: Any) -> Any:
    """A photo is sent, and portraits are asked for."""
    wish = {"draft": draft, "photos": [{"name": "a.jpg", "type": "image/jpeg", "bytes": len(PHOTO)}]}
    (form,) = client.post("/api/uploads", json=wish, headers=PAGE).json()
    sent = client.post(form["url"], data=form["fields"], files={"file": ("a.jpg", PHOTO, "image/jpeg")})
    assert sent.status_code == 204
    asked = {"draft": draft, "title": "Minji", "styles": ["studio-warm"], "portraits": 1, **more}
    return client.post("/api/requests", json=asked, headers=PAGE)


def _only(desk: Desk) -> None:
    """First pictures are asked for by themselves: without them tests are easier to read."""
    for document in desk.ledger.documents():
        if document["metadata"]["name"].endswith("-preview"):
            desk.ledger.forget(document["metadata"]["name"])


@pytest.mark.parametrize("command", ["run", "serve"])
def test_both_ways_of_working_on_one_machine_sign_enlarge_and_hold_back(command: str) -> None:
    said = ["--signature", "keys", "--upscaler", "esrgan", "--safety-checker", "checker"]
    words = [command, *(["a.jpg"] if command == "run" else []), "--out", "out"]
    found = parser().parse_args([*words, *said])
    assert (found.signature, found.upscaler, found.safety_checker) == (Path("keys"), "esrgan", "checker")
    nothing = parser().parse_args(words)
    assert (nothing.signature, nothing.upscaler, nothing.safety_checker) == (None, "", "")


def test_what_runs_is_told_what_is_done_to_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: TestClient, desk: Desk
) -> None:
    heard = list[object]()
    monkeypatch.setattr(
        Played, "during", staticmethod(lambda run: heard.append((run.signature, run.signer, run.networks)))
    )
    networks = OtherNetworks("esrgan", "checker")
    wanted = replace(desk.worker._workplace, signature=tmp_path, signer="a studio", networks=networks)
    monkeypatch.setattr(desk.worker, "_workplace", wanted)
    _ask(client)
    _only(desk)
    desk.worker.step()
    assert heard == [(tmp_path, "a studio", networks)]


def test_nobody_comes_in_without_the_token(desk: Desk) -> None:
    with TestClient(desk.app, base_url=ORIGIN, follow_redirects=False) as client:
        for path in ("/", "/api/session", "/shelf/x", "/api/requests/p/portraits.zip", "/?token=wrong"):
            answer = client.get(path)
            assert (answer.status_code, answer.text[:28]) == (401, "Open the address that profil")
        assert client.post("/shelf", data={"key": "x"}).status_code == 401
        entry = client.get(f"/?token={TOKEN}&a=b")
        assert (entry.status_code, entry.headers["location"]) == (303, "/?a=b")
        cookie = entry.headers["set-cookie"]
        assert cookie.startswith(f"profile-studio-8765={TOKEN}; HttpOnly; Path=/; SameSite=strict")
        assert client.get("/api/session").json()["user"] == "you"
    with TestClient(desk.app, base_url=ORIGIN) as program:
        assert program.get("/api/session", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert program.get("/api/session", headers={"Authorization": "Bearer x"}).status_code == 401


def test_another_sites_name_does_not_lead_here(desk: Desk) -> None:
    with TestClient(desk.app, base_url="http://evil.example.com") as client:
        answer = client.get("/api/session", headers={"Authorization": f"Bearer {TOKEN}"})
        assert (answer.status_code, answer.json()["code"]) == (421, "wrong-host")


def test_from_photos_to_a_portrait(client: TestClient, desk: Desk) -> None:
    assert {style["name"] for style in client.get("/api/styles").json()} == set(known_styles())
    made = _ask(client)
    assert (made.status_code, made.json()["state"]) == (201, "Waiting")
    (photo,) = client.get("/api/uploads/p-1").json()
    assert client.get(photo["url"]).content == PHOTO
    _only(desk)
    assert desk.worker.step()
    (shown,) = client.get("/api/requests").json()
    assert (shown["state"], shown["title"], shown["bestLikeness"]) == ("Ready", "Minji", 71)
    assert shown["toyModel"] == "toy"
    assert [(each["name"], each["accepted"]) for each in shown["photos"]] == [("a.jpg", True)]
    (best,) = shown["portraits"]
    assert client.get(best["url"]).content == portrait()
    saved = client.get(best["save"])
    assert saved.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
    assert client.get("/api/requests/p-1/portraits.zip").content[:2] == b"PK"
    # Nothing is left to do.
    assert not desk.worker.step()


def test_others_wait_for_their_turn_and_the_page_says_so(client: TestClient, desk: Desk) -> None:
    _ask(client, "p-1")
    _ask(client, "p-2")
    _only(desk)
    seen: list[Any] = []
    Played.during = lambda _: seen.extend(client.get("/api/requests").json())
    desk.worker.step()
    states = {each["name"]: (each["state"], each["stage"], each.get("percent"), each["reason"]) for each in seen}
    assert states["p-1"] == ("Running", "train", 40, "Running")
    assert states["p-2"] == ("Running", "preprocess", None, "Queued")
    Played.during = lambda _: None
    desk.worker.step()
    assert [each["state"] for each in client.get("/api/requests").json()] == ["Ready", "Ready"]


def test_a_first_picture_goes_before_trainings(client: TestClient, desk: Desk) -> None:
    _ask(client, "p-1")
    names = [document["metadata"]["name"] for document in desk.ledger.documents()]
    assert names == ["p-1-preview", "p-1"]


def test_photos_that_are_refused_are_named_and_nothing_is_done_before_they_change(
    client: TestClient, desk: Desk
) -> None:
    verdict = PhotoVerdict(name="a.jpg", accepted=False, reason=PhotoReason.NO_FACE, advice="show the face")
    report = PreprocessReport(
        digest="p", outcome="BadInput", reason=Reason.TOO_FEW_USABLE_PHOTOS, message="0 of 1", verdicts=[verdict]
    )
    Played.fails = InputRefused(report)
    _ask(client)
    _only(desk)
    desk.worker.step()
    shown = client.get("/api/requests/p-1").json()
    assert (shown["state"], shown["reason"], shown["message"]) == ("Stalled", "TooFewUsablePhotos", "0 of 1")
    assert [(each["accepted"], each["reason"]) for each in shown["photos"]] == [(False, "NoFace")]
    assert not desk.worker.step()
    Played.fails = None
    assert client.post("/api/requests/p-1/look-again", headers=PAGE).status_code == 204
    desk.worker.step()
    assert client.get("/api/requests/p-1").json()["state"] == "Ready"


def test_photos_stay_on_the_page_where_no_portrait_is_like_the_person(client: TestClient, desk: Desk) -> None:
    Played.fails = InputRefused(
        FinishReport(digest="f", outcome="BadInput", reason=Reason.NO_LIKENESS_REACHED, message="none reached 45 %")
    )
    _ask(client)
    _only(desk)
    desk.worker.step()
    shown = client.get("/api/requests/p-1").json()
    assert (shown["state"], shown["reason"]) == ("Stalled", "NoLikenessReached")
    assert [each["name"] for each in shown["photos"]] == ["a.jpg"]


def test_a_failure_is_told_and_the_next_person_is_served(client: TestClient, desk: Desk) -> None:
    _ask(client, "p-1")
    _ask(client, "p-2")
    _only(desk)
    Played.fails = CommandError("training left no adapter")
    desk.worker.step()
    Played.fails = None
    desk.worker.step()
    states = {each["name"]: (each["state"], each.get("message", "")) for each in client.get("/api/requests").json()}
    assert states == {"p-1": ("Stalled", "training left no adapter"), "p-2": ("Ready", "")}


def test_another_look_is_drawn_and_nothing_else_asked_for_meanwhile(client: TestClient, desk: Desk) -> None:
    _ask(client)
    _only(desk)
    look = {"styles": ["studio-cool"], "portraits": 1}
    assert client.post("/api/requests/p-1/look", json=look, headers=PAGE).json()["code"] == "not-at-rest"
    desk.worker.step()
    assert client.post("/api/requests/p-1/look", json=look, headers=PAGE).json()["state"] == "Waiting"
    desk.worker.step()
    (portrait,) = client.get("/api/requests/p-1").json()["portraits"]
    assert portrait["style"] == "studio-cool"


def test_who_deletes_while_it_runs_leaves_nothing_behind(client: TestClient, desk: Desk, tmp_path: Path) -> None:
    _ask(client)
    _only(desk)
    Played.during = lambda _: client.delete("/api/requests/p-1", headers=PAGE)
    assert desk.worker.step()
    assert list((tmp_path / "work").rglob("portrait-*.png")) == [], "it was not worked on any further"
    assert client.get("/api/requests/p-1").json()["state"] == "Deleting"
    assert desk.worker.step()
    assert client.get("/api/requests").json() == []
    assert [path for path in (tmp_path / "work").rglob("*") if path.is_file()] == []


def test_what_cannot_be_deleted_holds_up_nobody_and_is_tried_again(
    client: TestClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ask(client, "p-1")
    _ask(client, "p-2")
    _only(desk)
    client.delete("/api/requests/p-1", headers=PAGE)

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "delete", refuse)
        assert desk.worker.step()
        assert not desk.worker.step()
        states = {each["name"]: each["state"] for each in client.get("/api/requests").json()}
        assert states == {"p-1": "Deleting", "p-2": "Ready"}
    assert desk.worker.step()
    assert [each["name"] for each in client.get("/api/requests").json()] == ["p-2"]


def test_what_was_asked_for_is_there_after_a_restart(client: TestClient, desk: Desk, tmp_path: Path) -> None:
    _ask(client, "p-1")
    _ask(client, "p-2")
    _only(desk)
    desk.worker.step()
    (tmp_path / "work" / "requests" / "broken.json").write_text("{")
    again = Ledger(tmp_path / "work" / "requests", [])
    assert [document["metadata"]["name"] for document in again.documents()] == ["p-1", "p-2"]
    assert again.documents() == desk.ledger.documents()


def test_forms_take_what_they_were_given_for_and_nothing_else(client: TestClient, desk: Desk, tmp_path: Path) -> None:
    wish = {"draft": "p-1", "photos": [{"name": "a.jpg", "type": "image/jpeg", "bytes": 1000}]}
    (form,) = client.post("/api/uploads", json=wish, headers=PAGE).json()

    def send(photo: bytes = PHOTO[:1000], **changed: str) -> int:
        fields = {**form["fields"], **changed}
        return client.post(form["url"], data=fields, files={"file": ("a.jpg", photo, "image/jpeg")}).status_code

    assert send(PHOTO) == 413
    assert [send(key="../../outside"), send(most="9999999"), send(until="99999999999"), send(signature="0")] == [
        403
    ] * 4
    assert send(until="soon") == 400
    assert client.post(form["url"], content=b"x").status_code in (400, 413)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert send() == 204
    assert client.get("/shelf/../../etc/passwd").status_code in (404, 503)
    assert client.get("/shelf/%2e%2e/%2e%2e/etc/passwd").status_code in (404, 503)


def test_the_worker_works_by_itself_until_it_is_stopped(client: TestClient, desk: Desk) -> None:
    _ask(client)
    desk.worker.start()
    deadline = time.monotonic() + 20
    while client.get("/api/requests/p-1").json()["state"] != "Ready":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    desk.worker.stop()
