"""The Lease is renewed while the operator's loop is taken by work, and by nobody once the operator stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from profile_operator import election
from profile_operator.election import Elector, LeaseRecord
from profile_operator.renewal import Renewal
from profile_runtime.kubernetes.errors import ApiUnavailable


class Lease:
    """A Lease in memory; `away` makes every call fail."""

    def __init__(self) -> None:
        self.record: LeaseRecord | None = None
        self.writes, self.opened, self.away = 0, 0, False

    async def read(self) -> LeaseRecord | None:
        if self.away:
            raise ApiUnavailable("away")
        return self.record

    async def create(self, holder: str, seconds: float) -> LeaseRecord:
        return await self.write(LeaseRecord(holder, "0", seconds), holder, seconds)

    async def write(self, before: LeaseRecord, holder: str, seconds: float) -> LeaseRecord:
        self.writes += 1
        self.record = record = replace(before, holder=holder, version=str(self.writes), seconds=seconds)
        return record

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Lease]:
        self.opened += 1
        try:
            yield self
        finally:
            self.opened -= 1


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(election, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(election, "WORK_SECONDS", 1.0)


async def won() -> tuple[Lease, Elector]:
    lease = Lease()
    elector = Elector(lease, "this")
    await elector.win()
    return lease, elector


async def test_a_loop_that_is_taken_by_work_does_not_lose_the_lead() -> None:
    lease, elector = await won()
    holding = asyncio.create_task(Renewal(elector, lease.open).hold())
    await asyncio.sleep(0.1)
    time.sleep(2.0)  # work that gives the loop back to nobody
    assert elector.leads
    assert lease.writes > 5
    holding.cancel()
    with suppress(asyncio.CancelledError):
        await holding


async def test_whoever_stops_writes_nothing_any_more_and_gives_the_lead_back() -> None:
    lease, elector = await won()
    holding = asyncio.create_task(Renewal(elector, lease.open).hold())
    await asyncio.sleep(0.2)
    holding.cancel()
    with suppress(asyncio.CancelledError):
        await holding
    assert lease.opened == 0
    await elector.release()
    writes = lease.writes
    assert lease.record is not None
    assert lease.record.holder == ""
    await asyncio.sleep(0.2)
    assert lease.writes == writes


async def test_one_that_stops_before_the_thread_began_ends_too() -> None:
    lease, elector = await won()
    holding = asyncio.create_task(Renewal(elector, lease.open).hold())
    await asyncio.sleep(0)
    holding.cancel()
    async with asyncio.timeout(5):
        with suppress(asyncio.CancelledError):
            await holding
    assert lease.opened == 0


async def test_a_lead_that_cannot_be_renewed_ends_the_work() -> None:
    lease, elector = await won()
    lease.away = True
    async with asyncio.timeout(5):
        await Renewal(elector, lease.open).hold()
    assert not elector.leads
