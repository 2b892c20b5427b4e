"""A first picture beside a new request: who asks for it, who sees it, and with what it goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from page_world import AREA, JUNHO, MINJI, NAMESPACE, STYLE, World, as_, owner, world

RETOUCH = {**STYLE, "mode": "ImageToImage"}
MADE = f"{AREA}requests/p-1-preview/portraits/d/retouch-warm/01-000001"
SHOWN = {
    "style": "retouch-warm", "key": f"{MADE}.png", "source": f"{MADE}-source.jpg", "seed": 1, "rank": 1, "likeness": 60,
}  # fmt: skip
READY = {
    "type": "Ready", "status": "True", "reason": "Succeeded", "lastTransitionTime": "2026-01-01T00:00:00Z",
    "observedGeneration": 1,
}  # fmt: skip


@pytest.fixture
def page() -> Iterator[World]:
    with world() as standing:
        looks = {
            "studio-warm": STYLE,
            "retouch-cool": {**RETOUCH, "tone": "Cool"},
            "retouch-warm": RETOUCH,
        }
        standing.api.styles = [{"metadata": {"name": name}, "spec": spec} for name, spec in looks.items()]
        yield standing


def previewed(page: World, **status: Any) -> dict[str, Any]:
    """The request beside p-1, with a status."""
    document: dict[str, Any] = page.api.requests[NAMESPACE, "p-1-preview"]
    document["status"] = {"observedGeneration": 1, "area": AREA, "conditions": [READY], "previews": [SHOWN], **status}
    return document


def seen(page: World, subject: str = MINJI) -> Any:
    return page.client.get("/api/requests/p-1/preview", headers=as_(subject))


def test_a_first_picture_is_asked_for_in_the_light_of_the_first_look(page: World) -> None:
    request = page.made()
    document = page.api.requests[NAMESPACE, "p-1-preview"]
    assert document["spec"] == {
        "photos": {"prefix": f"uploads/{owner(MINJI)}/p-1/"},
        "styles": [{"name": "retouch-warm"}],
        "portraits": 1, "candidates": 2, "training": {"mode": "None"}, "minimumLikeness": 0,
    }  # fmt: skip
    (belongs,) = document["metadata"]["ownerReferences"]
    assert belongs["uid"] == request["metadata"]["uid"]
    assert (belongs["kind"], belongs["name"]) == ("ProfileRequest", "p-1")


def test_the_photo_that_is_kept_and_the_look_that_keeps_it_are_those_that_were_chosen(page: World) -> None:
    page.send()
    assert page.make(styles=["studio-warm", "retouch-cool"], source="2.jpg").status_code == 201
    assert page.api.requests[NAMESPACE, "p-1"]["spec"]["source"] == "2.jpg"
    spec = page.api.requests[NAMESPACE, "p-1-preview"]["spec"]
    assert (spec["styles"], spec["source"]) == ([{"name": "retouch-cool"}], "2.jpg")


def test_where_no_look_keeps_a_photo_no_picture_is_asked_for(page: World) -> None:
    page.api.styles = [{"metadata": {"name": "studio-warm"}, "spec": STYLE}]
    page.made()
    assert (NAMESPACE, "p-1-preview") not in page.api.requests
    assert seen(page).json() == {"state": "None", "pictures": []}


def test_a_picture_is_shown_beside_its_photo_to_its_owner_alone(page: World) -> None:
    page.made()
    assert seen(page).json() == {"state": "Running", "pictures": []}
    previewed(page)
    (picture,) = seen(page).json()["pictures"]
    assert picture["style"] == "retouch-warm"
    assert f"{MADE}.png?" in picture["url"]
    assert f"{MADE}-source.jpg?" in picture["source"]
    assert seen(page, JUNHO).status_code == 404


def test_a_request_of_that_name_that_is_somebody_elses_is_not_shown(page: World) -> None:
    page.made()
    previewed(page)["metadata"]["labels"] = {"profilestudio.io/owner": "somebody"}
    assert seen(page).json() == {"state": "None", "pictures": []}


def test_what_is_no_picture_of_that_request_is_not_linked(page: World) -> None:
    page.made()
    previewed(page, previews=[{**SHOWN, "key": f"{AREA}requests/p-2/portraits/d/w/01.png"}])
    assert seen(page).json()["pictures"] == []
    previewed(page, previews=[{**SHOWN, "source": f"{AREA}uploads/other/1.jpg"}])
    assert seen(page).json()["pictures"][0]["source"] == ""


def test_it_is_none_of_the_visitors_requests_and_goes_with_its_own(page: World) -> None:
    page.made()
    previewed(page)
    listed = page.client.get("/api/requests", headers=as_(MINJI)).json()
    assert [request["name"] for request in listed] == ["p-1"]
    assert page.client.delete("/api/requests/p-1", headers=as_(MINJI)).status_code == 204
    assert not page.api.requests


def test_a_name_that_leaves_no_room_has_none(page: World) -> None:
    long = "p" * 36
    page.send(draft=long)
    assert page.make(draft=long).status_code == 201
    assert list(page.api.requests) == [(NAMESPACE, long)]
