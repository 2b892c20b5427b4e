"""Who trains and who waits, by the last look at each request: whose turn comes is woken, and few are told a place."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from operator_world import NOW
from profile_contract.resource import Key
from profile_operator.clients.entries import RequestEntry, request_entry
from profile_operator.config import Limits
from profile_operator.decide.turns import Claim, Turn
from profile_operator.standing_line import standing_line
from profile_operator.waiting_list import WaitingList


class Line:
    """A waiting list, and who was woken."""

    def __init__(self, limits: Limits, *, loaded: bool = True) -> None:
        self.woken: list[str] = []
        self.list = WaitingList(limits, lambda key: self.woken.append(str(key)))
        if loaded:
            self.list.load([], [], [])

    def wait(self, name: str, priority: int = 0, since: float = 0.0) -> Turn:
        key = Key(*name.split("/"))
        return self.list.look(key, Claim(key, priority, since))

    def run(self, name: str, busy: int = 1, begun: float = 0.0) -> None:
        self.list.look(Key(*name.split("/")), None, busy=busy, begun=begun)


async def test_whose_turn_has_come_keeps_it_until_it_runs() -> None:
    line = Line(Limits(1, 0))
    assert line.wait("hr/a").admitted
    assert not line.wait("hr/urgent", priority=1000).admitted
    assert line.wait("hr/a").admitted
    line.run("hr/a")
    assert not line.wait("hr/urgent", priority=1000).admitted
    assert line.woken == []


async def test_when_one_ends_the_next_is_looked_at_at_once_and_nobody_else() -> None:
    line = Line(Limits(1, 0))
    assert line.wait("hr/a").admitted
    line.run("hr/a")
    for number in range(3):
        assert line.wait(f"hr/b{number}", since=number).place == number + 1
    line.run("hr/a", busy=0)
    assert line.woken == ["hr/b0"]
    assert line.wait("hr/b0").admitted
    assert not line.wait("hr/b1").admitted


async def test_a_request_that_goes_makes_room() -> None:
    line = Line(Limits(1, 0))
    line.run("hr/a")
    line.wait("hr/b")
    line.list.forget(Key("hr", "a"))
    assert line.woken == ["hr/b"]
    line.list.forget(Key("hr", "b"))
    assert line.wait("hr/c").admitted


async def test_before_all_is_known_nobodys_turn_comes() -> None:
    line = Line(Limits(2, 0), loaded=False)
    assert not line.wait("hr/new", since=9).admitted
    old, busy = Claim(Key("hr", "old"), 0, 1.0), Key("it", "a")
    line.list.load([old], [busy], [])
    assert line.woken == ["hr/old"]
    assert line.wait("hr/new", since=9) == Turn(place=1, waiting=1)


async def test_a_second_operator_comes_to_the_same_line() -> None:
    line = Line(Limits(2, 0))
    for number in range(2):
        line.wait(f"hr/r{number}")
        line.run(f"hr/r{number}", begun=100.0 + number)
    waiting = [
        Claim(Key(space, f"w{number}"), number % 2, float(number)) for space in ("hr", "it") for number in range(4)
    ]
    for claim in waiting:
        line.wait(str(claim.key), claim.priority, claim.since)
    places = {claim.key: line.list.look(claim.key, claim).place for claim in waiting}
    other = WaitingList(Limits(2, 0), lambda key: None)
    other.load(reversed(waiting), [Key("hr", "r1"), Key("hr", "r0")], [("hr", 101.0)])
    assert {claim.key: other.look(claim.key, claim).place for claim in waiting} == places
    assert sorted(places.values()) == list(range(1, 9))


async def test_places_of_those_in_front_are_told_and_thousands_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profile_operator.waiting_list.TELL_SECONDS", 0.01)
    line = Line(Limits(1, 0))
    line.run("hr/a")
    for number in range(1000):
        line.wait(f"hr/w{number:04}", since=number)
    await asyncio.sleep(0.1)
    for number in range(1000):
        line.wait(f"hr/w{number:04}", since=number)
    await asyncio.sleep(0.1)
    line.woken.clear()
    line.run("hr/a", busy=0)
    assert line.woken == ["hr/w0000"]
    line.wait("hr/w0000")
    line.run("hr/w0000")
    await asyncio.sleep(0.1)
    assert set(line.woken) >= {f"hr/w{number:04}" for number in range(20)}
    assert len(line.woken) <= 1 + 20 + 6


async def test_per_namespace_limits_pass_on_to_others() -> None:
    line = Line(Limits(3, 1))
    assert line.wait("hr/a").admitted
    assert not line.wait("hr/b", since=1).admitted
    assert line.wait("it/a", since=2).admitted
    line.run("hr/a")
    line.run("hr/a", busy=0)
    assert line.woken == ["hr/b"]


async def test_a_long_line_costs_little() -> None:
    line = Line(Limits(50, 0))
    began = asyncio.get_running_loop().time()
    for number in range(3000):
        line.wait(f"ns{number % 40}/w{number}", since=number)
    assert asyncio.get_running_loop().time() - began < 3


def listed(name: str, stage_text: str, **more: Any) -> RequestEntry:
    document = {
        "metadata": {
            "namespace": "hr",
            "name": name,
            "resourceVersion": "7",
            "creationTimestamp": "2026-01-02T03:04:05Z",
        },
        "status": {"stageText": stage_text},
        **more,
    }
    return request_entry(msgspec.json.encode(document))


def job(name: str, request: str, **status: Any) -> dict[str, Any]:
    labels = {"profilestudio.io/request": request, "profilestudio.io/stage": "train"}
    container = {"name": "stage", "resources": {}}
    return {
        "metadata": {"name": name, "namespace": "hr", "labels": labels},
        "spec": {"template": {"spec": {"containers": [container]}}, **status.pop("spec", {})},
        "status": status,
    }


def test_who_trains_and_who_waits_follows_from_what_stands() -> None:
    requests = [
        listed("waits", "Queued", spec={"priority": 5}),
        listed("trains", "Training"),
        listed("between", "Queued"),
        listed("done", "Done"),
        listed("held", "Queued"),
    ]
    complete = [{"type": "Complete", "status": "True"}]
    jobs = [
        job("a", "trains", startTime="2026-01-02T04:00:00Z"),
        job("b", "between"),
        job("c", "done", startTime="2026-01-02T05:00:00Z", conditions=complete),
        job("d", "nobodys"),
        job("e", "held", spec={"suspend": True}),
    ]
    claims, busy, begun = standing_line(requests, jobs)
    created = NOW.timestamp()
    assert claims == [Claim(Key("hr", "waits"), 5, created), Claim(Key("hr", "held"), 0, created)]
    assert busy == [Key("hr", "trains"), Key("hr", "between")]
    assert begun == [("hr", created + 3355), ("hr", created + 3355 + 3600)]
