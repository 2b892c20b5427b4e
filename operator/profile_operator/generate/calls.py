"""CallSlots: whose call to a predictor is next, fair between namespaces, and how many there are at once.

A predictor answers when pictures are uploaded: with two calls of a request under way its GPU draws meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from profile_contract.resource import Key
from profile_operator import metrics
from profile_operator.decide.turns import in_turn

# Of one request. More would only wait in the predictor's queue, in front of others.
CALLS_PER_REQUEST = 2


class Stopped(Exception):
    """Asked to begin no further batch."""


@dataclass(frozen=True)
class WaitingCall:
    """A call that waits. `number`: the place in which it came, on the same clock as `served` of `next_call`."""

    key: Key
    number: int


def next_call(
    waiting: Sequence[WaitingCall], under_way: Mapping[Key, int], served: Mapping[str, int], most: int
) -> WaitingCall | None:
    """The call that may begin now, of at most `most` at once; None: none may.

    The namespace with the fewest under way is next; of equals, the one that has waited longest. `served`: when a call
    of a namespace began last.
    """
    if sum(under_way.values()) >= most:
        return None
    lines: dict[str, list[WaitingCall]] = {}
    for call in sorted(waiting, key=lambda call: call.number):
        if under_way.get(call.key, 0) < CALLS_PER_REQUEST:
            lines.setdefault(call.key.namespace, []).append(call)
    for line in lines.values():
        # Within a namespace too: a request's first call goes before another's second.
        line.sort(key=lambda call: (under_way.get(call.key, 0), call.number))
    busy: Counter[str] = Counter()
    for key, calls in under_way.items():
        busy[key.namespace] += calls
    since = {
        space: float(max(served.get(space, 0), min(call.number for call in line))) for space, line in lines.items()
    }
    return next(in_turn(lines, busy, since), None)


@dataclass
class Line:
    """The calls to one predictor."""

    waiting: dict[WaitingCall, asyncio.Future[bool]] = field(default_factory=dict)
    under_way: Counter[Key] = field(default_factory=Counter)
    served: dict[str, int] = field(default_factory=dict)


class CallSlots:
    """So many calls at once to each replica of a predictor: one that hangs holds up nobody's calls to another."""

    def __init__(self, per_replica: int, replicas: int = 1) -> None:
        """`replicas`: of a predictor of which nobody has seen how many answer."""
        self._per_replica, self._replicas = per_replica, replicas
        self._seen: dict[str, int] = {}
        self._lines: dict[str, Line] = {}
        self._clock = count(1)

    @asynccontextmanager
    async def turn(self, predictor: str, key: Key) -> AsyncIterator[None]:
        """Wait for a request's turn, and hold it. Raises Stopped where `leave` was called meanwhile."""
        line = self._lines.setdefault(predictor, Line())
        call, begins = WaitingCall(key, next(self._clock)), asyncio.get_running_loop().create_future()
        line.waiting[call] = begins
        self._begin(predictor, line)
        try:
            if not await begins:
                raise Stopped
            yield
        finally:
            if line.waiting.pop(call, None) is None and not begins.cancelled() and begins.result():
                line.under_way[key] -= 1
                line.under_way += Counter()
            self._begin(predictor, line)

    def serve(self, predictor: str, replicas: int | None) -> None:
        """So many replicas of a predictor answer now; None: nobody can tell.

        Where none does, as before the first one of a predictor that scales from nothing, as many are asked as without.
        """
        if replicas:
            self._seen[predictor] = replicas
        else:
            self._seen.pop(predictor, None)
        if predictor in self._lines:
            self._begin(predictor, self._lines[predictor])

    def leave(self, key: Key) -> None:
        """No call of the request that waits begins any more."""
        for line in self._lines.values():
            for call in [call for call in line.waiting if call.key == key]:
                begins = line.waiting.pop(call)
                if not begins.done():
                    begins.set_result(False)

    def _begin(self, predictor: str, line: Line) -> None:
        """Let begin whichever calls may."""
        most = self._per_replica * self._seen.get(predictor, self._replicas)
        while (call := next_call(list(line.waiting), line.under_way, line.served, most)) is not None:
            begins = line.waiting.pop(call)
            if begins.done():
                continue
            line.under_way[call.key] += 1
            line.served[call.key.namespace] = next(self._clock)
            begins.set_result(True)
        metrics.GENERATION_CALLS.labels(predictor=predictor).set(line.under_way.total())
        metrics.GENERATION_WAITING.labels(predictor=predictor).set(len(line.waiting))
