"""The model behind the doors: checks, waits for the drawing queue, brings candidates to the store."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import time
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from kserve import InferRequest, InferResponse
from kserve.errors import InvalidInput

from profile_contract.artifacts import stage_file
from profile_contract.generation import (
    EvictionOrder,
    EvictionResult,
    GeneratedItem,
    GenerationItem,
    GenerationOrder,
    GenerationResult,
    LookCheckOrder,
    LookCheckResult,
    Receipt,
    ReceiptOrder,
    Receipts,
    Timings,
)
from profile_draw.errors import Broken, Denied, Expired, Full, Refused, Unavailable
from profile_draw.safety import HELD_BACK
from profile_predictor.engine import DrawingQueue, Drawn, Engine, ReadyOrder, Ticket
from profile_runtime.logging import bound
from profile_runtime.tracing import Traces

from . import metrics, tensors
from .grants import OrderGrants, StoreGrants
from .links import signed_at
from .pools import Pools, Writing
from .protocol import HTTP_BAD_REQUEST, BadCall
from .receipts import ReceiptBook
from .settings import PredictorSettings
from .spans import spans_of

log = logging.getLogger(__name__)
T = TypeVar("T")

HTTP_REQUEST_TIMEOUT, HTTP_TOO_MANY, HTTP_ERROR, HTTP_UNAVAILABLE = 408, 429, 500, 503
# An eviction waits so long for candidates that are being written with what it deletes.
WRITES_SECONDS = 60.0


class PredictorModel:
    """One base model for everybody; each order brings the adapter of its person."""

    def __init__(self, settings: PredictorSettings, engine: Engine, grants: StoreGrants) -> None:
        self.name = settings.model_name
        self._engine, self._grants = engine, grants
        self._queue = DrawingQueue(engine, settings.queue, metrics.drew)
        self._pools, self._writing, self._receipts = Pools(settings.queue), Writing(), ReceiptBook()
        self._traces = Traces("profile-predictor")
        self.stopping = False
        metrics.watch_queue(lambda: self._queue.taken)
        metrics.MODEL.info({"base": settings.engine.base_model, "device": engine.device})

    @property
    def native_size(self) -> tuple[int, int]:
        """Width and height that the base model was trained for."""
        return self._engine.native_size

    @property
    def beside(self) -> dict[str, str]:
        """The networks beside the base model's, by their folders."""
        return self._engine.beside

    @property
    def alive(self) -> bool:
        """Whether the drawing thread lives and its accelerator works."""
        return self._queue.alive

    @property
    def accepting(self) -> bool:
        """Whether orders are taken."""
        return self._queue.alive and not self.stopping

    @property
    def broken(self) -> bool:
        """Whether only a new process can draw again."""
        return self._queue.broken

    def stop(self) -> None:
        """Called when the pod is asked to stop: not ready any more, what runs is finished."""
        self.stopping = True

    def close(self) -> None:
        """End the drawing thread, the pools and the connections."""
        self._queue.close()
        self._pools.close()
        self._grants.close()
        self._engine.close()
        self._traces.close()

    async def predict(self, payload: InferRequest) -> InferResponse:
        """One order. Raises BadCall; no other error's text goes out."""
        # Until the answer, also one that an error gives, the log names whose order it is.
        with contextlib.ExitStack() as names:
            return await _counted(self._answer(payload, names))

    async def images(self, order: GenerationOrder) -> list[bytes]:
        """The PNG files of an order that belongs to no request. Raises BadCall."""
        return await _counted(self._images(order))

    async def _images(self, order: GenerationOrder) -> list[bytes]:
        asked = time.monotonic()
        if not self.accepting:
            raise Broken("the predictor is going down")
        adapter = order.adapter
        grants = self._grants.of(order.request.namespace, [adapter.key] if adapter else [])
        drawn, ready, _ = await self._draw(order, grants, _asked(order, asked))
        _refuse_held_back(drawn)
        pictures = await asyncio.to_thread(lambda: [candidate.png for candidate in drawn])
        # Evicted meanwhile: its person's pictures go to nobody.
        self._engine.check_kept(ready)
        return pictures

    async def _answer(self, payload: InferRequest, names: contextlib.ExitStack) -> InferResponse:
        """What one call asks for: a plain picture, an eviction, or candidates. `names` gets what the log is to name."""
        asked = time.monotonic()
        if not self.accepting:
            raise Broken("the predictor is going down")
        if tensors.is_plain(payload):
            plain = tensors.plain_order(payload, *self._engine.native_size)
            drawn, _, _ = await self._draw(plain, self._grants.of(""), asked)
            _refuse_held_back(drawn)
            return tensors.picture(payload, self.name, drawn[0].pixels)
        order = tensors.order_of(payload)
        if isinstance(order, EvictionOrder):
            return tensors.answer(payload, self.name, await self._evict(order))
        if isinstance(order, LookCheckOrder):
            return tensors.answer(payload, self.name, await self._check(order))
        if isinstance(order, ReceiptOrder):
            return tensors.answer(payload, self.name, self._told_again(order))
        names.enter_context(bound(**_named(order)))
        return tensors.answer(payload, self.name, await self._generate(order, _asked(order, asked)))

    async def _evict(self, order: EvictionOrder) -> EvictionResult:
        """Nothing is drawn or written with these adapters any more once this has answered."""
        evicted = await asyncio.wrap_future(self._queue.evict(order.sha256))
        metrics.EVICTIONS.inc(evicted)
        if not await asyncio.to_thread(self._writing.wait_for, order.sha256, WRITES_SECONDS):
            raise Unavailable("candidates of a deleted adapter are still being written; ask again")
        return EvictionResult(evicted=evicted)

    def _told_again(self, order: ReceiptOrder) -> Receipts:
        """What was drawn here of a namespace's candidates. Raises Refused for another's."""
        self._grants.of(order.namespace, order.keys)
        return Receipts(items=self._receipts.of(order.keys), device=self._engine.device)

    async def _check(self, order: LookCheckOrder) -> LookCheckResult:
        """Whether a look can be drawn with; the place that it takes is that of an order that is read."""
        look = order.look
        files = self._grants.of_look(order.namespace, look.key)
        place = self._queue.take_place()
        try:
            reading = self._pools.reads.submit(self._engine.check_look, look, files)
        except BaseException:
            place.free()
            raise
        reading.add_done_callback(lambda _: place.free())
        try:
            weights = await asyncio.wrap_future(reading)
        except Denied as error:
            return LookCheckResult(refused=str(error), absent=True)
        except Refused as error:
            return LookCheckResult(refused=str(error))
        ranks = [layer.rank for layer in weights.layers.values()]
        return LookCheckResult(layers=len(ranks), rank=max(ranks))

    async def _generate(self, order: GenerationOrder, asked: float) -> GenerationResult:
        """The candidates of an order, once they stand in the store."""
        arrived = time.time()
        grants = self._grants.of(order.request.namespace, [item.key for item in order.items])
        for item in order.items:
            if item.put_url:
                grants.check(item.put_url)
        drawn, ready, ticket = await self._draw(order, grants, asked)
        started, share = time.monotonic(), 1000 * ticket.drew / len(order.items)
        # In the store before the answer: a lost answer then loses no work.
        bringing = [
            asyncio.wrap_future(self._pools.uploads.submit(self._bring, item, candidate, ready, share))
            for item, candidate in zip(order.items, drawn, strict=True)
        ]
        items = await asyncio.gather(*bringing)
        timings = Timings(
            queue=_milliseconds(ticket.waited),
            adapter=_milliseconds(ready.seconds),
            generate=_milliseconds(ticket.drew),
            detail=_milliseconds(ticket.detailed),
            upload=_milliseconds(time.monotonic() - started),
        )
        log.info(
            "%r: %d candidates, adapter from %s, %s",
            f"{order.request.namespace}/{order.request.name}"[:200],
            len(items),
            ready.tier,
            ", ".join(f"{name} {value} ms" for name, value in timings.document().items()),
        )
        result = GenerationResult(items=list(items), timings=timings, model=self.name, device=self._engine.device)
        self._traces.tell(*spans_of(order, result, arrived, time.time()))
        return result

    async def _draw(
        self, order: GenerationOrder, grants: OrderGrants, asked: float
    ) -> tuple[Sequence[Drawn], ReadyOrder, Ticket]:
        """Fetch, wait, draw.

        The place is held until the last row is drawn, and at least until the thread that fetches has ended: a client
        that hangs up does not end it.
        """
        place = self._queue.take_place()
        try:
            reading = self._pools.reads.submit(self._engine.fetch, order, grants, asked, grants.looks)
        except BaseException:
            place.free()
            raise
        try:
            ready = await asyncio.wrap_future(reading)
            metrics.ADAPTERS.labels(ready.tier).inc()
            metrics.ADAPTER_SECONDS.observe(ready.seconds)
            ticket = self._queue.submit(ready)
            try:
                drawn = await asyncio.wrap_future(ticket.future)
            except asyncio.CancelledError:
                ticket.abandon()
                raise
            metrics.WAIT_SECONDS.observe(ticket.waited)
            return drawn, ready, ticket
        finally:
            reading.add_done_callback(lambda _: place.free())

    def _bring(self, item: GenerationItem, drawn: Drawn, order: ReadyOrder, share: float) -> GeneratedItem:
        """Encode a candidate and bring it where the order says, unless its adapter was evicted meanwhile. `share`: of
        the drawing, in milliseconds."""
        image = ""
        with self._writing.of(order.digests):
            self._engine.check_kept(order)
            if item.put_url:
                self._grants.write(item.put_url, drawn.png, "image/png", lambda: self._engine.check_kept(order))
                self._receipts.keep(_receipt(drawn, share))
            else:
                image = base64.b64encode(drawn.png).decode()
        return GeneratedItem(
            seed=drawn.seed,
            key=drawn.key,
            sha256=drawn.sha256,
            bytes=len(drawn.png),
            image=image,
            detail=drawn.detail,
            held_back=drawn.held_back,
        )


def _receipt(drawn: Drawn, share: float) -> Receipt:
    return Receipt(
        key=drawn.key, sha256=drawn.sha256, detail=drawn.detail, held_back=drawn.held_back, milliseconds=share
    )


def _refuse_held_back(drawn: Sequence[Drawn]) -> None:
    """Raises Refused where a picture that somebody waits for is held back: a black one would say nothing."""
    if any(candidate.held_back for candidate in drawn):
        raise Refused(HELD_BACK)


async def _counted(call: Awaitable[T]) -> T:
    """A call's answer, counted by what became of it. Raises BadCall, and CancelledError where the client hung up."""
    try:
        answer = await call
    except asyncio.CancelledError:
        metrics.ORDERS.labels("hung up").inc()
        raise
    except Exception as error:
        metrics.ORDERS.labels(type(error).__name__).inc()
        raise _translated(error) from None
    metrics.ORDERS.labels("done").inc()
    return answer


def _named(order: GenerationOrder) -> dict[str, str]:
    """What the log says of an order beside its message: the request, and stage and digest as its keys tell them."""
    file = stage_file(order.items[0].key)
    run = {} if file is None else {"stage": str(file.stage), "digest": file.digest}
    return {"request": f"{order.request.namespace}/{order.request.name}"[:200], **run}


def _asked(order: GenerationOrder, arrived: float) -> float:
    """When an order was made: as its adapter's grant was signed, or as it arrived. On the monotonic clock."""
    signed = signed_at(order.adapter.url) if order.adapter else None
    return arrived if signed is None else arrived - max(0.0, time.time() - signed)


def _translated(error: Exception) -> BadCall:
    """What a client may know of an error."""
    match error:
        case BadCall():
            return error
        case Refused() | InvalidInput():
            return BadCall(HTTP_BAD_REQUEST, str(error))
        case Full():
            return BadCall(HTTP_TOO_MANY, str(error), {"Retry-After": str(error.seconds)})
        case Expired():
            return BadCall(HTTP_REQUEST_TIMEOUT, str(error))
        case Unavailable() | Broken():
            return BadCall(HTTP_UNAVAILABLE, str(error), {"Retry-After": "5"})
        case _:
            log.error("an order failed", exc_info=error)
            return BadCall(HTTP_ERROR, "the order failed; the predictor's log says why")


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
