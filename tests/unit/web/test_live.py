"""What pages are told while they follow requests, and what that costs the cluster and Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import routing

from page_world import MINJI, NAMESPACE, ApiServer, owner, world
from profile_contract.ownership import OWNER_LABEL
from profile_contract.progress import ProgressEvent, stream_key
from profile_web import live
from profile_web.bucket import PICTURE_SECONDS
from profile_web.config import Namespaces, VisitorLimits, WebConfig
from profile_web.live import Watch
from profile_web.metrics import STREAMS
from profile_web.visitor import Visitor

VISITOR = Visitor("minji@example.com", NAMESPACE, "me")
MOST = 5


def document(owner_: str = "me", name: str = "p-1") -> dict[str, Any]:
    return {
        "metadata": {"labels": {OWNER_LABEL: owner_}},
        "spec": {"photos": {"prefix": f"uploads/{owner_}/{name}/"}, "styles": ["studio-warm"]},
    }


class Streams:
    """Redis' streams in memory."""

    def __init__(self) -> None:
        self.entries: dict[str, list[tuple[bytes, dict[bytes, bytes]]]] = {}
        self.reading, self.most_reading, self.reads = 0, 0, 0
        self.failure: Exception | None = None

    def tell(self, name: str, percent: int) -> None:
        event = ProgressEvent(namespace=NAMESPACE, name=name, stage="train", digest="d", percent=percent)
        entries = self.entries.setdefault(stream_key(NAMESPACE, name), [])
        entries.append((f"{len(entries) + 1}-0".encode(), {b"event": event.to_json().encode()}))

    async def xread(self, streams: dict[str, str], block: int) -> list[Any]:
        self.reading += 1
        self.reads += 1
        self.most_reading = max(self.most_reading, self.reading)
        await asyncio.sleep(0.005)
        self.reading -= 1
        if self.failure:
            raise self.failure
        seen = {stream: 0 if cursor == "$" else int(cursor.partition("-")[0]) for stream, cursor in streams.items()}
        found = {stream: self.entries.get(stream, [])[after:] for stream, after in seen.items()}
        return [[stream.encode(), entries] for stream, entries in found.items() if entries]


@asynccontextmanager
async def watching(monkeypatch: pytest.MonkeyPatch, redis: Any = None) -> AsyncIterator[tuple[Watch, ApiServer]]:
    monkeypatch.setattr(live, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(live, "WAIT_SECONDS", 0.02)
    api = ApiServer()
    watch = Watch(api.cluster(), live.ProgressStreams(redis))
    yield watch, api
    await watch.close()


def view(found: dict[str, Any]) -> str:
    return str(found["metadata"]["resourceVersion"])


async def told(
    watch: Watch, name: str = "p-1", visitor: Visitor = VISITOR, seconds: float = 0.6
) -> list[tuple[Any, Any]]:
    async with asyncio.timeout(seconds + 20):
        return [(event.event, event.raw_data) async for event in watch.follow(visitor, name, view, MOST, seconds)]


class Listener:
    """A page that follows `p-1`, and what it was told so far."""

    def __init__(self, watch: Watch, seconds: float) -> None:
        self.events: list[tuple[Any, Any]] = []
        self._listening = asyncio.create_task(self._listen(watch, seconds))

    async def _listen(self, watch: Watch, seconds: float) -> None:
        async for event in watch.follow(VISITOR, "p-1", view, MOST, seconds):
            self.events.append((event.event, event.raw_data))

    async def hears(self, count: int) -> None:
        """Wait until so many events have come."""
        async with asyncio.timeout(20):
            while len(self.events) < count:
                await asyncio.sleep(0.005)

    async def end(self) -> list[tuple[Any, Any]]:
        """Everything that it was told, once the stream has ended."""
        async with asyncio.timeout(20):
            await self._listening
        return self.events


async def test_what_did_not_change_is_told_once_and_the_page_asks_again_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with watching(monkeypatch) as (watch, api):
        api.put_request(NAMESPACE, "p-1", document())
        assert await told(watch) == [("request", "1"), ("again", "{}")]


async def test_what_changed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(monkeypatch) as (watch, api):
        api.put_request(NAMESPACE, "p-1", document())
        page = Listener(watch, seconds=2)
        await page.hears(1)
        api.put_request(NAMESPACE, "p-1", document())
        assert await page.end() == [("request", "1"), ("request", "2"), ("again", "{}")]


async def test_after_an_outage_it_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(monkeypatch) as (watch, api):
        api.put_request(NAMESPACE, "p-1", document())
        page = Listener(watch, seconds=2)
        await page.hears(1)
        api.failure = ConnectionError()
        await page.hears(2)
        api.failure = None
        assert [event for event, _ in await page.end()] == ["request", "away", "request", "again"]


@pytest.mark.parametrize("change", ["deleted", "relabelled", "moved"])
async def test_what_is_not_the_visitors_any_more_is_gone(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    async with watching(monkeypatch) as (watch, api):
        api.put_request(NAMESPACE, "p-1", document())
        page = Listener(watch, seconds=15)
        await page.hears(1)
        if change == "deleted":
            api.objects.clear()
        elif change == "relabelled":
            api.requests[NAMESPACE, "p-1"]["metadata"]["labels"][OWNER_LABEL] = "other"
        else:
            api.requests[NAMESPACE, "p-1"]["spec"]["photos"]["prefix"] = "uploads/other/p-1/"
        assert await page.end() == [("request", "1"), ("gone", "{}")]


async def test_anothers_request_is_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(monkeypatch) as (watch, api):
        api.put_request(NAMESPACE, "p-1", document("other"))
        other = Visitor("other", NAMESPACE, "other")
        mine, others = await asyncio.gather(told(watch), told(watch, visitor=other))
        assert mine == [("gone", "{}")]
        assert others == [("request", "1"), ("again", "{}")]


async def test_however_many_pages_are_open_the_cluster_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    redis = Streams()
    async with watching(monkeypatch, redis) as (watch, api):
        people = [Visitor(f"{n}", NAMESPACE, f"owner-{n}") for n in range(30)]
        for person in people:
            api.put_request(NAMESPACE, f"p-{person.owner}", document(person.owner, f"p-{person.owner}"))
        monkeypatch.setattr(live, "PAUSE_SECONDS", 0.2)
        following = [told(watch, f"p-{person.owner}", person, 0.8) for person in people for _ in range(MOST)]
        everything = await asyncio.gather(*following)
        assert all(events[0][0] == "request" for events in everything)
        assert len(api.calls) <= 6
        assert redis.most_reading == 1


async def test_who_stops_following_costs_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(monkeypatch) as (watch, api):
        api.put_request(NAMESPACE, "p-1", document())
        await told(watch, seconds=0.3)
        await asyncio.sleep(0.05)
        calls = len(api.calls)
        await asyncio.sleep(0.1)
        assert len(api.calls) == calls
        # And who comes back is told everything anew.
        assert (await told(watch))[0] == ("request", "1")


async def test_one_visitor_follows_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(monkeypatch) as (watch, api):
        api.put_request(NAMESPACE, "p-1", document())
        following = [asyncio.create_task(told(watch, seconds=0.8)) for _ in range(MOST)]
        await asyncio.sleep(0.05)
        assert watch.streams(VISITOR) == MOST
        assert await told(watch) == [("busy", "{}")]
        # Somebody of the same name elsewhere is somebody else.
        assert watch.streams(Visitor("minji@example.com", "elsewhere", "me")) == 0
        await asyncio.gather(*following)
        assert watch.streams(VISITOR) == 0
        assert (await told(watch))[0] == ("request", "1")


async def test_progress_is_told_to_everybody_who_follows_and_to_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    redis = Streams()
    async with watching(monkeypatch, redis) as (watch, api):
        for name in ("p-1", "p-2"):
            api.put_request(NAMESPACE, name, document(name=name))
        following = [asyncio.create_task(told(watch, name, seconds=0.9)) for name in ("p-1", "p-1", "p-2")]
        await asyncio.sleep(0.05)
        redis.tell("p-1", 40)
        first, second, other = await asyncio.gather(*following)
        progress = [("progress", '{"stage": "train", "percent": 40, "remainingSeconds": null}')]
        assert [event for event in first if event[0] == "progress"] == progress
        assert [event for event in second if event[0] == "progress"] == progress
        assert "progress" not in dict(other)


async def test_without_redis_nothing_but_progress_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    redis = Streams()
    redis.failure = ConnectionError()
    async with watching(monkeypatch, redis) as (watch, api):
        api.put_request(NAMESPACE, "p-1", document())
        assert await told(watch) == [("request", "1"), ("again", "{}")]


def test_a_stream_ends_before_sign_in_and_links_are_old() -> None:
    assert live.STREAM_SECONDS <= 900
    assert live.STREAM_SECONDS <= PICTURE_SECONDS / 2


def test_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(routing, "_PING_INTERVAL", 0.2)
    from page_world import STORE

    config = WebConfig(namespaces=Namespaces(default=NAMESPACE), store=STORE, limits=VisitorLimits(streams=1))
    with world(config) as page:
        page.made()
        whole = page.page.watch.follow

        def short(*arguments: Any) -> Any:
            return whole(*arguments, 1.0)

        page.page.watch.follow = short
        answer = page.get("/api/requests/p-1/events")
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "private, no-store"
        # Proxies pass each event on at once, and hear something while nothing happens.
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.text.count("\n: ping\n") >= 2
        assert STREAMS._value.get() == 0
        assert [line for line in answer.text.splitlines() if line.startswith("event:")] == [
            "event: request",
            "event: again",
        ]
        assert '"name":"p-1"' in answer.text
        someone = Visitor("", NAMESPACE, owner(MINJI))
        page.page.watch._following[someone, "p-1"] += 1
        refused = page.get("/api/requests/p-1/events")
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-streams")
