"""The watcher against an API server that answers as a real one does: pages, watches, bookmarks, versions too old."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client

from history_world import AWAY, KEY, MemoryDatabase, document, store_of
from profile_contract.resource import Key
from profile_history import recorder as recording
from profile_history import watcher as watching
from profile_history.cluster import Requests
from profile_history.recorder import Recorder
from profile_history.watcher import Watcher
from profile_runtime.kubernetes.aio import AsyncApi
from profile_runtime.kubernetes.errors import ApiError, ResourceExpired

ALL = "/apis/profilestudio.io/v1alpha1/profilerequests"
JUNHO = Key("hr", "junho")
Document = dict[str, Any]


class Server:
    """Lists in pages of two, and watches that give the events that the test has put in; `refusals` come first."""

    def __init__(self) -> None:
        self.requests: dict[str, Document] = {}
        self.version = 10
        self.events: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.refusals: list[int] = []

    def put(self, request: Document) -> None:
        self.requests[request["metadata"]["name"]] = request

    def tell(self, kind: str, thing: Document) -> None:
        """An event for whoever watches."""
        self.version += 1
        thing["metadata"]["resourceVersion"] = str(self.version)
        self.events.put_nowait(json.dumps({"type": kind, "object": thing}).encode() + b"\n")

    def lists(self) -> int:
        """How often somebody began a list."""
        return sum("watch" not in query and "continue" not in query for _, query in self.calls)

    def watched_from(self) -> list[str]:
        return [query["resourceVersion"] for _, query in self.calls if "watch" in query]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.calls.append((request.path, dict(request.query)))
        if self.refusals:
            return web.json_response({"code": 0}, status=self.refusals.pop(0))
        if "watch" not in request.query:
            begin = int(request.query.get("continue", 0))
            names = sorted(self.requests)
            more = {"continue": str(begin + 2)} if begin + 2 < len(names) else {}
            items = [self.requests[name] for name in names[begin : begin + 2]]
            return web.json_response({"metadata": {"resourceVersion": str(self.version), **more}, "items": items})
        response = web.StreamResponse()
        await response.prepare(request)
        while (line := await self._event(float(request.query["timeoutSeconds"]))) is not None:
            # As networks do: a line comes in pieces, and pieces hold more than a line.
            await response.write(line[:7])
            await response.write(line[7:])
        return response

    async def _event(self, seconds: float) -> bytes | None:
        """The next event; None where the watch ends."""
        try:
            return await asyncio.wait_for(self.events.get(), seconds)
        except TimeoutError:
            return None


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[AsyncApi]:
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    api = AsyncApi(client.ApiClient(client.Configuration(host=address)), seconds=5)
    try:
        yield api
    finally:
        server.events.put_nowait(None)
        await api.close()
        await runner.cleanup()


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


@asynccontextmanager
async def watched(
    server: Server, database: MemoryDatabase, folder: Path, *, namespace: str = "", resync: float = 60.0
) -> AsyncIterator[None]:
    """A watcher and its recorder at work."""
    async with serving(server) as api:
        recorder = Recorder(database, store_of(folder))
        watcher = Watcher(Requests(api, namespace), recorder, resync)
        tasks = [asyncio.create_task(work) for work in (recorder.work(), watcher.watch())]
        try:
            yield
        finally:
            assert not any(task.done() for task in tasks), "it ended by itself"
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def until(true: Callable[[], object]) -> None:
    for _ in range(300):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not come")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(recording, "RETRY_SECONDS", 0.01)


async def test_what_is_there_is_written_page_by_page(tmp_path: Path, database: MemoryDatabase) -> None:
    server = Server()
    for number in range(5):
        server.put(document(f"r{number}", stages={}))
    async with watched(server, database, tmp_path):
        await until(lambda: len(database.requests) == 5)
    assert {path for path, _ in server.calls} == {ALL}


async def test_one_namespace_is_asked_for_where_one_is_named(tmp_path: Path, database: MemoryDatabase) -> None:
    server = Server()
    server.put(document())
    async with watched(server, database, tmp_path, namespace="hr"):
        await until(lambda: KEY in database.requests and server.watched_from())
    assert {path for path, _ in server.calls} == {"/apis/profilestudio.io/v1alpha1/namespaces/hr/profilerequests"}


async def test_what_happens_is_followed_from_the_lists_version_on(tmp_path: Path, database: MemoryDatabase) -> None:
    server = Server()
    async with watched(server, database, tmp_path):
        await until(server.watched_from)
        server.tell("ADDED", document())
        await until(lambda: KEY in database.requests)
        server.tell("MODIFIED", document(gpuSeconds=1300))
        await until(lambda: database.requests[KEY][7] == 1300)
        server.tell("DELETED", document(gpuSeconds=1300))
        await until(lambda: KEY not in database.requests)
    assert server.watched_from()[0] == "10"
    assert server.lists() == 1


async def test_a_watch_that_ends_goes_on_where_it_was(tmp_path: Path, database: MemoryDatabase) -> None:
    server = Server()
    async with watched(server, database, tmp_path):
        await until(server.watched_from)
        server.tell("ADDED", document())
        server.tell("BOOKMARK", {"metadata": {}})
        server.events.put_nowait(None)
        await until(lambda: len(server.watched_from()) == 2)
        server.tell("ADDED", document("junho", stages={}))
        await until(lambda: JUNHO in database.requests)
    assert (server.watched_from(), server.lists()) == (["10", "12"], 1)


@pytest.mark.parametrize("how", ["in the watch", "as it begins"])
async def test_a_version_that_is_too_old_makes_a_new_list(how: str, tmp_path: Path, database: MemoryDatabase) -> None:
    """Whoever was deleted meanwhile is told by nobody: the list does not hold them."""
    server = Server()
    server.put(document())
    server.put(document("junho", stages={}))
    async with watched(server, database, tmp_path):
        await until(lambda: len(database.requests) == 2 and server.watched_from())
        del server.requests["minji"]
        server.version = 50
        if how == "as it begins":
            server.refusals.append(410)
            server.events.put_nowait(None)
        else:
            server.events.put_nowait(b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n')
        await until(lambda: set(database.requests) == {JUNHO} and server.watched_from()[-1] == "50")


async def test_who_was_deleted_while_it_was_down_is_forgotten_as_it_starts(
    tmp_path: Path, database: MemoryDatabase
) -> None:
    server = Server()
    server.put(document())
    async with watched(server, database, tmp_path):
        await until(lambda: KEY in database.requests)
    server.requests.clear()
    async with watched(server, database, tmp_path):
        await until(lambda: KEY not in database.requests)


async def test_it_is_forgotten_later_where_the_database_was_away_then(
    tmp_path: Path, database: MemoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LONGEST_PAUSE_SECONDS", 0.05)
    server = Server()
    database.requests[KEY] = ("hr", "minji", "u-1", "", (), "True", "", 0, "Delete")
    database.away = AWAY
    async with watched(server, database, tmp_path, resync=3600):
        await until(server.watched_from)
        database.away = None
        server.events.put_nowait(None)
        await until(lambda: KEY not in database.requests)


async def test_everything_is_compared_from_time_to_time(tmp_path: Path, database: MemoryDatabase) -> None:
    server = Server()
    server.put(document())
    async with watched(server, database, tmp_path, resync=0.2):
        await until(lambda: KEY in database.requests)
        server.requests.clear()
        server.events.put_nowait(None)
        await until(lambda: KEY not in database.requests)


async def test_rows_of_namespaces_that_others_watch_are_not_touched(tmp_path: Path, database: MemoryDatabase) -> None:
    campus = Key("campus", "minji")
    database.requests[campus] = ("campus", "minji", "u-1", "", (), "True", "", 0, "Delete")
    async with watched(Server(), database, tmp_path, namespace="hr"):
        await asyncio.sleep(0.1)
        assert campus in database.requests


@pytest.mark.parametrize("status", [403, 500, 429])
async def test_an_api_server_that_refuses_is_asked_again(status: int, tmp_path: Path, database: MemoryDatabase) -> None:
    server = Server()
    server.put(document())
    server.refusals = [status] * 3
    async with watched(server, database, tmp_path):
        await until(lambda: KEY in database.requests)


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"type":"ERROR","object":{"code":500}}', b'{"type":"ADDED"}'])
async def test_an_answer_of_somebody_between_is_an_error_and_no_traceback(answer: bytes) -> None:
    server = Server()
    async with serving(server) as api:
        server.events.put_nowait(answer + b"\n")
        with pytest.raises(ApiError) as raised:
            async for _ in Requests(api).changes("10", 5):
                pass
        assert not isinstance(raised.value, ResourceExpired)


async def test_nobody_answers() -> None:
    api = AsyncApi(client.ApiClient(client.Configuration(host="http://127.0.0.1:1")), seconds=5)
    try:
        with pytest.raises(ApiError, match="cannot be reached"):
            await Requests(api).listed()
    finally:
        await api.close()
