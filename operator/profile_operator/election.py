"""Elector: which of the operator's processes works. A Lease in the release's namespace says so.

Nobody compares clocks of two machines. Whoever leads may work until so many seconds after it *began* to write its last
renewal; the others wait longer than that after they *saw* that renewal, so that at no time two of them work. The
library's own election reads the wall clock and lets a call that hangs outlive the lease.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from profile_runtime.kubernetes.errors import ApiError, ResourceConflict

from .workqueue import ExpectedError

log = logging.getLogger(__name__)

# As client-go has them: the others wait so long, the leader ends its work so long after its last renewal.
LEASE_SECONDS = 15.0
WORK_SECONDS = 10.0
RETRY_SECONDS = 2.0


class NotLeading(ExpectedError):
    """Another process may work by now: nothing is written any more."""


@dataclass(frozen=True)
class LeaseRecord:
    """The Lease as it stands. `holder` is empty where nobody leads; `version` changes with every write."""

    holder: str
    version: str
    seconds: float = LEASE_SECONDS
    transitions: int = 0


class LeaseAccess(Protocol):
    """Reads and writes the Lease. Every call raises ApiError."""

    async def read(self) -> LeaseRecord | None:
        """As it stands; None where there is none."""

    async def create(self, holder: str, seconds: float) -> LeaseRecord:
        """Make it. Raises ResourceConflict if there is one."""

    async def write(self, before: LeaseRecord, holder: str, seconds: float) -> LeaseRecord:
        """Write it, if nobody else did since `before` was read. Raises ResourceConflict."""


def _clock() -> float:
    """Seconds that go on while the process, and the machine, sleep."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Elector:
    """One candidate."""

    def __init__(self, lease: LeaseAccess, identity: str, clock: Callable[[], float] = _clock) -> None:
        """`identity`: of this process alone, and of no earlier one."""
        self._lease, self._identity, self._clock = lease, identity, clock
        self._works_until = float("-inf")
        self._seen: LeaseRecord | None = None
        self._seen_at = float("-inf")

    @property
    def leads(self) -> bool:
        """Whether this process may work, now."""
        return self._clock() < self._works_until

    def fence(self) -> None:
        """To be called before every effect. Raises NotLeading."""
        if not self.leads:
            raise NotLeading("this operator does not lead any more")

    async def attempt(self, lease: LeaseAccess | None = None) -> bool:
        """Renew the Lease, or take one that nobody holds; returns whether this process leads."""
        lease, began = lease or self._lease, self._clock()
        try:
            record = await lease.read()
            if record is None:
                self._keep(await lease.create(self._identity, LEASE_SECONDS), began)
            elif record.holder in (self._identity, "") or self._expired(record):
                self._keep(await lease.write(record, self._identity, LEASE_SECONDS), began)
        except ResourceConflict:
            log.info("another operator was first")
        except ApiError as error:
            log.warning("the lease: %s", error)
        return self.leads

    def _keep(self, record: LeaseRecord, began: float) -> None:
        """The Lease was written, in a call that began then."""
        self._seen, self._works_until = record, began + WORK_SECONDS

    def _expired(self, record: LeaseRecord) -> bool:
        """Whether nobody renewed the Lease for as long as it says, since this process saw it first as it is."""
        now = self._clock()
        if self._seen is None or (self._seen.holder, self._seen.version) != (record.holder, record.version):
            self._seen, self._seen_at = record, now
        return now - self._seen_at >= max(record.seconds, LEASE_SECONDS)

    async def win(self) -> None:
        """Wait until this process leads."""
        while not await self.attempt():
            await asyncio.sleep(RETRY_SECONDS)
        log.info("this operator leads: %s", self._identity)

    async def hold(self, lease: LeaseAccess | None = None) -> None:
        """Renew for as long as that goes; returns when this process may not work any more, not a moment later.

        `lease`: the way to it where this is called in another loop than the one in which it was won.
        """
        while self.leads:
            try:
                async with asyncio.timeout(max(0.0, self._works_until - self._clock())):
                    await asyncio.sleep(RETRY_SECONDS)
                    await self.attempt(lease)
            except TimeoutError:
                break
        log.error("this operator leads no more: its lease could not be renewed")

    async def release(self) -> None:
        """Let another process lead at once. Only once nothing is under way here any more."""
        led, self._works_until = self.leads, float("-inf")
        if not led or self._seen is None:
            return
        try:
            await self._lease.write(self._seen, "", LEASE_SECONDS)
        except ApiError as error:
            log.info("the lease was not given back: %s", error)
