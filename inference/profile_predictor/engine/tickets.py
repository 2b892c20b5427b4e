"""What an order holds while it is carried out: a place in the queue, and a ticket for its candidates."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

from profile_draw.rows import Piece

from .engine import Drawn


class Place:
    """A place in the queue. Freed once, however often it is said."""

    def __init__(self, free: Callable[[], None]) -> None:
        self._free, self._lock, self._held = free, threading.Lock(), True

    def free(self) -> None:
        """Somebody else may have it."""
        with self._lock:
            held, self._held = self._held, False
        if held:
            self._free()


@dataclass(eq=False)
class Ticket:
    """An order in the queue. `future` gives its candidates in the order of its items; `context` names it in the log.

    `drew`: seconds of its batches, of which `detailed` went into second passes over faces.
    """

    pieces: int
    future: Future[list[Drawn]] = field(default_factory=Future)
    entered: float = field(default_factory=time.monotonic)
    waited: float = 0.0
    drew: float = 0.0
    detailed: float = 0.0
    unwanted: bool = False
    drawn: list[Drawn] = field(default_factory=list)
    context: contextvars.Context = field(default_factory=contextvars.copy_context)

    def abandon(self) -> None:
        """Nobody waits for it any more: what is not drawn yet never will be."""
        self.unwanted = True
        self.future.cancel()

    def add(self, drawn: list[Drawn], seconds: float, detailed: float = 0.0) -> None:
        """One piece is done, after so many seconds of a first and of a second pass."""
        self.drawn += drawn
        self.drew += seconds + detailed
        self.detailed += detailed
        self.pieces -= 1
        if not self.pieces:
            # Who waited may hang up at this very moment.
            with suppress(InvalidStateError):
                self.future.set_result(sorted(self.drawn, key=lambda candidate: candidate.index))

    def fail(self, error: Exception) -> None:
        """The order is lost, all of it."""
        self.unwanted = True
        with suppress(InvalidStateError):
            self.future.set_exception(error)


@dataclass(eq=False)
class Waiting:
    """A piece of an order that is to be drawn."""

    piece: Piece
    ticket: Ticket
