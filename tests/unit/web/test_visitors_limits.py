"""How much one visitor of the page may have: drafts, bytes, photos, requests."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from page_requests import READY, STALLED, code, limited
from page_world import JUNHO, MINJI, NAMESPACE, World, sent_to, world
from profile_runtime.store.port import StoredObject


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
