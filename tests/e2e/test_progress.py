"""Progress over a real Redis that is lost and comes back: the stages' publisher, the operator's reader, the page's."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from profile_contract.progress import STREAM_LENGTH, STREAM_SECONDS, ProgressEvent, stream_key
from profile_contract.resource import Key
from profile_contract.stages.table import Stage
from profile_operator.clients.progress import ProgressReader
from profile_runtime.progress import RedisPublisher
from profile_web.live import ProgressStreams
from profile_web.page import connect_redis

pytestmark = pytest.mark.e2e

KEY = Key("hr", "minji")
REQUEST = (KEY.namespace, KEY.name)
STREAM = stream_key(KEY.namespace, KEY.name)
START_SECONDS = 10.0
# Redis trims whole nodes of a stream, of 100 entries each.
NODE = 100


class Server:
    """redis-server on a free port of this machine, as bare as a cluster's: nothing outlives a stop."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Until it answers."""
        program = shutil.which("redis-server")
        assert program, "redis-server is missing: `make system` installs what sandbox/apt.txt names"
        command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "redis-server did not answer"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.ConnectionError:
            return False

    def stop(self) -> None:
        """At once, as a node that is gone; nothing where it does not run."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None

    def client(self) -> Any:
        """For a look past the product's own code."""
        return redis.Redis(port=self.port, socket_timeout=1.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    server.start()
    yield server
    server.stop()


def event(percent: int, stage: Stage = Stage.TRAIN) -> ProgressEvent:
    return ProgressEvent(
        namespace=KEY.namespace, name=KEY.name, stage=stage, digest="d1", percent=percent, remaining_seconds=60
    )


async def after(progress: ProgressStreams, cursor: str) -> tuple[str, ProgressEvent | None]:
    """The request's next cursor and newest event; as they were where nothing is new."""
    return (await progress.after({REQUEST: cursor})).get(REQUEST, (cursor, None))


async def until(look: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not await look():
            await asyncio.sleep(0.1)


def test_a_thousand_events_leave_a_bounded_stream_that_ends_by_itself(server: Server) -> None:
    publisher = RedisPublisher(server.url)
    for number in range(1000):
        publisher.publish(event(number // 10))
    client = server.client()
    assert STREAM_LENGTH <= client.xlen(STREAM) <= STREAM_LENGTH + NODE
    assert 0 < client.ttl(STREAM) <= STREAM_SECONDS
    (entry,) = client.xrevrange(STREAM, count=1)
    assert ProgressEvent.model_validate_json(entry[1][b"event"]).percent == 99


def test_the_operator_finds_its_stages_last_event_behind_anothers_and_deletes_the_stream(server: Server) -> None:
    async def main() -> None:
        publisher, reader = RedisPublisher(server.url), ProgressReader(server.url)
        publisher.publish(event(40))
        publisher.publish(event(70))
        publisher.publish(event(10, Stage.FINISH))
        assert await reader.latest(KEY, Stage.TRAIN, "d1") == event(70)
        assert await reader.latest(KEY, Stage.TRAIN, "another") is None
        assert await reader.delete(KEY)
        assert await reader.latest(KEY, Stage.TRAIN, "d1") is None
        await reader.close()

    asyncio.run(main())
    assert server.client().exists(STREAM) == 0


def test_the_page_is_told_an_event_as_soon_as_it_is_published(server: Server) -> None:
    async def main() -> None:
        connection = connect_redis(server.url)
        publisher, progress = RedisPublisher(server.url), ProgressStreams(connection)
        publisher.publish(event(10))
        # What was said before the page looked is the request's status to tell.
        waiting = asyncio.create_task(after(progress, "$"))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        publisher.publish(event(20))
        cursor, told = await asyncio.wait_for(waiting, timeout=1.0)
        assert told == event(20)
        publisher.publish(event(30))
        publisher.publish(event(31))
        cursor, told = await after(progress, cursor)
        assert told == event(31)
        assert await after(progress, cursor) == (cursor, None)
        await connection.aclose()

    asyncio.run(main())


def test_an_entry_that_nobody_understands_is_passed_over(server: Server) -> None:
    async def main() -> None:
        connection = connect_redis(server.url)
        reader, progress = ProgressReader(server.url), ProgressStreams(connection)
        RedisPublisher(server.url).publish(event(50))
        server.client().xadd(STREAM, {"event": "no JSON"})
        server.client().xadd(STREAM, {"another": "field"})
        assert await reader.latest(KEY, Stage.TRAIN, "d1") == event(50)
        cursor, told = await after(progress, "0")
        assert told is None
        assert cursor != "0"
        await reader.close()
        await connection.aclose()

    asyncio.run(main())


def test_without_a_server_the_publisher_is_quick_and_never_raises(server: Server) -> None:
    server.stop()
    publisher = RedisPublisher(server.url, quiet_seconds=60)
    begin = time.monotonic()
    for number in range(100):
        publisher.publish(event(number))
    assert time.monotonic() - begin < 3, "a stage must not wait for Redis"


def test_a_server_that_hangs_costs_the_publisher_a_second_or_two(server: Server) -> None:
    publisher = RedisPublisher(server.url, quiet_seconds=60)
    publisher.publish(event(1))
    server.client().execute_command("CLIENT", "PAUSE", 30_000, "ALL")
    begin = time.monotonic()
    for number in range(100):
        publisher.publish(event(number))
    assert time.monotonic() - begin < 3, "a stage must not wait for Redis"


def test_all_three_tell_progress_again_when_the_server_comes_back(server: Server) -> None:
    async def main() -> None:
        publisher = RedisPublisher(server.url, quiet_seconds=0.2)
        connection = connect_redis(server.url)
        reader, progress = ProgressReader(server.url), ProgressStreams(connection)
        publisher.publish(event(10))
        assert await reader.latest(KEY, Stage.TRAIN, "d1") == event(10)
        cursor, told = await after(progress, "0")
        assert told == event(10)

        server.stop()
        publisher.publish(event(20))
        assert await reader.latest(KEY, Stage.TRAIN, "d1") is None
        assert not await reader.delete(KEY)
        assert await after(progress, cursor) == (cursor, None)

        server.start()
        await asyncio.sleep(0.3)

        async def published() -> bool:
            publisher.publish(event(30))
            return await reader.latest(KEY, Stage.TRAIN, "d1") == event(30)

        await until(published)
        cursor, told = await after(progress, cursor)
        assert told == event(30)
        await reader.close()
        await connection.aclose()

    asyncio.run(main())
