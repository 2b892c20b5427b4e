"""What the page signs, for whom and for how long, and what it reads below a request."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from areas import area
from page_requests import MADE, PORTRAIT, READY, code
from page_world import AREA, MINJI, NAMESPACE, World, sent_to


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
    cut = {**PORTRAIT, "layouts": {"resume": key}, "thumbnail": key}
    page.made(
        portraits=[forged, cut], conditions=READY, contactSheet=key, printSheet=key, likenessReport=key,
        adapter=key, photos={"verdicts": [{"name": key[:250] or "../x", "accepted": True, "reason": "Accepted"}]},
    )  # fmt: skip
    shown = page.get("/api/requests/p-1").json()
    assert [one["url"].partition("?")[0].rpartition("/")[2] for one in shown["portraits"]] == ["01-000001.png"]
    assert shown["portraits"][0]["cuts"] == []
    assert shown["portraits"][0]["thumbnail"] == ""
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
