"""What a stage's pod may do in Redis with what stands in its Secret, tried against a real server."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import redis

from operator_world import KEY
from profile_contract.progress import ProgressEvent, stream_key
from profile_contract.stages.table import Stage
from profile_operator.clients.progress import ProgressReader
from profile_operator.clients.stage_redis import StageRedis
from profile_runtime.progress import RedisPublisher
from real_redis import PASSWORD, RedisServer, redis_server

STREAM = stream_key(KEY.namespace, KEY.name)
EVENT = ProgressEvent(namespace=KEY.namespace, name=KEY.name, stage=Stage.TRAIN, digest="d", percent=40)

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="there is no redis-server")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def url(server: RedisServer) -> str:
    return server.url


@pytest.fixture
async def users(url: str) -> AsyncIterator[StageRedis]:
    users = StageRedis(url)
    yield users
    await users.close()


def client(url: str) -> Any:
    return redis.Redis.from_url(url)


async def test_a_stage_tells_its_progress(url: str, users: StageRedis) -> None:
    address = await users.url_for(KEY, "u1")
    assert PASSWORD not in address
    RedisPublisher(address).publish(EVENT)
    reader = ProgressReader(url)
    latest = await reader.latest(KEY, Stage.TRAIN, "d")
    assert latest is not None
    assert latest.percent == 40
    assert 0 < client(url).ttl(STREAM) <= 7 * 24 * 3600
    await reader.close()


async def test_a_stage_can_do_nothing_else(url: str, users: StageRedis) -> None:
    mine, others = STREAM, stream_key("it", "somebody")
    client(url).xadd(others, {"event": "theirs"})
    stage = client(await users.url_for(KEY, "u1"))
    stage.xadd(mine, {"event": "mine"})
    attempts: list[tuple[Any, ...]] = [
        ("XADD", others, "*", "event", "forged"),
        ("EXPIRE", others, 1),
        ("XREVRANGE", others, "+", "-"),
        ("XREVRANGE", mine, "+", "-"),
        ("DEL", mine),
        ("SET", mine, "x"),
        ("KEYS", "*"),
        ("SCAN", 0),
        ("FLUSHALL",),
        ("FLUSHDB",),
        ("CONFIG", "GET", "requirepass"),
        ("ACL", "LIST"),
        ("ACL", "SETUSER", "me", "on", "nopass", "+@all", "~*"),
        ("EVAL", "return redis.call('GET', 'x')", 0),
        ("PUBLISH", "a", "b"),
        ("SHUTDOWN",),
        ("XADD", f"{mine}2", "*", "event", "a name that begins alike"),
    ]
    for attempt in attempts:
        with pytest.raises(redis.exceptions.NoPermissionError):
            stage.execute_command(*attempt)
    assert [fields for _, fields in client(url).xrange(others)][-1] == {b"event": b"theirs"}


async def test_it_is_the_same_after_a_restart_and_another_for_the_next_of_that_name(
    url: str, users: StageRedis
) -> None:
    first = await users.url_for(KEY, "u1")
    client(url).execute_command("ACL", "DELUSER", "profile-stage:hr:minji")
    again = StageRedis(url)
    assert await again.url_for(KEY, "u1") == first
    client(first).xadd(STREAM, {"event": "a"})
    second = await again.url_for(KEY, "u2")
    client(second).xadd(STREAM, {"event": "a"})
    with pytest.raises(redis.AuthenticationError):
        client(first).xadd(STREAM, {"event": "a"})
    await again.close()


async def test_the_user_goes_with_the_request(url: str, users: StageRedis) -> None:
    address = await users.url_for(KEY, "u1")
    reader = ProgressReader(url)
    assert await reader.delete(KEY)
    with pytest.raises(redis.AuthenticationError):
        client(address).xadd(STREAM, {"event": "a"})
    await reader.close()


async def test_where_no_user_can_be_made_stages_get_the_shared_one_or_none(url: str) -> None:
    client(url).execute_command("ACL", "SETUSER", "plain", "on", ">p", "~*", "+@read", "+@write", "+@connection")
    poor = url.replace(f":{PASSWORD}@", "plain:p@")
    without = StageRedis(poor)
    assert await without.url_for(KEY, "u1") == ""
    await without.close()
    reader = ProgressReader(poor)
    assert await reader.delete(KEY)
    await reader.close()
    shared = StageRedis(poor, "redis://stages:s@redis:6379/0")
    assert await shared.url_for(KEY, "u1") == "redis://stages:s@redis:6379/0"
    away = StageRedis("redis://:secret@127.0.0.1:1/0")
    assert await away.url_for(KEY, "u1") == ""
    await away.close()
    assert await StageRedis("").url_for(KEY, "u1") == ""


async def test_a_redis_that_answers_nobody_holds_up_one_look_and_not_each(server: RedisServer) -> None:
    """Each look at a request under way asks how far it is: hundreds of them would stand in line for it."""
    reader = ProgressReader(server.url)
    server.stand_still()
    try:
        began = time.monotonic()
        assert [await reader.latest(KEY, Stage.TRAIN, "d") for _ in range(20)] == [None] * 20
        assert time.monotonic() - began < 3
    finally:
        server.go_on()
        await reader.close()


async def test_one_that_is_back_is_asked_again_after_a_while(server: RedisServer) -> None:
    now = 0.0
    reader = ProgressReader(server.url, clock=lambda: now)
    RedisPublisher(server.url).publish(EVENT)
    server.stand_still()
    assert await reader.latest(KEY, Stage.TRAIN, "d") is None
    server.go_on()
    assert await reader.latest(KEY, Stage.TRAIN, "d") is None
    now = 11.0
    assert await reader.latest(KEY, Stage.TRAIN, "d") == EVENT
    await reader.close()
