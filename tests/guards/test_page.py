"""What the page answers to every call, in both languages: status, headers and body.

Recorded anew by PROFILE_RECORD=1, see `record`.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

import house
from record import as_yaml, compare, digest

LANGUAGES = ("en", "ko")
# What a server says of a file depends on when the file was written.
VARYING = {"etag", "last-modified"}
MADE = "portraits.1a2b3c4d-5e6f/requests/p-1/"
PORTRAIT = {
    "style": "studio-warm", "key": f"{MADE}portraits/d/studio-warm/01-000001.png", "seed": 1, "rank": 1,
    "likeness": 80, "layouts": {"resume": f"{MADE}portraits/d/studio-warm/01-000001-resume.jpg"},
}  # fmt: skip
AT = "2026-01-02T03:00:00Z"
STATUS: dict[str, Any] = {
    "stageText": "Done",
    "photos": {
        "found": 5, "accepted": 4, "prefix": "uploads/x/", "revision": 1,
        "verdicts": [
            {"name": "0.jpg", "accepted": True, "reason": "Accepted"},
            {"name": "1.jpg", "accepted": False, "reason": "FaceTooSmall", "advice": "Come closer"},
        ],
    },
    "conditions": [
        {"type": kind, "status": "True", "reason": "Succeeded", "message": "done", "lastTransitionTime": AT,
         "observedGeneration": 1}
        for kind in ("Preprocessed", "Trained", "Generated", "Finished", "Ready")
    ],
    "portraits": [PORTRAIT],
    "bestLikeness": 80,
    "likenessReport": f"{MADE}portraits/d/likeness.json",
}  # fmt: skip
LIKENESS = {
    "comparisons": [
        {
            "seed": 1,
            "sides": [
                {"style": "studio-warm", "tone": "Warm", "key": PORTRAIT["key"], "likeness": 80, "delivered": True},
                {"style": "studio-warm", "tone": "Neutral", "key": "", "likeness": 79, "delivered": False},
            ],
        }
    ]
}
PHOTOS = [{"name": f"{number}.jpg", "type": "image/jpeg", "bytes": 5000} for number in range(5)]


@pytest.fixture
def page() -> Iterator[Any]:
    """The page with one finished request of somebody, another that stalls, and a draft."""
    with house.still_clock(), house.page() as standing:
        for draft in ("p-1", "p-2"):
            standing.made(draft)
        requests = standing.api.requests
        requests["portraits", "p-1"]["status"] = {"observedGeneration": 1, **STATUS}
        requests["portraits", "p-2"]["status"] = {
            "observedGeneration": 1,
            "stageText": "Stalled",
            "conditions": [
                {"type": "Stalled", "status": "True", "reason": "TooFewUsablePhotos", "message": "4 of 5",
                 "lastTransitionTime": AT, "observedGeneration": 1}
            ],
        }  # fmt: skip
        standing.send(2, draft="p-3")
        standing.store.write(f"{MADE}portraits/d/likeness.json", json.dumps(LIKENESS).encode())
        for key in (PORTRAIT["key"], PORTRAIT["layouts"]["resume"]):  # type: ignore[index]
            standing.store.write(str(key), b"picture")
        yield standing


def _steady(text: str) -> str:
    """Without what is random, and without which of its credentials the page signed with."""
    text = re.sub(r"\bp-[0-9a-f]{16}\b", "p-<random>", text)
    text = re.sub(r"temporary-\d+", "temporary", text)
    return re.sub(r"(X-Amz-Signature=)[0-9a-f]{64}", r"\1<signature>", text)


def _body(answer: Any) -> Any:
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if not answer.content:
        return None
    if kind == "application/json":
        return _forms(json.loads(_steady(answer.text)))
    if kind == "application/zip":
        return zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    return digest(answer.content) if len(answer.content) > 300 else answer.text


def _forms(value: Any) -> Any:
    """The signature of an upload's form is left out: it follows from the rest and from the credentials."""
    if isinstance(value, list):
        return [_forms(inner) for inner in value]
    if isinstance(value, dict):
        left_out = ("x-amz-signature", "policy")
        return {key: "<signed>" if key.lower() in left_out else _forms(inner) for key, inner in value.items()}
    return value


def _answer(answer: Any) -> dict[str, Any]:
    headers = {name: value for name, value in sorted(answer.headers.items()) if name not in VARYING}
    if headers.get("content-type") == "application/json":
        # As long as its random parts.
        headers.pop("content-length", None)
    return {"status": answer.status_code, "headers": headers, "body": _body(answer)}


READS = (
    "/healthz", "/readyz", "/api/session", "/api/styles", "/api/uploads/p-3", "/api/uploads/none", "/api/requests",
    "/api/requests/p-1", "/api/requests/p-2", "/api/requests/none", "/api/requests/p-1/comparisons",
    "/api/requests/p-2/comparisons", "/api/requests/p-1/preview", "/api/requests/p-1/checks",
    "/api/requests/p-1/portraits.zip", "/api/requests/p-2/portraits.zip",
    "/api/requests/none/events", "/api/nothing", "/nothing",
)  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_read(page: Any, language: str) -> None:
    answers = {path: _answer(page.get(path, **{"Accept-Language": language})) for path in READS}
    # The page says everything in the visitor's language itself, by the files that it is served.
    compare("page-reads.yaml", as_yaml(answers))


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_written(page: Any, language: str) -> None:
    writes: list[tuple[str, str, Any]] = [
        ("POST", "/api/uploads", {"draft": "p-4", "photos": PHOTOS}),
        ("POST", "/api/uploads", {"draft": "p-4", "photos": [{**PHOTOS[0], "type": "text/html"}]}),
        ("POST", "/api/uploads", {"draft": "p-4", "photos": [{**PHOTOS[0], "bytes": 10**9}]}),
        ("DELETE", "/api/uploads/p-3/0.jpg", None),
        ("DELETE", "/api/uploads/p-3/9.jpg", None),
        ("POST", "/api/requests", {"draft": "p-5", "styles": ["studio-warm"]}),
        ("POST", "/api/requests", {"draft": "p-3", "styles": []}),
        (
            "POST",
            "/api/requests",
            {"draft": "p-3", "styles": ["studio-warm"], "title": "Card", "noun": "woman", "portraits": 2,
             "layouts": ["resume"]},
        ),
        ("POST", "/api/requests", {"draft": "p-3", "styles": ["studio-warm"]}),
        ("POST", "/api/requests/p-1/look", {"styles": ["studio-warm"]}),
        ("POST", "/api/requests/p-1/look-again", None),
        ("POST", "/api/requests/p-1/look", {"seed": -1}),
        ("DELETE", "/api/requests/p-1", None),
        ("DELETE", "/api/requests/p-1", None),
    ]  # fmt: skip
    answers = []
    for method, path, body in writes:
        headers = house.page_headers(**{"Accept-Language": language})
        answer = page.client.request(method, path, json=body, headers=headers)
        answers.append({"call": f"{method} {path}", "sent": body, **_answer(answer)})
    left = {
        "requests": {f"{space}/{name}": request["spec"] for (space, name), request in page.api.requests.items()},
        "store": sorted(page.store.objects),
        "policies": page.tokens.policies,
    }
    compare("page-writes.yaml", as_yaml({"answers": answers, "left": left}))


def test_who_is_not_let_in(page: Any) -> None:
    good = house.page_headers()
    without = {name: {key: value for key, value in good.items() if key != name} for name in good}
    cases = {
        "nobody": page.client.get("/api/requests"),
        "another host": page.client.get("/api/requests", headers={**good, "Host": "evil.example.com"}),
        **{f"without {name}": page.client.delete("/api/requests/p-1", headers=left) for name, left in without.items()},
        "too long": page.client.post("/api/requests", content=b"x" * 70_000, headers=good),
        "no JSON": page.client.post("/api/requests", content=b"{", headers=good),
    }
    compare("page-door.yaml", as_yaml({name: _answer(answer) for name, answer in cases.items()}))


def test_the_files(page: Any) -> None:
    paths = ["/", *(f"/{name}" for name in house.page_files())]
    # What stands in them is no answer of the program.
    answers = {path: _answer(page.client.get(path)) for path in paths}
    for answer in answers.values():
        answer["headers"].pop("content-length", None)
        answer.pop("body")
    compare("page-files.yaml", as_yaml(answers))


def test_every_route_is_asked(page: Any) -> None:
    asked = {
        "/healthz", "/readyz", "/api/session", "/api/styles", "/api/uploads/{draft}", "/api/uploads",
        "/api/uploads/{draft}/{name}", "/api/requests", "/api/requests/{name}", "/api/requests/{name}/look-again",
        "/api/requests/{name}/look", "/api/requests/{name}/checks", "/api/requests/{name}/preview",
        "/api/requests/{name}/events", "/api/requests/{name}/comparisons", "/api/requests/{name}/portraits.zip",
    }  # fmt: skip
    assert house.page_routes(page) == asked


async def test_what_a_page_that_follows_a_request_is_told() -> None:
    compare("page-events.yaml", as_yaml(await house.page_events()))
