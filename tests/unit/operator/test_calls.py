"""Whose call to a predictor is next: namespaces take turns, two calls a request, and no more than replicas take."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_contract.resource import Key
from profile_operator import metrics
from profile_operator.generate.calls import CALLS_PER_REQUEST, CallSlots, Stopped, WaitingCall, next_call
from properties import examples

KEYS = st.builds(Key, st.sampled_from(("art", "hr", "it")), st.sampled_from(("a", "b", "c")))
FAST = examples(100)


def calls(text: str) -> list[WaitingCall]:
    return [WaitingCall(Key(*name.split("/")), number) for number, name in enumerate(text.split(), 1)]


def order(text: str, most: int = 1) -> list[str]:
    """In which order calls are made, one ending before the next where only one may be under way."""
    waiting, made = calls(text), []
    served: dict[str, int] = {}
    clock = 100
    while (call := next_call(waiting, {}, served, most)) is not None:
        waiting.remove(call)
        clock += 1
        served[call.key.namespace] = clock
        made.append(str(call.key))
    return made


def test_namespaces_take_turns() -> None:
    assert order("hr/a hr/b hr/c it/a it/b") == ["hr/a", "it/a", "hr/b", "it/b", "hr/c"]


def test_a_request_has_two_calls_at_most() -> None:
    key, other = Key("hr", "a"), Key("hr", "b")
    waiting = calls("hr/a hr/a hr/b")
    assert next_call(waiting, {key: 1}, {}, 8) == WaitingCall(other, 3)
    assert next_call(calls("hr/a"), {key: 1}, {}, 8) == WaitingCall(key, 1)
    assert next_call(calls("hr/a"), {key: 2}, {}, 8) is None


def test_the_namespace_with_the_fewest_under_way_is_next() -> None:
    under_way = {Key("hr", "x"): 2, Key("hr", "y"): 1, Key("it", "x"): 2}
    call = next_call(calls("hr/a it/a"), under_way, {"hr": 1, "it": 9}, 8)
    assert call is not None
    assert call.key == Key("it", "a")


@FAST
@given(st.lists(KEYS, max_size=20), st.dictionaries(KEYS, st.integers(0, 2)), st.integers(1, 6))
def test_limits_are_kept_and_no_gpu_stands_idle(keys: list[Key], under_way: dict[Key, int], most: int) -> None:
    waiting = [WaitingCall(key, number) for number, key in enumerate(keys)]
    call = next_call(waiting, under_way, {}, most)
    possible = [one for one in waiting if under_way.get(one.key, 0) < CALLS_PER_REQUEST]
    if sum(under_way.values()) >= most or not possible:
        assert call is None
    else:
        assert call in possible
        assert call.number == min(one.number for one in possible if one.key == call.key)


@FAST
@given(st.lists(st.integers(0, 5), min_size=60, max_size=60), st.integers(1, 3), st.integers(1, 3))
def test_nobody_waits_for_ever(ends: list[int], most: int, requests: int) -> None:
    """One call against a flood of others, of its own namespace and another, that never ends."""
    small, served, clock = Key("hr", "small"), {"hr": 0}, 10
    under_way: list[Key] = []
    waiting = [WaitingCall(Key(space, f"{n}"), n) for space in ("hr", "it") for n in range(requests)]
    waiting.append(WaitingCall(small, clock))
    begun = 0
    for end in ends:
        while (call := next_call(waiting, Counter(under_way), served, most)) is not None:
            waiting.remove(call)
            clock += 1
            served[call.key.namespace] = clock
            under_way.append(call.key)
            begun += 1
            waiting.append(WaitingCall(call.key, clock + 1))
            if call.key == small:
                assert begun <= most + 6 * requests + 4
                return
        under_way.pop(end % len(under_way))
    raise AssertionError("never")


# --- slots -------------------------------------------------------------------------------------------------------


class Calls:
    """Calls that hold their slot until they are told to end."""

    def __init__(self, most: int, replicas: int = 1) -> None:
        self.slots = CallSlots(most, replicas)
        self.begun: list[str] = []
        self.stopped: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def add(self, name: str, predictor: str = "p") -> None:
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._call(name, predictor))
        await asyncio.sleep(0)

    async def _call(self, name: str, predictor: str) -> None:
        try:
            async with self.slots.turn(predictor, Key(*name.split("/")[:2])):
                self.begun.append(name)
                await self.ends[name].wait()
        except Stopped:
            self.stopped.append(name)

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await asyncio.gather(self.tasks[name])
        await asyncio.sleep(0)


async def test_slots_are_handed_on_fairly() -> None:
    slots = Calls(1)
    for name in ("hr/a", "hr/b", "hr/c", "it/a"):
        await slots.add(name)
    assert slots.begun == ["hr/a"]
    # hr/b has waited for longer than it/a, and after it hr was served more lately.
    for name in ("hr/a", "hr/b", "it/a", "hr/c"):
        assert slots.begun[-1] == name
        await slots.end(name)


async def test_calls_are_counted() -> None:
    slots = Calls(1)
    await slots.add("hr/a")
    await slots.add("hr/b")
    under_way, waiting = (
        metrics.GENERATION_CALLS.labels(predictor="p"),
        metrics.GENERATION_WAITING.labels(predictor="p"),
    )
    assert (under_way._value.get(), waiting._value.get()) == (1, 1)
    await slots.end("hr/a")
    await slots.end("hr/b")
    assert (under_way._value.get(), waiting._value.get()) == (0, 0)


async def test_a_predictor_that_hangs_holds_up_no_other() -> None:
    slots = Calls(1)
    await slots.add("hr/a", "hangs")
    await slots.add("hr/b", "hangs")
    await slots.add("hr/c", "works")
    assert slots.begun == ["hr/a", "hr/c"]
    for name in ("hr/a", "hr/b", "hr/c"):
        await slots.end(name)


async def test_who_leaves_begins_nothing_and_holds_nothing() -> None:
    slots = Calls(1)
    for name in ("hr/a", "hr/b", "hr/c"):
        await slots.add(name)
    slots.slots.leave(Key("hr", "b"))
    await asyncio.sleep(0.01)
    assert slots.stopped == ["hr/b"]
    await slots.end("hr/a")
    assert slots.begun == ["hr/a", "hr/c"]
    await slots.end("hr/c")


@pytest.mark.parametrize("running", [True, False])
async def test_a_call_that_is_cancelled_hands_its_slot_on(running: bool) -> None:
    slots = Calls(1)
    for name in ("hr/a", "hr/b", "hr/c"):
        await slots.add(name)
    cancelled = slots.tasks["hr/a" if running else "hr/b"]
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    if not running:
        await slots.end("hr/a")
    await asyncio.sleep(0.01)
    assert slots.begun == (["hr/a", "hr/b"] if running else ["hr/a", "hr/c"])
    for task in slots.tasks.values():
        task.cancel()


async def test_a_call_that_is_cancelled_as_its_turn_comes_hands_it_on() -> None:
    slots = Calls(1)
    for name in ("hr/a", "hr/b", "hr/c"):
        await slots.add(name)
    slots.ends["hr/a"].set()
    # The slot is handed to hr/b within this step; it has not gone on yet.
    await asyncio.sleep(0)
    slots.tasks["hr/b"].cancel()
    await asyncio.sleep(0.01)
    assert slots.begun[-1] == "hr/c"
    await slots.end("hr/c")


# --- replicas ----------------------------------------------------------------------------------------------------


async def queued(calls: Calls, count: int, predictor: str = "p") -> Calls:
    """As many requests of as many namespaces, each with a call."""
    for number in range(count):
        await calls.add(f"team-{predictor}-{number}/a", predictor)
    return calls


async def test_as_many_calls_as_replicas_take() -> None:
    calls = await queued(Calls(2, replicas=3), 9)
    assert len(calls.begun) == 6
    # One is added, and none is seen of another predictor.
    calls.slots.serve("p", 4)
    await asyncio.sleep(0)
    assert len(calls.begun) == 8
    await queued(calls, 9, "q")
    assert len(calls.begun) == 8 + 6
    for name in calls.tasks:
        calls.ends[name].set()
    await asyncio.gather(*calls.tasks.values())


async def test_replicas_that_went_get_no_calls_and_what_is_under_way_ends() -> None:
    calls = await queued(Calls(2, replicas=3), 9)
    calls.slots.serve("p", 1)
    for number, begun in enumerate((6, 6, 6, 6, 7)):
        await calls.end(calls.begun[number])
        assert len(calls.begun) == begun
    calls.slots.serve("p", None)
    await asyncio.sleep(0)
    assert len(calls.begun) == 9
    for name in calls.tasks:
        calls.ends[name].set()
    await asyncio.gather(*calls.tasks.values())


async def test_a_predictor_that_scales_from_nothing_is_called_nevertheless() -> None:
    calls = Calls(2)
    calls.slots.serve("p", 0)
    await queued(calls, 3)
    assert len(calls.begun) == 2
    for name in calls.tasks:
        calls.ends[name].set()
    await asyncio.gather(*calls.tasks.values())
