"""What was deleted stays deleted: forms that live on, drafts that nobody ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from areas import area
from page_world import AREA, JUNHO, MINJI, NAMESPACE, STORE, World, owner, sent_to, world
from profile_runtime.store.port import StoredObject, StoreError
from profile_web.bucket import UPLOAD_SECONDS
from profile_web.config import Drafts, Namespaces, WebConfig
from profile_web.purges import AGAIN_SECONDS, Purges, expired_drafts, newest_photos

BASE = sent_to(MINJI, "p-1")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def later(page: World, seconds: float) -> None:
    """What the page does of itself when so much time has passed."""
    import time

    assert page.client.portal is not None
    page.client.portal.call(page.page.purges.empty_due, time.time() + seconds)


def test_a_form_given_before_a_request_was_deleted_brings_nothing_back(page: World) -> None:
    page.made()
    (form,) = page.ask_for_forms().json()
    assert page.delete("/api/requests/p-1").status_code == 204
    assert page.store.objects == {}
    assert page.api.requests == {}
    for moment in AGAIN_SECONDS:
        page.store.write(form["fields"]["key"], b"a face that was deleted")
        later(page, moment - 1 if moment == AGAIN_SECONDS[0] else AGAIN_SECONDS[0] + 1)
        page.store.write(form["fields"]["key"], b"a face that was deleted")
        later(page, moment + 1)
        assert page.store.objects == {}, moment
    assert AGAIN_SECONDS[0] > UPLOAD_SECONDS


def test_to_what_was_deleted_nothing_more_is_sent(page: World) -> None:
    page.made()
    page.delete("/api/requests/p-1")
    assert page.ask_for_forms().json()["code"] == "request-not-found"
    page.store.write(f"{BASE}0.jpg", b"late")
    assert page.make().json()["code"] == "request-not-found"
    assert page.ask_for_forms(subject=JUNHO).status_code == 200


def test_a_photo_that_was_taken_away_does_not_come_back(page: World) -> None:
    page.send(2)
    page.delete("/api/uploads/p-1/0.jpg")
    page.store.write(f"{BASE}0.jpg", b"by the form given before")
    later(page, AGAIN_SECONDS[0] + 1)
    assert set(page.store.objects) == {f"{BASE}1.jpg"}


def test_a_photo_of_the_same_name_that_is_sent_later_stays(page: World, monkeypatch: pytest.MonkeyPatch) -> None:
    page.send(1)
    page.delete("/api/uploads/p-1/0.jpg")
    # While the old form lives, the name is not given again.
    assert page.ask_for_forms(1).json()[0]["name"] == "0-2.jpg"
    page.page.forms = type(page.page.forms)()
    (form,) = page.ask_for_forms(1).json()
    assert form["name"] == "0.jpg"
    page.store.write(form["fields"]["key"], b"meant to stay")
    later(page, AGAIN_SECONDS[-1] + 1)
    assert page.store.objects == {f"{BASE}0.jpg": b"meant to stay"}


def test_what_the_store_does_not_delete_now_is_tried_again(page: World) -> None:
    page.made()
    page.delete("/api/requests/p-1")
    page.store.write(f"{BASE}0.jpg", b"late")
    page.store.away = True
    later(page, AGAIN_SECONDS[-1] + 1)
    page.store.away = False
    later(page, AGAIN_SECONDS[-1] + 1)
    assert page.store.objects == {}


class Sets:
    """Redis' sorted sets in memory."""

    def __init__(self) -> None:
        self.entries: dict[str, float] = {}
        self.away = False

    def _asked(self) -> None:
        if self.away:
            raise ConnectionError

    async def zadd(self, _: str, entries: dict[str, float]) -> None:
        self._asked()
        self.entries |= entries

    async def zrangebyscore(self, _: str, __: str, most: float) -> list[bytes]:
        self._asked()
        return [entry.encode() for entry, at in self.entries.items() if at <= most]

    async def zrem(self, _: str, *entries: str) -> None:
        self._asked()
        for entry in entries:
            self.entries.pop(entry, None)


async def test_a_restart_forgets_nothing_where_there_is_redis() -> None:
    redis, purged = Sets(), []

    async def purge(place: str) -> None:
        purged.append(place)

    await Purges(purge, redis).schedule("ns.1a2b3c4d-5e6f/uploads/o/a b/", now=1000.0)
    again = Purges(purge, redis)
    await again.empty_due(1000.0 + UPLOAD_SECONDS)
    assert purged == []
    await again.empty_due(1000.0 + AGAIN_SECONDS[0])
    assert purged == ["ns.1a2b3c4d-5e6f/uploads/o/a b/"]
    await again.empty_due(1000.0 + AGAIN_SECONDS[0] + 1)
    assert len(purged) == 1
    await again.empty_due(1000.0 + AGAIN_SECONDS[1])
    assert len(purged) == 2
    assert redis.entries == {}


async def test_while_redis_is_away_memory_serves() -> None:
    redis, purged = Sets(), []
    redis.away = True

    async def purge(place: str) -> None:
        purged.append(place)

    purges = Purges(purge, redis)
    await purges.schedule("ns.1a2b3c4d-5e6f/uploads/o/a/", now=0.0)
    await purges.empty_due(AGAIN_SECONDS[0])
    assert purged == ["ns.1a2b3c4d-5e6f/uploads/o/a/"]
    await purges.cancel("ns.1a2b3c4d-5e6f/uploads/o/a/")
    await purges.empty_due(AGAIN_SECONDS[1])
    assert len(purged) == 1


async def test_one_place_that_cannot_be_emptied_keeps_no_other() -> None:
    purged = []

    async def purge(place: str) -> None:
        if place == "bad/":
            raise StoreError("away")
        purged.append(place)

    purges = Purges(purge)
    await purges.schedule("bad/", now=0.0)
    await purges.schedule("good/", now=0.0)
    await purges.empty_due(AGAIN_SECONDS[0])
    assert purged == ["good/"]


# --- drafts ------------------------------------------------------------------------------------------------------


def stored(key: str, hours: float | None) -> StoredObject:
    return StoredObject(key, 1, "tag", None if hours is None else NOW - timedelta(hours=hours))


def expired(*objects: StoredObject, requested: tuple[str, ...] = ()) -> list[str]:
    found = expired_drafts(newest_photos(objects, area("ns"), NOW), requested, NOW, 24 * 3600)
    return [f"{area('ns')}{prefix}" for prefix in found]


OWNER, NS = "0123456789abcdef" * 2, area("ns")


def test_a_draft_is_as_old_as_its_newest_photo() -> None:
    old, new = f"ns.1a2b3c4d-5e6f/uploads/{OWNER}/p-1/", f"ns.1a2b3c4d-5e6f/uploads/{OWNER}/p-2/"
    objects = [
        stored(f"{old}a.jpg", 30),
        stored(f"{old}b.jpg", 24.1),
        stored(f"{new}a.jpg", 30),
        stored(f"{new}b.jpg", 1),
    ]
    assert expired(*objects) == [old]
    assert expired(stored(f"{old}a.jpg", 23.9)) == []
    assert expired(stored(f"{old}a.jpg", None)) == []


@pytest.mark.parametrize(
    "key",
    [
        f"{NS}uploads/minji/01.jpg", f"{NS}uploads/hr/minji/01.jpg", f"{NS}uploads/{OWNER}/01.jpg",
        f"{NS}uploads/{OWNER}/p-1/sub/01.jpg", f"{NS}uploads/x/{OWNER}/p-1/01.jpg", f"{NS}uploads/{OWNER}/P-1/01.jpg",
        f"{area('other')}uploads/{OWNER}/p-1/01.jpg", f"{NS}requests/{OWNER}/p-1/01.jpg",
        f"ns/uploads/{OWNER}/p-1/1.jpg",
    ],
)  # fmt: skip
def test_what_the_page_did_not_send_is_not_its_to_delete(key: str) -> None:
    assert expired(stored(key, 1000)) == []


def test_the_photos_of_a_request_are_no_draft() -> None:
    key = f"ns.1a2b3c4d-5e6f/uploads/{OWNER}/p-1/a.jpg"
    assert expired(stored(key, 1000), requested=(f"uploads/{OWNER}/p-1/",)) == []
    assert expired(stored(key, 1000), requested=(f"uploads/{OWNER}/p-2/", "uploads/")) == [
        f"ns.1a2b3c4d-5e6f/uploads/{OWNER}/p-1/"
    ]


def test_old_drafts_of_everybody_are_deleted_and_requests_are_not() -> None:
    config = WebConfig(namespaces=Namespaces(default=NAMESPACE), store=STORE, drafts=Drafts(expire_after="2h"))
    with world(config) as page:
        page.made("p-1")
        page.send(1, "p-2")
        page.send(1, "p-3", JUNHO)
        page.store.write(f"{AREA}uploads/minji/1.jpg", b"by hand")
        kept = {*(key for key in page.store.objects if "p-3" not in key)}
        for key in page.store.objects:
            page.store.modified[key] = datetime.now(UTC) - timedelta(hours=1 if "p-2" in key else 3)
        run: Any = page.client.portal
        run.call(page.page.delete_expired, NAMESPACE)
        assert set(page.store.objects) == kept
        # Of requests nobody knows anything: nothing is deleted then.
        page.api.failure = ConnectionError()
        with pytest.raises(Exception, match="cluster-away"):
            run.call(page.page.delete_expired, NAMESPACE)
        assert set(page.store.objects) == kept
    assert owner(MINJI) != owner(JUNHO)


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("24h", 86_400), ("7d", 604_800)])
def test_how_long_a_draft_stays(text: str, seconds: int) -> None:
    assert Drafts(expire_after=text).seconds == seconds


@pytest.mark.parametrize("text", ["", "0h", "24", "h", "-1h", "1w", "1.5h"])
def test_times_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expire"):
        Drafts(expire_after=text)
