"""in_turn: who is next where many wait for little: fair between namespaces. Who trains, and whose pictures are drawn.

Nothing is remembered: the same requests, as the API server shows them, wait in the same order after a restart.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from profile_contract.resource import Key
from profile_operator.config import Limits

T = TypeVar("T")

# Places are told exactly so far, and how many wait in all; beyond, a change of one is not worth a write a request.
EXACT_PLACES = 20
EXACT_TOTAL = 50
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True)
class Claim:
    """A request that waits for a GPU. `since`: when it was created, in seconds since 1970."""

    key: Key
    priority: int
    since: float


@dataclass(frozen=True)
class Turn:
    """Whether a request may begin what needs a GPU; if not, its place (1: next) among all that wait."""

    admitted: bool = False
    place: int = 0
    waiting: int = 0

    @property
    def text(self) -> str:
        """What a person reads of the place. Of thousands that wait only those in front see it change often."""
        waiting = self.waiting if self.waiting <= EXACT_TOTAL else f"more than {rounded(self.waiting - 1)}"
        if not self.place or self.waiting == 1:
            return "waits for a GPU"
        if self.place > EXACT_PLACES:
            return f"waits for a GPU, with {rounded(self.place - 1)} or more before it"
        ordinal = _ORDINALS[self.place - 1] if self.place <= len(_ORDINALS) else f"{self.place}th"
        return f"{ordinal} of {waiting} that wait for a GPU"


def rounded(number: int) -> int:
    """The next lower of 1, 2, 5, 10, 20, 50, 100, ...; `number` is at least 1."""
    power = 10 ** (len(str(number)) - 1)
    return next(step * power for step in (5, 2, 1) if step * power <= number)


def in_turn(waiting: Mapping[str, Sequence[T]], busy: Mapping[str, int], since: Mapping[str, float]) -> Iterator[T]:
    """All that wait, in the order in which they are taken if nothing ends meanwhile.

    The namespace with the fewest at work is next; of equals, the one that has waited longest for its turn. `waiting`
    has each namespace's own in their order, none of them empty, `busy` how many it has at work, `since` from when on
    it waits.
    """
    again = count()
    heap = [(busy.get(space, 0), (0, since.get(space, 0.0)), space, 0) for space in waiting]
    heapq.heapify(heap)
    while heap:
        at_work, _, space, index = heapq.heappop(heap)
        yield waiting[space][index]
        if index + 1 < len(waiting[space]):
            heapq.heappush(heap, (at_work + 1, (1, float(next(again))), space, index + 1))


def line_of(claims: Collection[Claim], busy: Mapping[str, int], begun: Mapping[str, float]) -> tuple[Key, ...]:
    """All claims in the order in which they are admitted.

    Within a namespace the higher priority goes first, of equals the older. `busy` are the trainings that hold a GPU,
    `begun` is when the last training of a namespace began.
    """
    waiting: dict[str, list[Claim]] = {}
    for claim in sorted(claims, key=lambda claim: (-claim.priority, claim.since, claim.key)):
        waiting.setdefault(claim.key.namespace, []).append(claim)
    oldest = {space: min(claim.since for claim in own) for space, own in waiting.items()}
    since = {space: max(time, begun.get(space, 0.0)) for space, time in oldest.items()}
    return tuple(claim.key for claim in in_turn(waiting, busy, since))


def admitted(line: Sequence[Key], busy: Mapping[str, int], limits: Limits) -> tuple[Key, ...]:
    """Those of the line that may begin now. A namespace that has as many as it may holds nobody else up."""
    free = limits.trainings - sum(busy.values()) if limits.trainings else len(line)
    taken = dict(busy)
    begin: list[Key] = []
    for key in line:
        if len(begin) >= free:
            break
        if limits.per_namespace and taken.get(key.namespace, 0) >= limits.per_namespace:
            continue
        taken[key.namespace] = taken.get(key.namespace, 0) + 1
        begin.append(key)
    return tuple(begin)
