"""The work queue: one entry a request, never twice at once, delays, back-off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from profile_contract.resource import Key
from profile_operator import workqueue as module
from profile_operator.workqueue import ExpectedError, WorkQueue

A, B = Key("ns", "a"), Key("ns", "b")


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.002)


class Handler:
    """Notes what it was called with, and whether calls for one key overlapped."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.calls: list[Key] = []
        self.active: set[Key] = set()
        self.overlapped = False
        self.together = 0
        self.seconds = seconds
        self.results: list[float | Exception | None] = []

    async def __call__(self, key: Key) -> float | None:
        self.overlapped |= key in self.active
        self.active.add(key)
        self.together = max(self.together, len(self.active))
        self.calls.append(key)
        await asyncio.sleep(self.seconds)
        self.active.discard(key)
        result = self.results.pop(0) if self.results else None
        if isinstance(result, Exception):
            raise result
        return result


async def running(queue: WorkQueue, handler: Handler, workers: int = 3) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(queue.work(handler)) for _ in range(workers)]


async def stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_many_additions_are_one_call() -> None:
    queue, handler = WorkQueue(), Handler()
    for _ in range(10):
        queue.add(A)
    tasks = await running(queue, handler)
    await until(lambda: bool(handler.calls))
    await asyncio.sleep(0.02)
    assert handler.calls == [A]
    await stop(tasks)


async def test_one_request_never_twice_at_once_and_nothing_is_lost() -> None:
    queue, handler = WorkQueue(), Handler(seconds=0.02)
    tasks = await running(queue, handler)
    queue.add(A)
    await until(lambda: A in handler.active)
    queue.add(A)
    queue.add(B)
    await until(lambda: handler.calls.count(A) == 2)
    await until(lambda: not handler.active)
    assert not handler.overlapped
    assert handler.together == 2
    await stop(tasks)


async def test_it_is_called_again_after_the_time_it_named() -> None:
    queue, handler = WorkQueue(), Handler()
    handler.results = [0.02]
    tasks = await running(queue, handler)
    queue.add(A)
    await until(lambda: len(handler.calls) == 2)
    await asyncio.sleep(0.05)
    assert len(handler.calls) == 2
    await stop(tasks)


async def test_a_sooner_time_wins() -> None:
    queue, handler = WorkQueue(), Handler()
    queue.add(A, 60)
    queue.add(A, 0.01)
    queue.add(A, 60)
    tasks = await running(queue, handler)
    await until(lambda: handler.calls == [A])
    await stop(tasks)


async def test_failures_are_tried_again_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF_SECONDS", 0.01)
    queue, handler = WorkQueue(), Handler()
    handler.results = [ExpectedError("away"), RuntimeError("odd"), ExpectedError("away")]
    tasks = await running(queue, handler)
    queue.add(A)
    started = asyncio.get_running_loop().time()
    await until(lambda: len(handler.calls) == 4)
    assert asyncio.get_running_loop().time() - started >= 0.01 + 0.02 + 0.04
    await stop(tasks)


async def test_pauses_double_up_to_a_minute_and_begin_anew_after_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = WorkQueue()

    async def fails(key: Key) -> float | None:
        raise ExpectedError("the store is away")

    async def succeeds(key: Key) -> float | None:
        return None

    pauses = [await queue._handle(A, fails) for _ in range(9)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert await queue._handle(B, fails) == 1
    assert await queue._handle(A, succeeds) is None
    assert await queue._handle(A, fails) == 1


async def test_a_round_stands_behind_what_has_just_happened_and_adds_nothing_that_is_looked_at_anyway() -> None:
    queue, handler = WorkQueue(), Handler()
    round_of = [Key("ns", f"r{number}") for number in range(50)]
    for key in round_of:
        queue.add_low(key)
        queue.add_low(key)
    queue.add(A)
    queue.add(round_of[-1])
    queue.add(B, 60)
    queue.add_low(B)
    await asyncio.sleep(0.01)
    tasks = await running(queue, handler, workers=1)
    await until(lambda: len(handler.calls) == 51)
    await asyncio.sleep(0.02)
    assert handler.calls[:3] == [A, round_of[-1], round_of[0]]
    assert len(handler.calls) == len(set(handler.calls)) == 51
    assert B not in handler.calls
    await stop(tasks)


async def test_of_many_that_come_at_once_each_is_looked_at_before_any_is_looked_at_again() -> None:
    queue, looks = WorkQueue(), list[Key]()
    keys = [Key(f"team-{number % 3}", f"r{number}") for number in range(60)]

    async def look(key: Key) -> float | None:
        looks.append(key)
        await asyncio.sleep(0.001)
        if looks.count(key) < 3:
            # What its Job does comes while the others still wait for their first look.
            queue.add(key)
        return None

    for key in keys:
        queue.add(key)
    workers = [asyncio.create_task(queue.work(look)) for _ in range(8)]
    async with asyncio.timeout(10):
        while len(looks) < 3 * len(keys):
            await asyncio.sleep(0.01)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert looks[: len(keys)] == keys


async def test_news_do_not_wait_for_what_is_looked_at_again() -> None:
    queue, handler = WorkQueue(), Handler()
    trainings = [Key("ns", f"t{number}") for number in range(50)]
    for key in trainings:
        queue.add(key, 0.001)
    await asyncio.sleep(0.02)
    queue.add(A)
    # Something happened to one that waits already.
    queue.add(trainings[-1])
    tasks = await running(queue, handler, workers=1)
    await until(lambda: len(handler.calls) == 51)
    assert handler.calls == [A, trainings[-1], *trainings[:-1]]
    await stop(tasks)


async def test_what_is_looked_at_again_gives_way_for_a_while_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "YIELD_SECONDS", 0.01)
    queue, handler = WorkQueue(), Handler()
    queue.add(A, 0.001)
    await asyncio.sleep(0.02)
    queue.add(B)
    tasks = await running(queue, handler, workers=1)
    await until(lambda: len(handler.calls) == 2)
    assert handler.calls == [A, B]
    await stop(tasks)


async def test_news_take_the_place_of_a_look_that_is_still_to_come() -> None:
    queue, handler = WorkQueue(), Handler()
    queue.add(A, 0.03)
    queue.add(A)
    queue.add(B, 60)
    queue.add(B)
    tasks = await running(queue, handler)
    await until(lambda: handler.calls == [A, B])
    await asyncio.sleep(0.06)
    assert handler.calls == [A, B]
    await stop(tasks)
