"""Another look of portraits that stand: what the page changes of a request, and when it may."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api_documents import Call
from page_requests import PORTRAIT, READY, STALLED, TIMES, code, limited
from page_world import JUNHO, MINJI, NAMESPACE, World, world

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


def test_another_look_keeps_what_was_said_of_a_style_before(page: World) -> None:
    document = page.made(portraits=[PORTRAIT], conditions=READY)
    asked = {"name": "studio-warm", "kind": "ClusterProfileStyle", "refresh": 3, "novelty": True}
    document["spec"]["styles"] = [asked]
    assert page.post("/api/requests/p-1/look", LOOK).status_code == 200
    styles = page.api.requests[NAMESPACE, "p-1"]["spec"]["styles"]
    assert styles == [{"name": "studio-cool"}, asked]
