"""The queue before the accelerator: one thread draws, orders wait in a bounded line."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from profile_draw.errors import Broken, Full, Refused, Unwanted
from profile_draw.rows import next_batch

from .engine import Engine, ReadyOrder
from .tickets import Place, Ticket, Waiting

log = logging.getLogger(__name__)

# What a busy queue says before it has drawn anything.
FIRST_GUESS_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60


class DrawingQueue:
    """Orders in, candidates out; compatible ones share a batch, whoever they are from."""

    def __init__(self, engine: Engine, places: int, drew: Callable[[int, float], None] | None = None) -> None:
        """`places`: orders let in at once. `drew` is told of each batch: its rows, and the seconds it took."""
        self._engine, self._places, self._drew = engine, places, drew
        self._taken = 0
        self._seconds_per_batch = FIRST_GUESS_SECONDS
        self._changed = threading.Condition()
        self._waiting: list[Waiting] = []
        self._drawing: list[Waiting] = []
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
            self._waiting += [Waiting(piece, ticket) for piece in order.pieces]
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
                if not waiting.piece.digests.isdisjoint(wanted):
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
        """The thread's whole life. If it ends by a surprise, everybody who waits is told so."""
        try:
            self._work()
        except Exception as error:
            # Without this thread nothing is drawn any more: say so, instead of letting orders wait for ever.
            self._break([], Broken(f"the drawing thread ended: {type(error).__name__}"))
            raise

    def _work(self) -> None:
        """Evictions first, then the next batch, until the queue is closed."""
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

    def _take(self) -> list[Waiting]:
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

    def _draw(self, batch: list[Waiting]) -> None:
        """Draw a batch; where that fails its orders one by one, so that a bad one does not cost the others theirs."""
        if self._answered(batch):
            return
        # What failed is forgotten by now: an exception would keep the tensors of the batch alive.
        for waiting in batch:
            if not waiting.ticket.unwanted:
                self._answered([waiting])

    def _answered(self, batch: list[Waiting]) -> bool:
        """Draw a batch and give its orders their candidates, or what became of them; False for several that failed."""
        pieces = [waiting.piece for waiting in batch]

        def wanted() -> bool:
            return not self._closing and not all(waiting.ticket.unwanted for waiting in batch)

        started = time.monotonic()
        try:
            first = self._engine.draw(pieces, wanted)
            between = time.monotonic()
            second = self._engine.detail(pieces, first, wanted)
            detailed = time.monotonic()
            drawn = self._engine.enlarge(pieces, second, wanted)
        except Unwanted:
            for waiting in batch:
                waiting.ticket.fail(Broken("the predictor is going down"))
        except Broken as error:
            self._break(batch, error)
        except Exception as error:
            if len(batch) > 1:
                log.warning("%d orders could not be drawn (%s); now one by one", len(batch), type(error).__name__)
                return False
            ticket = batch[0].ticket
            ticket.fail(ticket.context.run(_for_good, error))
        else:
            seconds, passes, enlarged = between - started, detailed - between, time.monotonic() - detailed
            rows = sum(len(piece.rows) for piece in pieces)
            self._seconds_per_batch += 0.3 * (seconds + passes + enlarged - self._seconds_per_batch)
            if self._drew is not None:
                self._drew(rows, seconds + passes + enlarged)
            for waiting, pictures in zip(batch, drawn, strict=True):
                # Who asked for no second pass, or no larger pictures, does not pay for the others'.
                own = seconds + (enlarged if waiting.piece.upscale is not None else 0.0)
                waiting.ticket.add(pictures, own, passes if waiting.piece.detail is not None else 0.0)
        return True

    def _break(self, batch: list[Waiting], error: Broken) -> None:
        """Nothing can be drawn any more: all who wait are told, and nobody is let in."""
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
    return error
