"""The page's interface over a cluster, a store and a token service in memory: whose a request is, what is shown."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from fake_kubernetes import STYLES
from page_requests import PORTRAIT, READY, code
from page_world import JUNHO, MINJI, NAMESPACE, STORE, STYLE, World, failure, owner, sent_to, world
from profile_contract.ownership import OWNER_LABEL
from profile_web.config import Defaults, Namespaces, WebConfig

# --- whose is whose ----------------------------------------------------------------------------------------------


def test_a_request_is_made_as_it_was_wished_in_the_visitors_own_area(page: World) -> None:
    page.send()
    answer = page.make(title=" Card ", noun="woman", portraits=3, layouts=["resume"])
    assert answer.status_code == 201
    document = page.api.requests[NAMESPACE, "p-1"]
    assert document["metadata"]["labels"] == {OWNER_LABEL: owner(MINJI)}
    assert document["metadata"]["annotations"] == {"profilestudio.io/title": "Card"}
    assert document["spec"] == {
        "subject": {"noun": "woman"},
        "photos": {"prefix": f"uploads/{owner(MINJI)}/p-1/", "deletionPolicy": "Delete"},
        "styles": [{"name": "studio-warm"}],
        "layouts": ["resume"], "portraits": 3, "candidates": 6,
    }  # fmt: skip


ROUTES = [
    ("GET", "/api/requests/p-1"), ("GET", "/api/requests/p-1/events"), ("GET", "/api/requests/p-1/comparisons"),
    ("GET", "/api/requests/p-1/checks"), ("GET", "/api/requests/p-1/preview"),
    ("GET", "/api/requests/p-1/portraits.zip"), ("POST", "/api/requests/p-1/look-again"),
    ("POST", "/api/requests/p-1/look"), ("DELETE", "/api/requests/p-1"), ("DELETE", "/api/uploads/p-1/0.jpg"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_anothers_request_is_as_one_that_does_not_exist(page: World, method: str, path: str) -> None:
    page.made(portraits=[PORTRAIT], conditions=READY)
    before = dict(page.store.objects), json.dumps(page.api.requests[NAMESPACE, "p-1"])
    from page_world import as_

    body = {"styles": ["studio-cool"]} if path.endswith("/look") else None
    refused = page.client.request(method, path, headers=as_(JUNHO), json=body)
    missing = page.client.request(method, path.replace("p-1", "p-2"), headers=as_(JUNHO), json=body)
    assert refused.status_code == 404
    assert refused.json() == missing.json()
    assert before == (page.store.objects, json.dumps(page.api.requests[NAMESPACE, "p-1"]))
    assert page.get("/api/requests", JUNHO).json() == []


def test_a_label_that_was_changed_shows_nobody_anything(page: World) -> None:
    document = page.made(portraits=[PORTRAIT], conditions=READY)
    document["metadata"]["labels"][OWNER_LABEL] = owner(JUNHO)
    for subject in (MINJI, JUNHO):
        assert page.get("/api/requests", subject).json() == []
        assert page.get("/api/requests/p-1", subject).status_code == 404
        assert page.get("/api/requests/p-1/portraits.zip", subject).status_code == 404
    assert page.delete("/api/requests/p-1", JUNHO).status_code == 404


@pytest.mark.parametrize(
    "prefix", [f"uploads/{owner(MINJI)}/p-1/", f"uploads/{owner(MINJI)}/", "uploads/", "uploads/./x/"]
)
def test_a_request_for_anothers_photos_shows_them_to_nobody(page: World, prefix: str) -> None:
    page.send(draft="p-1", subject=MINJI)
    body = {
        "metadata": {"labels": {OWNER_LABEL: owner(JUNHO)}},
        "spec": {"photos": {"prefix": prefix}, "styles": [{"name": "studio-warm"}]},
        "status": {"photos": {"verdicts": [{"name": "0.jpg", "accepted": True, "reason": "Accepted"}]}},
    }
    page.api.put_request(NAMESPACE, "p-9", body)
    assert page.get("/api/requests", JUNHO).json() == []
    assert page.get("/api/requests/p-9", JUNHO).status_code == 404


@pytest.mark.parametrize(
    "broken",
    [{"styles": []}, {"styles": ["x"], "seed": "many"}, {"styles": 7}, {"styles": None}],
)
def test_a_request_that_cannot_be_read_spoils_no_other(page: World, broken: dict[str, Any]) -> None:
    page.made("p-1")
    document = page.made("p-2")
    document["spec"] = {"photos": document["spec"]["photos"], **broken}
    shown = {one["name"]: (one["state"], one["reason"]) for one in page.get("/api/requests").json()}
    assert shown == {"p-1": ("Waiting", ""), "p-2": ("Stalled", "Unreadable")}
    assert page.get("/api/requests/p-2").json()["reason"] == "Unreadable"
    assert page.delete("/api/requests/p-2").status_code == 204


@pytest.mark.parametrize("odd", [{"stageText": ""}, {"stageText": "Dreaming"}, {"progress": "half"}, {"stages": 7}])
def test_what_another_version_wrote_into_a_status_hides_no_portrait(page: World, odd: dict[str, Any]) -> None:
    page.made(portraits=[PORTRAIT], conditions=READY, **odd)
    shown = page.get("/api/requests/p-1").json()
    assert (shown["state"], len(shown["portraits"])) == ("Ready", 1)


def test_what_a_newer_version_added_hides_neither_requests_nor_styles(page: World) -> None:
    document = page.made("p-1")
    document["spec"]["novelty"] = {"a": 1}
    document["spec"]["subject"] = {"noun": "woman", "novelty": 1}
    shown = page.get("/api/requests/p-1").json()
    assert (shown["state"], shown["styles"]) == ("Waiting", ["studio-warm"])
    sound = page.api.styles[0]
    page.api.styles = [
        {**sound, "metadata": {"name": "newer"}, "spec": {**sound["spec"], "novelty": 1}},
        {"metadata": {"name": "without-a-spec"}},
        sound,
    ]
    assert [style["name"] for style in page.get("/api/styles").json()] == ["newer", "studio-warm"]


# --- photos ------------------------------------------------------------------------------------------------------


def test_a_draft_is_there_when_its_page_is_opened_again(page: World) -> None:
    names = page.send(3)
    there = page.get("/api/uploads/p-1").json()
    assert [one["name"] for one in there] == names
    assert all("X-Amz-Signature" in one["url"] for one in there)
    assert page.get("/api/uploads/p-1", JUNHO).json() == []


def test_one_photo_is_taken_away_and_no_other_whose_name_begins_alike(page: World) -> None:
    base = sent_to(MINJI, "p-1")
    for name in ("a.jpg", "a.jpg.png", "b.jpg"):
        page.store.write(base + name, b"x")
    assert page.delete("/api/uploads/p-1/a.jpg").status_code == 204
    assert set(page.store.objects) == {f"{base}a.jpg.png", f"{base}b.jpg"}
    for name in ("", "b", "a.jpg", "..%2Fp-2%2Fb.jpg", "."):
        assert page.delete(f"/api/uploads/p-1/{name}").status_code == 404, name
    assert set(page.store.objects) == {f"{base}a.jpg.png", f"{base}b.jpg"}


def test_heic_and_avif_are_taken(page: World) -> None:
    photos = [
        {"name": "IMG_1.HEIC", "type": "image/heic", "bytes": 5000},
        {"name": "b.avif", "type": "image/avif", "bytes": 5000},
        {"name": "민지.jpg", "type": "image/jpeg", "bytes": 5000},
    ]
    answer = page.post("/api/uploads", {"draft": "p-1", "photos": photos})
    assert [form["name"] for form in answer.json()] == ["IMG_1.HEIC", "b.avif", "민지.jpg"]
    litter = {"draft": "p-1", "photos": [{"name": "Thumbs.db", "type": "image/jpeg", "bytes": 5000}]}
    assert code(page.post("/api/uploads", litter)) == (422, "not-a-photo")


# --- what fails around it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (failure(403, 'User "system:serviceaccount:a:b" cannot list'), (502, "cluster-refused")),
        (failure(422, "spec.photos.prefix: Invalid value"), (502, "cluster-refused")),
        (failure(403, "exceeded quota: team, used: count/profilerequests"), (429, "quota")),
        (failure(500, "etcdserver: no leader at 10.0.0.9"), (503, "cluster-away")),
        (failure(429, "too many requests"), (503, "cluster-away")),
        (ConnectionRefusedError("10.0.0.9"), (503, "cluster-away")),
    ],
)
def test_what_the_api_server_says_is_for_the_log_alone(
    page: World, caplog: pytest.LogCaptureFixture, error: Any, told: tuple[int, str]
) -> None:
    caplog.set_level(logging.WARNING)
    page.api.failure = error
    for answer in (page.get("/api/requests"), page.get("/api/requests/p-1"), page.get("/api/styles")):
        assert code(answer) == told
        assert not any(word in answer.text for word in ("system:", "spec.photos", "count/", "etcd", "10.0.0.9"))
    assert caplog.records


def test_a_store_that_is_away_is_said_without_its_address(page: World) -> None:
    page.store.away = True
    answer = page.ask_for_forms()
    assert code(answer) == (503, "store-away")
    assert "10.0.0.7" not in answer.text


def test_what_stays_in_the_store_is_said(page: World) -> None:
    page.made()
    assert (page.get("/api/session").json()["retain"], page.get("/api/requests/p-1").json()["retain"]) == (False, False)
    keeping = WebConfig(
        namespaces=Namespaces(default=NAMESPACE),
        store=STORE,
        defaults=Defaults.model_validate({"deletionPolicy": "Retain"}),
    )
    with world(keeping) as other:
        other.made()
        assert (other.get("/api/session").json()["retain"], other.get("/api/requests/p-1").json()["retain"]) == (
            True,
            True,
        )


# --- what is worth knowing ---------------------------------------------------------------------------------------


def test_warnings_about_photos_are_shown_and_the_toy_that_drew(page: World) -> None:
    verdicts = [{"name": f"{n}.jpg", "accepted": True, "reason": "Accepted"} for n in range(3)]
    warnings = [
        {"kind": "TurnedUpright", "message": "in English", "photos": ["1.jpg"]},
        {"kind": "NoColour", "message": "in English"},
        {"kind": "LeftOut", "message": "in English", "photos": ["2.jpg"]},
    ]
    photos = {"verdicts": verdicts, "warnings": warnings}
    page.made(portraits=[PORTRAIT], conditions=READY, photos=photos, toyModel="studio-mini")
    shown = page.get("/api/requests/p-1").json()
    assert shown["warnings"] == [{"kind": "TurnedUpright", "photos": ["1.jpg"]}, {"kind": "NoColour", "photos": []}]
    assert shown["toyModel"] == "studio-mini"
    page.made("p-2", portraits=[], toyModel="studio-mini")
    assert page.get("/api/requests/p-2").json()["toyModel"] == ""


def test_the_page_offers_the_clusters_styles_and_those_of_the_visitors_namespace(page: World) -> None:
    for namespace in (NAMESPACE, "elsewhere"):
        page.api.put(STYLES.format(namespace), {"metadata": {"name": "studio-warm"}, "spec": STYLE})
    offered = [(style["name"], style["own"]) for style in page.get("/api/styles").json()]
    assert offered == [("studio-warm", False), ("team_studio-warm", True)]
    page.send()
    assert page.make(styles=["team_studio-warm", "studio-warm"]).status_code == 201
    styles = page.api.requests[NAMESPACE, "p-1"]["spec"]["styles"]
    assert styles == [{"name": "studio-warm", "kind": "ProfileStyle"}, {"name": "studio-warm"}]
    assert page.get("/api/requests/p-1").json()["styles"] == ["team_studio-warm", "studio-warm"]
