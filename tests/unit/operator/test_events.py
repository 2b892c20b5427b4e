"""What other programs are told: CloudEvents by a real HTTP receiver, which is away, refuses, and comes back."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from event_receiver import Receiver
from operator_world import World, change, fail
from profile_contract.resource import Key
from profile_contract.stages.table import Stage
from profile_operator.act import event_sink
from profile_operator.act.event_sink import EventSink, cloud_event
from profile_operator.config import EventsConfig, EventSinkConfig
from profile_operator.decide.plan import Plan, RemoveFinalizer
from profile_operator.decide.transitions import Transition, news, reached
from real_operator import real_operator

KEY = Key("hr", "minji")
READY = Transition("ready", "ready/Succeeded/2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", {"portraits": 2})


def sink_at(url: str, *, token: str = "", key: str = "", queue: int = 1000) -> EventSink:
    config = EventsConfig(sink=EventSinkConfig(url=url), queue=queue)
    return EventSink(config, token, key, first_pause=0.01)


@asynccontextmanager
async def listening(
    receiver: Receiver, *, token: str = "", key: str = "", queue: int = 1000
) -> AsyncIterator[EventSink]:
    async with receiver.listening() as url:
        sink = sink_at(url, token=token, key=key, queue=queue)
        task = asyncio.create_task(sink.run())
        try:
            yield sink
            async with asyncio.timeout(10):
                while sink._waiting:
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await sink.close()


def others(count: int) -> list[Transition]:
    return [replace(READY, mark=f"ready/{number}") for number in range(count)]


async def test_a_sink_that_fails_first_gets_every_event_once_in_order() -> None:
    receiver = Receiver(answers=[503, 500, 401])
    async with listening(receiver, token="secret", key="k") as sink:
        sink.offer(KEY, "u-1", 3, others(3))
        await receiver.until(3)
    assert receiver.tries == 6
    assert [event["id"] for event in receiver.taken] == [f"hr/u-1/ready/{number}" for number in range(3)]
    event, headers, body = receiver.taken[0], receiver.headers[0], receiver.bodies[0]
    assert event["specversion"] == "1.0"
    assert event["type"] == "io.profilestudio.request.ready"
    assert event["source"] == "/apis/profilestudio.io/v1alpha1/namespaces/hr/profilerequests"
    assert (event["subject"], event["time"]) == ("minji", "2026-01-01T00:00:00Z")
    assert event["data"] == {"namespace": "hr", "name": "minji", "uid": "u-1", "generation": 3, "portraits": 2}
    assert headers["Content-Type"].startswith("application/cloudevents+json")
    assert headers["Authorization"] == "Bearer secret"
    assert headers["X-Profile-Studio-Signature"] == f"sha256={hmac.new(b'k', body, hashlib.sha256).hexdigest()}"


async def test_an_event_that_is_never_taken_holds_no_other_up() -> None:
    receiver = Receiver(answers=[422])
    async with listening(receiver) as sink:
        sink.offer(KEY, "u-1", 1, others(2))
        await receiver.until(1)
    assert [event["id"] for event in receiver.taken] == ["hr/u-1/ready/1"]


async def test_a_sink_that_is_away_for_long_costs_the_oldest_and_no_waiting() -> None:
    receiver = Receiver(answers=[503] * 3)
    async with listening(receiver, queue=2) as sink:
        sink.offer(KEY, "u-1", 1, others(5))
        await receiver.until(2)
    assert [event["id"] for event in receiver.taken] == ["hr/u-1/ready/3", "hr/u-1/ready/4"]


async def test_an_event_that_gives_way_while_it_is_sent_takes_no_newer_one_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receiver, newer = Receiver(), others(4)[2:]
    async with listening(receiver, queue=2) as sink:
        sent = sink._taken

        async def meanwhile(name: str, body: bytes) -> bool:
            sink.offer(KEY, "u-1", 1, newer)
            newer.clear()
            return await sent(name, body)

        monkeypatch.setattr(sink, "_taken", meanwhile)
        sink.offer(KEY, "u-1", 1, others(2))
    assert [event["id"] for event in receiver.taken] == [f"hr/u-1/ready/{number}" for number in (0, 2, 3)]


async def test_an_operator_that_ends_sends_what_waits_and_holds_nothing_up() -> None:
    receiver = Receiver(answers=[202, 202, 503])
    async with receiver.listening() as url:
        sink = sink_at(url)
        sink.offer(KEY, "u-1", 1, others(5))
        await sink.close()
    assert [event["id"] for event in receiver.taken] == ["hr/u-1/ready/0", "hr/u-1/ready/1"]
    assert receiver.tries == 3


async def test_a_sink_that_does_not_answer_keeps_no_operator_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_sink, "LAST_SECONDS", 0.05)

    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        sink = sink_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        sink.offer(KEY, "u-1", 1, others(2))
        async with asyncio.timeout(5):
            await sink.close()
            await ended.wait()


def test_without_an_address_nothing_waits() -> None:
    sink = EventSink(EventsConfig())
    assert not sink.wanted
    sink.offer(KEY, "u-1", 1, others(3))
    assert not sink._waiting


# --- what is told ------------------------------------------------------------------------------------------------


def told(world: World, most: int = 60) -> list[str]:
    """Everything that is told of a request on its way, in order."""
    said: list[str] = []
    for _ in range(most):
        head = world.head
        plan = world.cycle()
        said += [_name(transition) for transition in news(head, plan)]
        world.work_on()
    return said


def _name(transition: Transition) -> str:
    stage = transition.data.get("stage", "")
    return f"{transition.what} {stage}".strip()


def test_a_whole_life_is_told_once_stage_by_stage() -> None:
    world = World()
    said = told(world)
    expected = [f"stage.{what} {stage.value}" for stage in Stage for what in ("started", "completed")]
    assert [name for name in said if name != "ready"] == expected
    assert said.count("ready") == 1
    assert said[-1] == "ready"


def test_another_generation_tells_nothing_that_was_told() -> None:
    world = World().run()
    head = world.head
    change(world, priority=5)
    plan = world.cycle()
    assert plan.status is not None
    assert news(head, plan) == ()


def test_a_stall_is_told_with_its_reason_and_no_link() -> None:
    world = World()
    fail(world, Stage.TRAIN, None)
    (stalled,) = [transition for transition in reached(world.status) if transition.what == "stalled"]
    assert stalled.data["reason"] == "StageFailed"
    assert stalled.mark.startswith("stalled/StageFailed/2")
    assert reached(world.status) == reached(world.status.model_validate(world.status.document()))


def test_the_last_thing_told_is_that_it_is_gone() -> None:
    world = World().run()
    (gone,) = news(world.head, Plan((RemoveFinalizer(),)))
    assert (gone.what, gone.mark, gone.data) == ("deleted", "deleted", {"reason": "ArtifactsPurged"})


def test_an_event_holds_no_key_of_the_store_and_nobodys_photo() -> None:
    world = World().run()
    events = [cloud_event(KEY, "u-1", 1, transition) for transition in reached(world.status)]
    text = json.dumps(events)
    assert len(events) == 9
    for portrait in world.status.portraits:
        assert portrait.key not in text
    assert "://" not in text
    assert ".jpg" not in text


async def test_a_life_is_told_as_it_is_written_and_its_end_last() -> None:
    sink = sink_at("http://events.example.com/")
    async with real_operator(events=sink) as operator:
        await operator.ready()
        operator.document["spec"]["deletionPolicy"] = "Retain"
        operator.delete()
        for _ in range(3):
            await operator.cycle()
        assert operator.gone()
    types = [json.loads(body)["type"].removeprefix("io.profilestudio.request.") for _, body in sink._waiting]
    assert types[0] == "stage.started"
    assert types.count("ready") == 1
    assert types.count("stage.completed") == 4
    assert types[-1] == "deleted"
    assert {json.loads(body)["subject"] for _, body in sink._waiting} == {"minji"}
    assert len({name for name, _ in sink._waiting}) == len(sink._waiting)


@pytest.mark.parametrize("url", ["ftp://example.com", "http://", "https://a b"])
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        EventSinkConfig(url=url)
