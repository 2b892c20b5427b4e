"""The page's HTTP interface against the real API server and store: who sees what, and what the store takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from page_on_cluster import as_, page_on
from product import Product, Request, Space, pictures_in
from profile_cli.demo.target import Target
from profile_contract.ownership import OWNER_LABEL
from profile_sandbox import Sandbox, SandboxError, passwords, services
from profile_web.purges import AGAIN_SECONDS

pytestmark = pytest.mark.cluster

MOST_BYTES = 200_000
FEWEST_PHOTOS = 5
MINJI, JUNHO, NOBODY = "minji@example.com", "junho@example.com", "guest@elsewhere.example"


@pytest.fixture
def page(sandbox: Sandbox, target: Target, space: Space, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The page behind a sign-in proxy, with the store account that the chart asks for."""
    monkeypatch.setenv("KUBECONFIG", str(target.kubeconfig))
    with TestClient(page_on(sandbox, space.name, [MINJI, JUNHO], photo_bytes=MOST_BYTES)) as client:
        yield client


def _form(page: TestClient, photo: Path, *, user: str = MINJI, draft: str = "p-1") -> dict[str, Any]:
    wish = {"draft": draft, "photos": [{"name": photo.name, "type": "image/jpeg", "bytes": photo.stat().st_size}]}
    answer = page.post("/api/uploads", json=wish, headers=as_(user))
    assert answer.status_code == 200, answer.text
    form: dict[str, Any] = answer.json()[0]
    return form


def _send(form: dict[str, Any], data: bytes, **changed: str) -> int:
    fields = {**form["fields"], **changed}
    return httpx2.post(form["url"], data=fields, files={"file": ("photo", data, fields["Content-Type"])}).status_code


def test_a_form_takes_this_photo_and_nothing_else(page: TestClient, space: Space, people: Path) -> None:
    photo = pictures_in(people / "p00060")[0]
    form, data = _form(page, photo), photo.read_bytes()
    assert _send(form, data + bytes(MOST_BYTES)) == 400
    assert _send(form, b"tiny") == 400
    assert _send(form, data, **{"Content-Type": "text/html"}) == 403
    assert _send(form, data, key=f"other/uploads/{photo.name}") == 403
    assert [found.key for found in space.store.list(f"{space.name}/")] == []
    assert _send(form, data) in (200, 204)
    (found,) = space.store.list(f"{space.area}uploads/")
    assert (found.key, found.bytes) == (form["fields"]["key"], len(data))


def test_requests_are_their_owners_alone(page: TestClient, space: Space, people: Path) -> None:
    photo = pictures_in(people / "p00060")[0]
    assert _send(_form(page, photo), photo.read_bytes()) in (200, 204)
    made = page.post("/api/requests", json={"draft": "p-1", "styles": ["studio-warm"]}, headers=as_(MINJI))
    assert made.status_code == 201, made.text
    assert [one["name"] for one in page.get("/api/requests", headers=as_(MINJI)).json()] == ["p-1"]
    assert page.get("/api/requests", headers=as_(JUNHO)).json() == []
    for path in ("/api/requests/p-1", "/api/requests/p-1/events", "/api/requests/p-1/portraits.zip"):
        assert page.get(path, headers=as_(JUNHO)).status_code == 404
    assert page.post("/api/requests/p-1/look-again", headers=as_(JUNHO)).status_code == 404
    assert page.delete("/api/requests/p-1", headers=as_(JUNHO)).status_code == 404
    assert page.delete(f"/api/uploads/p-1/{photo.name}", headers=as_(JUNHO)).status_code == 404
    again = page.post("/api/requests", json={"draft": "p-1", "styles": ["studio-warm"]}, headers=as_(MINJI))
    assert again.status_code == 409
    assert again.json()["code"] == "name-taken"
    # Whoever may edit requests still cannot make somebody else's theirs.
    with pytest.raises(SandboxError, match=f"{OWNER_LABEL} .* cannot be changed"):
        space.kubectl.run("-n", space.name, "label", "profilerequest", "p-1", "--overwrite", f"{OWNER_LABEL}=somebody")
    late = _form(page, photo)
    assert page.delete("/api/requests/p-1", headers=as_(MINJI)).status_code == 204
    assert space.store.list(f"{space.area}uploads/") == []
    # The store takes a form until it ends, whatever was deleted meanwhile: what comes so does not stay.
    assert _send(late, photo.read_bytes()) in (200, 204)
    assert page.portal is not None
    app: Any = page.app
    page.portal.call(app.state.page.purges.empty_due, time.time() + AGAIN_SECONDS[-1] + 1)
    assert space.store.list(f"{space.area}uploads/") == []


@pytest.mark.timeout(900)
def test_comparisons_are_their_owners_alone(page: TestClient, space: Space, people: Path) -> None:
    """What was delivered in one light beside the same start in the other: links that show pictures, to one person."""
    for photo in pictures_in(people / "p00060", FEWEST_PHOTOS):
        assert _send(_form(page, photo), photo.read_bytes()) in (200, 204)
    styles = {"studio-warm", "studio-cool"}
    wish = {"draft": "p-1", "noun": "woman", "styles": sorted(styles), "portraits": 1}
    assert page.post("/api/requests", json=wish, headers=as_(MINJI)).status_code == 201
    path = "/api/requests/p-1/comparisons"
    # There are none yet, which is no mistake; whose they will be is decided already.
    assert (page.get(path, headers=as_(MINJI)).json(), page.get(path, headers=as_(JUNHO)).status_code) == ([], 404)
    Request(space.kubectl, space.name, "p-1").wait(seconds=600)
    rows = page.get(path, headers=as_(MINJI)).json()
    sides = [side for row in rows for side in row["sides"]]
    assert rows
    assert all({side["style"] for side in row["sides"]} == styles for row in rows)
    assert sorted(side["style"] for side in sides if side["delivered"]) == sorted(styles)
    assert all(side["url"] for side in sides if side["delivered"])
    assert all(isinstance(side["bShift"], float) for side in sides)
    for side in [side for side in sides if side["url"]]:
        picture = httpx2.get(side["url"])
        assert (picture.status_code, picture.headers["Content-Type"]) == (200, "image/png")
        assert picture.headers["Cache-Control"] == "private, no-store"
        # The link's signature is the leave: without it the store shows nobody anything.
        assert httpx2.get(side["url"].partition("?")[0]).status_code == 403
    refused = page.get(path, headers=as_(JUNHO))
    missing = page.get("/api/requests/p-2/comparisons", headers=as_(JUNHO))
    # Somebody else's is as one that does not exist.
    assert (refused.status_code, missing.status_code) == (404, 404)
    assert refused.json() == missing.json()
    assert page.get(path, headers=as_(NOBODY)).status_code == 403
    assert page.get(path).status_code == 401


def test_what_cannot_be_asked_for_is_said_in_words(page: TestClient) -> None:
    nothing = page.post("/api/requests", json={"draft": "p-9", "styles": ["studio-warm"]}, headers=as_(MINJI))
    assert (nothing.status_code, nothing.json()["code"]) == (422, "no-photos")
    wrong = page.post("/api/requests", json={"draft": "p-9", "styles": []}, headers=as_(MINJI))
    assert wrong.status_code == 422
    assert wrong.json()["values"] == {"field": "styles"}
    many = {"draft": "p-9", "photos": [{"name": f"{n}.jpg", "type": "image/jpeg", "bytes": 9} for n in range(21)]}
    assert page.post("/api/uploads", json=many, headers=as_(MINJI)).json()["code"] == "too-many-photos"


def test_the_door(page: TestClient) -> None:
    assert page.get("/api/session").status_code == 401
    refused = page.get("/api/session", headers=as_(NOBODY))
    assert refused.status_code == 403
    assert NOBODY in refused.json()["message"]
    # Another site's form can make a browser send this, cookies and all, but not the header.
    forged = page.delete("/api/requests/p-1", headers={"X-Auth-Request-User": MINJI})
    assert (forged.status_code, forged.json()["code"]) == (403, "not-from-page")
    policy = page.get("/").headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "'unsafe" not in policy


def test_the_pages_account_reads_and_writes_no_more_than_it_must(sandbox: Sandbox, product: Product) -> None:
    from profile_runtime.store.port import StoreError
    from profile_runtime.store.s3 import open_s3

    url = f"s3://{services.BUCKET}?endpoint={sandbox.address('minio')}&secure=false&region={services.REGION}"
    account = {"AWS_ACCESS_KEY_ID": passwords.STORE_WEB_USER, "AWS_SECRET_ACCESS_KEY": sandbox.passwords.store_web}
    mine = open_s3(url, account)
    mine.write("test-web.1a2b3c4d-5e6f/uploads/a.jpg", b"photo")
    mine.delete("test-web.1a2b3c4d-5e6f/uploads/")
    product.store.write("test-web.1a2b3c4d-5e6f/requests/r/portraits/x.png", b"portrait")
    assert mine.read("test-web.1a2b3c4d-5e6f/requests/r/portraits/x.png") == b"portrait"
    with pytest.raises(StoreError, match="AccessDenied"):
        mine.write("test-web.1a2b3c4d-5e6f/requests/r/portraits/x.png", b"another")
    with pytest.raises(StoreError, match="could not be deleted"):
        mine.delete("test-web.1a2b3c4d-5e6f/requests/")
    product.store.delete("test-web.1a2b3c4d-5e6f/")
