"""WaitingList: who trains and who waits for it, by the last look at each request; it wakes those whose turn it is.

Nothing of it is a truth of its own: `load` fills it from what the API server shows, and every look at a request puts
right what it says of that one. So a second operator, or a new one, comes to the same line.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from profile_contract.resource import Key

from .config import Limits
from .decide.turns import Claim, Turn, admitted, line_of

# A change of place is told to those in front, together with the changes that come after it.
TELL_SECONDS = 5.0
# So many are put into their order whenever one comes; more of them when they are told.
SHORT_LINE = 200


@dataclass
class Seat:
    """What one request has or waits for. `busy`: its trainings that hold a GPU; `admitted`: one may begin."""

    busy: int = 0
    claim: Claim | None = None
    admitted: bool = False
    text: str = ""

    @property
    def taken(self) -> int:
        """How many GPUs' places it takes: also the one that it may begin in."""
        return self.busy + self.admitted

    @property
    def waits(self) -> bool:
        """Whether its turn has not come yet."""
        return self.claim is not None and not self.admitted


class WaitingList:
    """`wake` is called for requests that should be looked at: their turn has come, or their place is another."""

    def __init__(self, limits: Limits, wake: Callable[[Key], None]) -> None:
        self._limits, self._wake = limits, wake
        self._seats: dict[Key, Seat] = {}
        self._taken: Counter[str] = Counter()
        self._waiting = 0
        self._begun: dict[str, float] = {}
        self._places: dict[Key, int] = {}
        self._loaded, self._stale = False, True
        self._timer: asyncio.TimerHandle | None = None

    @property
    def needed(self) -> bool:
        """Whether anything is limited."""
        return bool(self._limits)

    def load(self, claims: Iterable[Claim], busy: Iterable[Key], begun: Iterable[tuple[str, float]]) -> None:
        """All that wait, all that train (once a training), and when namespaces' trainings began.

        What was looked at before is known better.
        """
        waiting, trainings = {claim.key: claim for claim in claims}, Counter(busy)
        for key in waiting.keys() | trainings.keys():
            if key not in self._seats:
                self._put(key, Seat(trainings[key], waiting.get(key)))
        for namespace, time in begun:
            self._begin(namespace, time)
        self._loaded = True
        self._pass_on()

    def look(self, key: Key, claim: Claim | None, *, busy: int = 0, begun: float = 0.0) -> Turn:
        """Take down what a look at a request showed, and say whether it is its turn.

        `claim`: what it waits for; `busy`: its trainings that hold a GPU; `begun`: when the last of them began, in
        seconds since 1970. A turn lasts until the request is looked at again and does not wait any more.
        """
        before = self._seats.get(key, Seat())
        seat = Seat(busy, claim, admitted=before.admitted and claim is not None, text=before.text)
        self._put(key, seat)
        self._begin(key.namespace, begun)
        if seat.taken < before.taken:
            self._pass_on()
        elif seat.claim != before.claim:
            self._changed()
        if claim is None:
            return Turn()
        if self._room(key.namespace) and not seat.admitted:
            self._pass_on(but=key)
        turn = Turn(True) if seat.admitted else self._turn(key)
        seat.text = turn.text
        return turn

    def leave(self, key: Key) -> None:
        """Its training could not begin: its turn passes to the next, until it is looked at again."""
        seat = self._seats.get(key)
        if seat is not None:
            self.look(key, None, busy=seat.busy)

    def forget(self, key: Key) -> None:
        """The request is gone, and all that it had."""
        self.look(key, None)

    def _put(self, key: Key, seat: Seat) -> None:
        """Take down what a request has or waits for now; nothing is kept of one that has and wants nothing."""
        before = self._seats.pop(key, Seat())
        self._taken[key.namespace] += seat.taken - before.taken
        self._waiting += seat.waits - before.waits
        if seat.busy or seat.claim is not None:
            self._seats[key] = seat

    def _begin(self, namespace: str, time: float) -> None:
        self._begun[namespace] = max(time, self._begun.get(namespace, 0.0))

    # --- whose turn it is ---

    def _line(self) -> tuple[Key, ...]:
        """All that wait, in the order in which their turn comes."""
        claims = [seat.claim for seat in self._seats.values() if seat.waits and seat.claim is not None]
        return line_of(claims, self._taken, self._begun)

    def _room(self, namespace: str) -> bool:
        """Whether one more of a namespace may begin."""
        most, own = self._limits.trainings, self._limits.per_namespace
        return (not most or self._taken.total() < most) and (not own or self._taken[namespace] < own)

    def _pass_on(self, but: Key | None = None) -> None:
        """Let begin whoever may now, and have those looked at but for one that is looked at anyhow."""
        self._changed()
        if not self._loaded or (self._limits.trainings and self._taken.total() >= self._limits.trainings):
            return
        for key in admitted(self._line(), self._taken, self._limits):
            seat = self._seats[key]
            seat.admitted = True
            self._taken[key.namespace] += 1
            self._waiting -= 1
            if key != but:
                self._wake(key)

    def _turn(self, key: Key) -> Turn:
        """The place of a request that waits. The last that came to a long line stands at its end until that is told."""
        if self._stale and self._waiting <= SHORT_LINE:
            self._order()
        return Turn(place=self._places.get(key, self._waiting), waiting=self._waiting)

    def _order(self) -> None:
        self._places = {key: place for place, key in enumerate(self._line(), 1)}
        self._stale = False

    # --- telling ---

    def _changed(self) -> None:
        """Places are others now."""
        self._stale = True
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell)

    def _tell(self) -> None:
        """Have those looked at of whom another place is to be told than they were told."""
        self._timer = None
        if self._stale:
            self._order()
        for key, place in self._places.items():
            standing = self._seats[key].text
            if standing and standing != Turn(place=place, waiting=self._waiting).text:
                self._wake(key)

    def close(self) -> None:
        """Tell nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
