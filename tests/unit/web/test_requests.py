"""The page's interface over a cluster, a store and a token service in memory: who sees what, and how much one may."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from areas import area
from fake_kubernetes import STYLES, Call
from page_world import AREA, JUNHO, MINJI, NAMESPACE, STORE, STYLE, World, failure, owner, sent_to, world
from profile_contract.ownership import OWNER_LABEL
from profile_runtime.store.port import StoredObject
from profile_web.config import Defaults, Namespaces, VisitorLimits, WebConfig

MADE = f"{AREA}requests/p-1/"
PORTRAIT = {
    "style": "studio-warm", "key": f"{MADE}portraits/d/studio-warm/01-000001.png", "seed": 1, "rank": 1,
    "likeness": 80, "layouts": {"resume": f"{MADE}portraits/d/studio-warm/01-000001-resume.jpg"},
}  # fmt: skip
TIMES = {"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}
READY = [{"type": "Ready", "status": "True", "reason": "Succeeded", **TIMES}]
STALLED = [{"type": "Stalled", "status": "True", "reason": "TooFewUsablePhotos", **TIMES}]


@pytest.fixture
def page() -> Iterator[World]:
    with world() as standing:
        yield standing


def limited(**limits: Any) -> WebConfig:
    return WebConfig(namespaces=Namespaces(default=NAMESPACE), store=STORE, limits=VisitorLimits(**limits))


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


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
    ("GET", "/api/requests/p-1/checks"),
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


# --- what is signed ----------------------------------------------------------------------------------------------


def test_links_are_signed_for_one_request_and_for_an_hour_at_most(page: World) -> None:
    verdicts = [{"name": "0.jpg", "accepted": True, "reason": "Accepted"}]
    page.made(portraits=[PORTRAIT], conditions=READY, photos={"verdicts": verdicts})
    page.tokens.policies.clear()
    shown = page.get("/api/requests/p-1").json()
    (portrait,) = shown["portraits"]
    links = [shown["photos"][0]["url"], portrait["url"], portrait["save"], portrait["cuts"][0]["url"]]
    for link in links:
        query = parse_qs(urlsplit(link).query)
        assert link.startswith("https://store.example.com/profiles/portraits.1a2b3c4d-5e6f/")
        assert int(query["X-Amz-Expires"][0]) <= 3600
        assert query["X-Amz-Credential"][0].startswith("temporary-")
        assert query["response-cache-control"] == ["private, no-store"]
    assert parse_qs(urlsplit(links[2]).query)["response-content-disposition"] == [
        'attachment; filename="studio-warm-01-000001.png"'
    ]
    assert "response-content-disposition" not in links[1]
    reach = [statement for policy in page.tokens.policies for statement in policy["Statement"]]
    assert {resource for statement in reach for resource in statement["Resource"]} == {
        f"arn:aws:s3:::profiles/{sent_to(MINJI, 'p-1')}*", f"arn:aws:s3:::profiles/{MADE}*"
    }  # fmt: skip
    assert {action for statement in reach for action in statement["Action"]} == {"s3:GetObject"}


def test_a_form_takes_this_photo_and_nothing_else_for_minutes(page: World) -> None:
    (form,) = page.ask_for_forms(size=5000).json()
    assert form["fields"]["key"] == f"{sent_to(MINJI, 'p-1')}0.jpg"
    import base64
    from datetime import UTC, datetime

    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    assert ["eq", "$key", form["fields"]["key"]] in policy["conditions"]
    assert ["eq", "$Content-Type", "image/jpeg"] in policy["conditions"]
    assert ["content-length-range", 1000, 5000] in policy["conditions"]
    left = datetime.fromisoformat(policy["expiration"]) - datetime.now(UTC)
    assert 0 < left.total_seconds() <= 300
    assert page.tokens.policies[-1]["Statement"] == [
        {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": [f"arn:aws:s3:::profiles/{sent_to(MINJI, 'p-1')}*"]}
    ]


FORGED = [
    f"{area('other')}uploads/ceo/p/ceo.jpg", f"{AREA}requests/p-2/portraits/d/w/01.png", f"{AREA}uploads/x/p-1/a.jpg",
    f"{MADE}../p-2/portraits/d/w/01.png", f"{MADE}./x.png", f"{MADE}/x.png", MADE, "", "../x", f"{MADE}a\r\nb.png",
    f'{MADE}a"b.png', f"{MADE}a\\b.png", f"{AREA}requests/p-11/x.png", f"{MADE}x/", f"{MADE}\x1b[2J.png",
]  # fmt: skip


@pytest.mark.parametrize("key", FORGED)
def test_a_key_that_is_not_the_requests_own_is_neither_signed_nor_read(page: World, key: str) -> None:
    page.store.write(key, b"another's face")
    forged = {**PORTRAIT, "key": key, "layouts": {}}
    cut = {**PORTRAIT, "layouts": {"resume": key}}
    page.made(
        portraits=[forged, cut], conditions=READY, contactSheet=key, printSheet=key, likenessReport=key,
        adapter=key, photos={"verdicts": [{"name": key[:250] or "../x", "accepted": True, "reason": "Accepted"}]},
    )  # fmt: skip
    shown = page.get("/api/requests/p-1").json()
    assert [one["url"].partition("?")[0].rpartition("/")[2] for one in shown["portraits"]] == ["01-000001.png"]
    assert shown["portraits"][0]["cuts"] == []
    assert (shown["contactSheet"], shown["printSheet"]) == ("", "")
    urls = [shown["adapter"], *(photo["url"] for photo in shown["photos"])]
    mine = (f"https://store.example.com/profiles/{sent_to(MINJI, 'p-1')}", f"https://store.example.com/profiles/{MADE}")
    assert all(not url or (url.startswith(mine) and ".." not in url) for url in urls)
    assert page.get("/api/requests/p-1/comparisons").json() == []
    page.store.write(f"{MADE}portraits/d/studio-warm/01-000001.png", b"mine")
    answer = page.get("/api/requests/p-1/portraits.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"studio-warm/01-000001.png": b"mine"}


def test_what_a_cut_lacks_is_told_by_its_name_as_the_finisher_measured_it(page: World) -> None:
    def check(name: str, *, met: bool = False) -> dict[str, Any]:
        return {"name": name, "met": met, "measured": "12 %", "wanted": "at most 10 %"}

    def cut(layout: str, *checks: dict[str, Any]) -> dict[str, Any]:
        return {"layout": layout, "key": "x", "width": 1, "height": 1, "bytes": 1, "checks": checks}

    lacking = cut(
        "square",
        check("size"),
        check("head share"),
        check("room around the head"),
        check("eye line", met=True),
        check("background added"),
        check("<b>another version's</b>"),
        check("official identification"),
    )
    cuts = [lacking, cut("resume", check("head share"), check("kilobytes")), cut("id-size", check("upright", met=True))]
    portrait = {"style": "studio-warm", "seed": 3, "rank": 1, "key": "x", "likeness": 60, "layouts": cuts}
    report = json.dumps({"stage": "finish", "digest": "d", "portraits": [portrait]}).encode()
    page.made(likenessReport=f"{MADE}portraits/d/likeness.json", conditions=READY)
    assert page.get("/api/requests/p-1/checks").json() == []
    key = f"{MADE}portraits/d/report.json"
    page.store.write(key, report)
    assert page.get("/api/requests/p-1/checks").json() == [
        {"style": "studio-warm", "seed": 3, "layout": "square", "unmet": ["room", "background"]},
        {"style": "studio-warm", "seed": 3, "layout": "resume", "unmet": ["head"]},
    ]
    page.store.write(key, b"no report")
    assert page.get("/api/requests/p-1/checks").json() == []
    page.store.write(key, b" " * 5_000_000 + report)
    assert code(page.get("/api/requests/p-1/checks")) == (503, "store-away")
    page.store.write(f"{AREA}requests/p-2/portraits/d/report.json", report)
    elsewhere = f"{AREA}requests/p-2/portraits/d/likeness.json"
    page.api.requests[NAMESPACE, "p-1"]["status"]["likenessReport"] = elsewhere
    assert page.get("/api/requests/p-1/checks").json() == []


def test_comparisons_are_read_below_the_request_and_within_bounds(page: World) -> None:
    side = {"style": "studio-warm", "tone": "Warm", "likeness": 60, "delivered": True}
    sides = [{**side, "key": f"{MADE}portraits/d/compared/1.png"}, {**side, "key": f"{AREA}requests/p-2/x.png"}]
    report = json.dumps({"comparisons": [{"seed": 1, "sides": sides}], "tones": [], "scores": []}).encode()
    key = f"{MADE}portraits/d/likeness.json"
    page.made(likenessReport=key, conditions=READY)
    assert page.get("/api/requests/p-1/comparisons").json() == []
    page.store.write(key, report)
    (row,) = page.get("/api/requests/p-1/comparisons").json()
    assert [bool(one["url"]) for one in row["sides"]] == [True, False]
    page.store.write(key, b" " * 5_000_000 + report)
    assert code(page.get("/api/requests/p-1/comparisons")) == (503, "store-away")
    elsewhere = f"{AREA}requests/p-2/portraits/d/likeness.json"
    page.store.write(elsewhere, report)
    page.api.requests[NAMESPACE, "p-1"]["status"]["likenessReport"] = elsewhere
    assert page.get("/api/requests/p-1/comparisons").json() == []
    page.api.requests[NAMESPACE, "p-1"]["status"]["likenessReport"] = key
    page.store.write(key, b"{}x")
    assert page.get("/api/requests/p-1/comparisons").json() == []


def test_without_credentials_requests_are_shown_without_pictures(page: World) -> None:
    page.made(portraits=[PORTRAIT], conditions=READY)
    page.tokens.away = True
    page.page.bucket.signers.forget(MADE)
    (shown,) = page.get("/api/requests").json()
    assert (shown["state"], shown["portraits"][0]["url"]) == ("Ready", "")
    assert code(page.ask_for_forms(draft="p-2")) == (503, "store-away")


# --- how much --------------------------------------------------------------------------------------------------


def test_forms_that_were_given_count_as_photos(page: World) -> None:
    assert page.ask_for_forms(20).status_code == 200
    assert code(page.ask_for_forms(1)) == (422, "too-many-photos")
    assert page.ask_for_forms(1).json()["values"] == {"most": 20}
    page.page.forms = type(page.page.forms)()
    for number in range(15):
        page.store.write(f"{sent_to(MINJI, 'p-1')}{number}.jpg", b"x")
    # What arrived counts, whoever gave the form.
    assert code(page.ask_for_forms(6)) == (422, "too-many-photos")
    assert page.ask_for_forms(5).status_code == 200


def test_forms_asked_for_at_once_are_counted_together(page: World) -> None:
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: page.ask_for_forms(20), range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 9


def test_a_photo_that_was_taken_away_makes_room_but_not_without_end() -> None:
    with world(limited(most_photos=5)) as page:
        names = page.send(5)
        for _ in range(9):
            assert page.delete(f"/api/uploads/p-1/{names.pop(0)}").status_code == 204
            names += page.send(1)
        assert len(set(names)) == len(page.store.objects) == 5
        # Fourteen forms live, of which nine could bring back what was taken away.
        assert page.delete(f"/api/uploads/p-1/{names[0]}").status_code == 204
        assert code(page.ask_for_forms(1)) == (429, "too-many-changes")


def test_one_visitor_has_so_many_drafts_bytes_and_photos(page: World) -> None:
    with world(limited(drafts=2, visitor_bytes=100_000)) as small:
        assert small.ask_for_forms(draft="p-1").status_code == 200
        assert small.ask_for_forms(draft="p-2").status_code == 200
        assert code(small.ask_for_forms(draft="p-3")) == (429, "too-many-drafts")
        assert small.ask_for_forms(draft="p-3", subject=JUNHO).status_code == 200
        assert small.ask_for_forms(1, size=80_000).status_code == 200
        assert code(small.ask_for_forms(1, size=80_000)) == (429, "too-many-bytes")
    assert code(page.ask_for_forms(size=25_000_001)) == (422, "photo-too-large")


def test_a_folder_that_somebody_filled_does_not_fill_the_pages_memory(
    page: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def scan(prefix: str) -> Iterator[StoredObject]:
        for number in range(100_000):
            asked.append(number)
            yield StoredObject(f"{prefix}p-1/{number}.jpg", 1, "tag")

    monkeypatch.setattr(page.store, "scan", scan)
    assert code(page.ask_for_forms()) == (429, "too-many-bytes")
    assert len(asked) <= 20_000


def test_a_draft_that_became_a_request_is_none_any_more() -> None:
    with world(limited(drafts=1)) as page:
        page.made("p-1")
        assert page.ask_for_forms(draft="p-2").status_code == 200
        assert code(page.ask_for_forms(draft="p-3")) == (429, "too-many-drafts")


def test_one_visitor_has_so_many_requests_at_once() -> None:
    with world(limited(active_requests=2, requests=4)) as page:
        for number in range(2):
            page.made(f"p-{number}")
        page.send(draft="p-2")
        assert code(page.make("p-2")) == (429, "too-many-active")
        assert page.make("p-2").json()["values"] == {"most": 2}
        page.made("p-9", JUNHO)
        for number in range(2):
            page.api.requests[NAMESPACE, f"p-{number}"]["status"] = {"observedGeneration": 1, "conditions": READY}
        assert page.make("p-2").status_code == 201
        page.api.requests[NAMESPACE, "p-2"]["status"] = {"observedGeneration": 1, "conditions": STALLED}
        page.made("p-3")
        page.send(draft="p-4")
        assert code(page.make("p-4")) == (429, "too-many-requests")


def test_requests_asked_for_at_once_are_counted_together() -> None:
    with world(limited(active_requests=3, drafts=31)) as page:
        for number in range(8):
            page.send(1, f"p-{number}")
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda number: page.make(f"p-{number}").status_code, range(8)))
        assert sorted(answers) == [201] * 3 + [429] * 5


def test_photos_that_could_not_be_used_do_not_count(page: World) -> None:
    names = [f"{n}.jpg" for n in range(20)]
    page.send(20)
    page.make()
    verdicts = [
        {"name": name, "accepted": n < 3, "reason": "Accepted" if n < 3 else "Blurred"} for n, name in enumerate(names)
    ]
    page.api.requests[NAMESPACE, "p-1"]["status"] = {
        "observedGeneration": 1,
        "conditions": STALLED,
        "photos": {"verdicts": verdicts},
    }
    assert code(page.ask_for_forms(18)) == (422, "too-many-photos")
    added = page.send(17)
    assert page.post("/api/requests/p-1/look-again").status_code == 204
    kept = {key.rpartition("/")[2] for key in page.store.objects}
    assert kept == {*names[:3], *added}
    assert page.api.requests[NAMESPACE, "p-1"]["spec"]["photos"]["revision"] == 2


@pytest.mark.parametrize("portraits", [0, 9, 99, 2.5])
def test_more_portraits_than_the_field_takes_are_refused(page: World, portraits: float) -> None:
    page.send()
    answer = page.make(portraits=portraits)
    assert code(answer) == (422, "invalid")
    assert answer.json()["values"] == {"field": "portraits"}


def test_what_cannot_be_asked_for_is_said_without_what_was_sent(page: World) -> None:
    answer = page.make(styles=[], noun="<script>")
    assert code(answer) == (422, "invalid")
    assert "script" not in answer.text
    assert code(page.make("p-7")) == (422, "no-photos")
    assert code(page.post("/api/uploads", {"draft": "../x", "photos": []})) == (422, "invalid")
    page.made("p-1")
    assert code(page.make("p-1")) == (409, "name-taken")


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


# --- another look ------------------------------------------------------------------------------------------------

LOOK = {"styles": ["studio-cool", "studio-warm"], "layouts": ["resume", "square"], "portraits": 4}
NAMED = [{"name": "studio-cool"}, {"name": "studio-warm"}]


def test_another_look_changes_styles_and_cuts_and_nothing_that_was_learnt_from(page: World) -> None:
    made = page.made(portraits=[PORTRAIT], conditions=READY)
    before = json.loads(json.dumps(made["spec"]))
    answer = page.post("/api/requests/p-1/look", LOOK)
    assert answer.status_code == 200
    # Until the operator looks at it.
    assert answer.json()["state"] == "Waiting"
    after = page.api.requests[NAMESPACE, "p-1"]["spec"]
    assert after == {**before, "styles": NAMED, "layouts": ["resume", "square"]}
    assert len(page.api.requests) == 1


def test_candidates_that_somebody_set_stay_while_as_many_portraits_are_wanted(page: World) -> None:
    made = page.made(portraits=[PORTRAIT], conditions=READY)
    made["spec"] |= {"portraits": 2, "candidates": 16}
    assert page.post("/api/requests/p-1/look", {**LOOK, "portraits": 2}).status_code == 200
    assert page.api.requests[NAMESPACE, "p-1"]["spec"]["candidates"] == 16


def test_more_portraits_are_chosen_from_more_candidates(page: World) -> None:
    page.made(portraits=[PORTRAIT], conditions=READY)
    assert page.post("/api/requests/p-1/look", {**LOOK, "portraits": 6}).status_code == 200
    spec = page.api.requests[NAMESPACE, "p-1"]["spec"]
    assert (spec["portraits"], spec["candidates"]) == (6, 12)


def test_another_look_is_asked_for_by_the_page_itself_alone(page: World) -> None:
    page.made(portraits=[PORTRAIT], conditions=READY)
    headers = {"X-Auth-Request-User": MINJI}
    assert code(page.client.post("/api/requests/p-1/look", json=LOOK, headers=headers)) == (403, "not-from-page")
    assert page.api.requests[NAMESPACE, "p-1"]["spec"]["styles"] == [{"name": "studio-warm"}]


def stalled_by(reason: str) -> list[dict[str, Any]]:
    return [{"type": "Stalled", "status": "True", "reason": reason, **TIMES}]


RUNNING = [{"type": "Reconciling", "status": "True", "reason": "Running", **TIMES}]
RESTS = [
    (READY, True), (stalled_by("StyleNotFound"), True), (stalled_by("StyleNotUnderstood"), True),
    (stalled_by("NoLikenessReached"), True), (stalled_by("TooFewUsablePhotos"), False), (STALLED, False),
    (RUNNING, False), ([], False),
]  # fmt: skip


@pytest.mark.parametrize(("conditions", "may"), RESTS)
def test_a_request_is_changed_while_it_rests_and_where_a_look_helps(
    page: World, conditions: list[dict[str, Any]], may: bool
) -> None:
    page.made(portraits=[PORTRAIT], conditions=conditions)
    answer = page.post("/api/requests/p-1/look", LOOK)
    assert answer.status_code == 200 if may else code(answer) == (409, "not-at-rest")
    assert page.api.requests[NAMESPACE, "p-1"]["spec"]["styles"] == (NAMED if may else [{"name": "studio-warm"}])


def test_a_request_that_is_being_deleted_gets_no_other_look(page: World) -> None:
    document = page.made(portraits=[PORTRAIT], conditions=READY)
    document["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert code(page.post("/api/requests/p-1/look", LOOK)) == (409, "not-at-rest")


def test_of_two_looks_asked_for_at_once_the_second_is_refused(page: World) -> None:
    document = page.made(portraits=[PORTRAIT], conditions=READY)

    def changed_since(call: Call) -> None:
        if call.method == "PATCH":
            document["metadata"]["resourceVersion"] = "changed"

    page.api.before = changed_since
    assert code(page.post("/api/requests/p-1/look", LOOK)) == (409, "not-at-rest")
    assert document["spec"]["styles"] == [{"name": "studio-warm"}]


def test_another_look_counts_as_a_request_that_is_worked_on() -> None:
    with world(limited(active_requests=2)) as page:
        page.made("p-1", portraits=[PORTRAIT], conditions=READY)
        page.made("p-2")
        assert page.post("/api/requests/p-1/look", LOOK).status_code == 200
        ready = page.api.requests[NAMESPACE, "p-1"]
        ready["status"]["observedGeneration"] = ready["metadata"]["generation"]
        page.made("p-3")
        assert code(page.post("/api/requests/p-1/look", LOOK)) == (429, "too-many-active")
        # What others are waiting for is none of hers.
        page.made("p-4", JUNHO, portraits=[PORTRAIT], conditions=READY)
        assert page.post("/api/requests/p-4/look", LOOK, JUNHO).status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"portraits": 9}, {"portraits": 0}, {"styles": []}, {"layouts": ["x"]}, {"noun": "man"}]
)
def test_a_look_beyond_the_pages_limits_is_refused(page: World, wrong: dict[str, Any]) -> None:
    page.made(portraits=[PORTRAIT], conditions=READY)
    assert code(page.post("/api/requests/p-1/look", {**LOOK, **wrong})) == (422, "invalid")
    assert page.api.requests[NAMESPACE, "p-1"]["spec"]["styles"] == [{"name": "studio-warm"}]


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


def test_another_look_keeps_what_was_said_of_a_style_before(page: World) -> None:
    document = page.made(portraits=[PORTRAIT], conditions=READY)
    asked = {"name": "studio-warm", "kind": "ClusterProfileStyle", "refresh": 3, "novelty": True}
    document["spec"]["styles"] = [asked]
    assert page.post("/api/requests/p-1/look", LOOK).status_code == 200
    styles = page.api.requests[NAMESPACE, "p-1"]["spec"]["styles"]
    assert styles == [{"name": "studio-cool"}, asked]
