"""Two and more electors over one Lease: never do two work, whatever fails, hangs, pauses or comes late."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_kubernetes import FakeKubernetes
from profile_operator import election as module
from profile_operator.clients.lease import KubernetesLease
from profile_operator.election import LEASE_SECONDS, RETRY_SECONDS, WORK_SECONDS, Elector, LeaseRecord, NotLeading
from profile_runtime.kubernetes.errors import ApiUnavailable, ResourceConflict
from properties import examples


class Clock:
    """The time of one machine: it began at another moment than others' and is read as seconds."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset, self.now = offset, 0.0

    def __call__(self) -> float:
        return self.offset + self.now


class Memory:
    """The Lease. A call takes `slow` seconds, half of them before it is carried out; `lost` calls are carried out and
    answered by nobody, `away` ones are not even that."""

    def __init__(self) -> None:
        self.record: LeaseRecord | None = None
        self.version = 0


class Access:
    """One candidate's way to it. Its time goes on while a call is under way."""

    def __init__(self, memory: Memory, clocks: list[Clock]) -> None:
        self.memory, self.clocks = memory, clocks
        self.slow, self.lost, self.away = 0.0, False, False

    def pass_time(self, seconds: float) -> None:
        for clock in self.clocks:
            clock.now += seconds

    def _begin(self) -> None:
        if self.away:
            raise ApiUnavailable("away")
        self.pass_time(self.slow / 2)

    def _end(self) -> None:
        self.pass_time(self.slow / 2)
        if self.lost:
            raise ApiUnavailable("lost")

    async def read(self) -> LeaseRecord | None:
        self._begin()
        record = self.memory.record
        self._end()
        return record

    async def create(self, holder: str, seconds: float) -> LeaseRecord:
        self._begin()
        if self.memory.record is not None:
            raise ResourceConflict("there is one")
        return self._put(LeaseRecord(holder, "", seconds))

    async def write(self, before: LeaseRecord, holder: str, seconds: float) -> LeaseRecord:
        self._begin()
        if self.memory.record is None or self.memory.record.version != before.version:
            raise ResourceConflict("somebody wrote")
        return self._put(replace(before, holder=holder, seconds=seconds))

    def _put(self, record: LeaseRecord) -> LeaseRecord:
        self.memory.version += 1
        self.memory.record = written = replace(record, version=str(self.memory.version))
        self._end()
        return written


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["attempt", "attempt", "attempt", "release", "away", "lost", "back"]),
        st.sampled_from([0.0, 0.1, 3.9]),
        st.sampled_from([0.0, 0.5, 2.0, 2.0, 7.0, 11.0, 16.0]),
    ),
    max_size=60,
)


@given(steps=STEPS, offsets=st.tuples(*[st.floats(-1e6, 1e6)] * 3))
@examples(150)
def test_never_do_two_work(steps: list[tuple[int, str, float, float]], offsets: tuple[float, float, float]) -> None:
    memory, clocks = Memory(), [Clock(offset) for offset in offsets]
    accesses = [Access(memory, clocks) for _ in clocks]
    electors = [Elector(access, f"o{n}", clocks[n]) for n, access in enumerate(accesses)]

    async def play() -> None:
        for who, step, slow, passes in steps:
            access = accesses[who]
            access.slow = slow
            if step == "attempt":
                await electors[who].attempt()
            elif step == "release":
                await electors[who].release()
            else:
                access.away, access.lost = step == "away", step == "lost"
            assert sum(elector.leads for elector in electors) <= 1
            access.pass_time(passes)
            assert sum(elector.leads for elector in electors) <= 1

    asyncio.run(play())


async def test_another_takes_over_within_twenty_seconds_and_not_before_the_first_has_ended() -> None:
    memory, clock = Memory(), Clock()
    first, second = (Elector(Access(memory, [clock]), name, clock) for name in ("a", "b"))
    assert await first.attempt()
    assert not await second.attempt()
    waited = 0.0
    while not await second.attempt():
        clock.now += RETRY_SECONDS
        waited += RETRY_SECONDS
        assert first.leads == (waited < WORK_SECONDS)
    assert LEASE_SECONDS <= waited <= 18
    with pytest.raises(NotLeading):
        first.fence()
    assert not await first.attempt()
    assert memory.record is not None
    assert memory.record.holder == "b"


async def test_whoever_ends_in_order_lets_another_work_at_once() -> None:
    memory, clock = Memory(), Clock()
    first, second = (Elector(Access(memory, [clock]), name, clock) for name in ("a", "b"))
    assert await first.attempt()
    await first.release()
    assert not first.leads
    assert await second.attempt()


async def test_the_time_counts_from_when_a_renewal_began() -> None:
    memory, clock = Memory(), Clock()
    access = Access(memory, [clock])
    elector = Elector(access, "a", clock)
    access.slow = 3.0
    assert await elector.attempt()
    clock.now = WORK_SECONDS - 0.01
    assert elector.leads
    clock.now = WORK_SECONDS + 0.01
    assert not elector.leads


async def test_a_call_that_hangs_ends_the_work_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORK_SECONDS", 0.2)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    memory = Memory()
    access = Access(memory, [])
    elector = Elector(access, "a")
    await elector.win()

    async def hangs() -> LeaseRecord | None:
        await asyncio.sleep(60)
        return None

    access.read = hangs  # type: ignore[method-assign]
    async with asyncio.timeout(2):
        await elector.hold()
    assert not elector.leads


async def test_the_lease_stands_in_the_cluster_and_is_written_under_its_version() -> None:
    server = FakeKubernetes()
    api = server.in_process()
    lease = KubernetesLease(api, "studio", "profile-operator")
    assert await lease.read() is None
    first = await lease.create("a", 15)
    with pytest.raises(ResourceConflict):
        await lease.create("b", 15)
    renewed = await lease.write(first, "a", 15)
    with pytest.raises(ResourceConflict):
        await lease.write(first, "b", 15)
    taken = await lease.write(renewed, "b", 15)
    assert (first.transitions, renewed.transitions, taken.transitions) == (0, 0, 1)
    assert (await lease.read()) == taken
    spec = server.objects["/apis/coordination.k8s.io/v1/namespaces/studio/leases/profile-operator"]["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == ("b", 15)
    assert (await lease.write(taken, "", 15)).holder == ""
