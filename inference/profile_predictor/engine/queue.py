"""The queue before the accelerator: one thread draws, orders wait in a bounded line."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import torch

from profile_draw.errors import Broken, Full, Refused, Unwanted
from profile_draw.rows import Piece, next_batch

from .engine import Drawn, Engine, ReadyOrder

log = logging.getLogger(__name__)

# What a busy queue says before it has drawn anything.
FIRST_GUESS_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60
TOO_LARGE = "the order does not fit into the accelerator's memory: ask for fewer items at once or a smaller picture"


class Observer(Protocol):
    """Is told what the queue does."""

    def drew(self, rows: int, seconds: float) -> None:
        """A batch was drawn."""


class Silent:
    """Observes nothing."""

    def drew(self, rows: int, seconds: float) -> None:
        """Ignored."""


@dataclass(eq=False)
class Ticket:
    """An order in the queue. `future` gives its candidates in the order of its items."""

    pieces: int
    future: Future[list[Drawn]] = field(default_factory=Future)
    entered: float = field(default_factory=time.monotonic)
    waited: float = 0.0
    drew: float = 0.0
    unwanted: bool = False
    drawn: list[Drawn] = field(default_factory=list)

    def abandon(self) -> None:
        """Nobody waits for it any more: what is not drawn yet never will be."""
        self.unwanted = True
        self.future.cancel()

    def add(self, drawn: list[Drawn], seconds: float) -> None:
        """One piece is done."""
        self.drawn += drawn
        self.drew += seconds
        self.pieces -= 1
        if not self.pieces:
            # Who waited may hang up at this very moment.
            with suppress(InvalidStateError):
                self.future.set_result(sorted(self.drawn, key=lambda one: one.index))

    def fail(self, error: Exception) -> None:
        """The order is lost, all of it."""
        self.unwanted = True
        with suppress(InvalidStateError):
            self.future.set_exception(error)


@dataclass(eq=False)
class _Waiting:
    piece: Piece
    ticket: Ticket


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


class DrawingQueue:
    """Orders in, candidates out; compatible ones share a batch, whoever they are from."""

    def __init__(self, engine: Engine, places: int, observer: Observer | None = None) -> None:
        self._engine, self._places = engine, places
        self._observer = observer or Silent()
        self._taken = 0
        self._seconds_per_batch = FIRST_GUESS_SECONDS
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._drawing: list[_Waiting] = []
        self._evictions: list[tuple[list[str], Future[int]]] = []
        self._closing = False
        self.broken = False
        self._thread = threading.Thread(target=self._run, name="drawing", daemon=True)
        self._thread.start()

    @property
    def taken(self) -> int:
        """Orders that have a place: being fetched, waiting or drawn."""
        return self._taken

    @property
    def alive(self) -> bool:
        """Whether it draws."""
        return self._thread.is_alive() and not self.broken

    def take_place(self) -> Place:
        """A place in the queue, to be freed when the order is drawn. Raises Full."""
        with self._changed:
            if self._taken >= self._places:
                batches = -(-self._taken // self._engine.config.batch)
                raise Full(max(1, min(LONGEST_PAUSE_SECONDS, round(batches * self._seconds_per_batch))))
            self._taken += 1
        return Place(self._free_place)

    def _free_place(self) -> None:
        with self._changed:
            self._taken -= 1

    def submit(self, order: ReadyOrder) -> Ticket:
        """Have an order drawn. Raises Broken, and Refused for an adapter that was evicted meanwhile."""
        ticket = Ticket(pieces=len(order.pieces))
        with self._changed:
            if self.broken or self._closing:
                raise Broken("the predictor is going down")
            self._engine.check_kept(order)
            self._waiting += [_Waiting(piece, ticket) for piece in order.pieces]
            self._changed.notify()
        return ticket

    def evict(self, digests: Sequence[str]) -> Future[int]:
        """Forget adapters, in host memory at once and in the slots before the next batch. How many copies went.

        Orders that wait or are drawn with one of them are refused: its person is gone.
        """
        wanted = [digest for digest in digests if digest]
        forgotten = self._engine.forget(wanted)
        cleared: Future[int] = Future()
        total: Future[int] = Future()
        cleared.add_done_callback(lambda done: _add_up(total, forgotten, done))
        with self._changed:
            if self.broken:
                raise Broken("the predictor is going down, and its adapters with it")
            for waiting in itertools.chain(self._waiting, self._drawing):
                if waiting.piece.digest in wanted:
                    waiting.ticket.fail(Refused("the adapter was deleted while the order waited"))
            self._evictions.append((wanted, cleared))
            self._changed.notify()
        return total

    def close(self, timeout: float = 10.0) -> None:
        """Draw nothing more: the batch that is drawn ends with its next step."""
        with self._changed:
            self._closing = True
            for waiting in self._waiting:
                waiting.ticket.fail(Broken("the predictor is going down"))
            self._changed.notify()
        self._thread.join(timeout)

    # --- the drawing thread ---

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            # Without this thread nothing is drawn any more: say so, instead of letting orders wait for ever.
            self._break([], Broken(f"the drawing thread ended: {type(error).__name__}"))
            raise

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._evictions or self._closing)
                if self._closing:
                    return
                evictions, self._evictions = self._evictions, []
                batch = self._drawing = [] if evictions else self._take()
            for digests, cleared in evictions:
                try:
                    cleared.set_result(self._engine.clear(digests))
                except Exception as error:
                    cleared.set_exception(Broken(f"a slot could not be cleared: {type(error).__name__}"))
                    raise
            if batch:
                self._draw(batch)

    def _take(self) -> list[_Waiting]:
        """The next batch, out of the line; what nobody wants any more goes."""
        self._waiting = [waiting for waiting in self._waiting if not waiting.ticket.unwanted]
        config = self._engine.config
        chosen = next_batch([waiting.piece for waiting in self._waiting], config.batch, config.slots)
        batch = [self._waiting[position] for position in chosen]
        self._waiting = [waiting for waiting in self._waiting if waiting not in batch]
        now = time.monotonic()
        for ticket in {waiting.ticket for waiting in batch}:
            ticket.waited = ticket.waited or now - ticket.entered
        return batch

    def _draw(self, batch: list[_Waiting]) -> None:
        started = time.monotonic()
        try:
            drawn = self._engine.draw(
                [waiting.piece for waiting in batch],
                wanted=lambda: not self._closing and not all(waiting.ticket.unwanted for waiting in batch),
            )
        except Unwanted:
            for waiting in batch:
                waiting.ticket.fail(Broken("the predictor is going down"))
        except Broken as error:
            self._break(batch, error)
        except Exception as error:
            self._one_by_one(batch, error)
        else:
            seconds = time.monotonic() - started
            rows = sum(len(waiting.piece.rows) for waiting in batch)
            self._seconds_per_batch += 0.3 * (seconds - self._seconds_per_batch)
            self._observer.drew(rows, seconds)
            for waiting, pictures in zip(batch, drawn, strict=True):
                waiting.ticket.add(pictures, seconds)

    def _one_by_one(self, batch: list[_Waiting], error: Exception) -> None:
        """One bad order (or too little memory) must not cost the others theirs."""
        if len(batch) == 1:
            batch[0].ticket.fail(_for_good(error))
            return
        log.warning("a batch of %d orders could not be drawn (%s); now one by one", len(batch), type(error).__name__)
        for waiting in batch:
            if not waiting.ticket.unwanted:
                self._draw([waiting])

    def _break(self, batch: list[_Waiting], error: Broken) -> None:
        log.critical("the accelerator is lost: the predictor must be started again", exc_info=error)
        with self._changed:
            self.broken = True
            for waiting in itertools.chain(batch, self._waiting):
                waiting.ticket.fail(error)
            for _, cleared in self._evictions:
                cleared.set_exception(error)
            self._waiting, self._evictions = [], []


def _add_up(total: Future[int], forgotten: int, cleared: Future[int]) -> None:
    """Host memory and slots; a slot that could not be cleared is an error."""
    error = cleared.exception()
    if error is None:
        total.set_result(forgotten + cleared.result())
    else:
        total.set_exception(error)


def _for_good(error: Exception) -> Exception:
    """What the only order of a batch is told. Refused where the same order would fail again."""
    if isinstance(error, Refused):
        log.warning("an order could not be drawn: %s", error)
        return error
    log.error("a batch could not be drawn", exc_info=error)
    return Refused(TOO_LARGE) if isinstance(error, torch.OutOfMemoryError) else error
