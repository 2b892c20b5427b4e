"""The KServe model: checks, waits for the drawing queue, brings candidates to the store."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Sequence
from typing import Any

from fastapi import HTTPException
from kserve import InferRequest, InferResponse, Model
from kserve.errors import InvalidInput, ModelNotReady

from profile_contract.generation import (
    EvictionOrder,
    EvictionResult,
    GeneratedItem,
    GenerationItem,
    GenerationOrder,
    GenerationResult,
    Timings,
)
from profile_predictor.engine import DrawingQueue, Drawn, Engine, ReadyOrder, Ticket
from profile_predictor.engine.errors import Broken, Expired, Full, Refused, Unavailable

from . import metrics, tensors
from .grants import StoreGrants
from .settings import Settings

log = logging.getLogger(__name__)

HTTP_REQUEST_TIMEOUT, HTTP_TOO_MANY, HTTP_ERROR, HTTP_UNAVAILABLE = 408, 429, 500, 503


class PredictorModel(Model):
    """One base model for everybody; each order brings the adapter of its person."""

    def __init__(self, settings: Settings, engine: Engine, grants: StoreGrants) -> None:
        super().__init__(settings.model_name)
        self._engine, self._grants = engine, grants
        self._queue = DrawingQueue(engine, settings.places, metrics.Meter())
        metrics.watch_queue(lambda: self._queue.taken)
        metrics.MODEL.info({"base": settings.engine.base_model, "device": engine.device})
        # KServe registers only what is ready before the server starts.
        self.ready = True

    async def healthy(self) -> bool:
        """What `/v2/models/<name>/ready` says."""
        return bool(self.ready) and self._queue.alive

    @property
    def broken(self) -> bool:
        """Whether only a new process can draw again."""
        return self._queue.broken

    def stop(self) -> None:
        """Called when the pod is asked to stop: not ready any more, what runs is finished."""
        self.ready = False

    def close(self) -> None:
        """End the drawing thread and the connections."""
        self._queue.close()
        self._grants.close()

    async def predict(
        self, payload: InferRequest | dict[str, Any], headers: dict[str, str] | None = None
    ) -> InferResponse:
        """One order. Raises what KServe turns into 400, 408, 429, 500 or 503; no other error's text goes out."""
        try:
            response = await self._answer(payload)
        except asyncio.CancelledError:
            metrics.ORDERS.labels("hung up").inc()
            raise
        except Exception as error:
            translated = _translated(error, self.name)
            metrics.ORDERS.labels(type(error).__name__).inc()
            raise translated from None
        metrics.ORDERS.labels("done").inc()
        return response

    async def _answer(self, payload: InferRequest | dict[str, Any]) -> InferResponse:
        if not isinstance(payload, InferRequest):
            raise InvalidInput("only the V2 protocol is served here: /v2/models/<name>/infer")
        if not await self.healthy():
            raise ModelNotReady(self.name)
        if tensors.is_plain(payload):
            drawn, _, _ = await self._draw(tensors.plain_order(payload, *self._engine.native_size))
            return tensors.picture(payload, self.name, drawn[0].pixels)
        order = tensors.order_of(payload)
        if isinstance(order, EvictionOrder):
            return tensors.answer(payload, self.name, await self._evict(order))
        return tensors.answer(payload, self.name, await self._generate(order))

    async def _evict(self, order: EvictionOrder) -> EvictionResult:
        evicted = await asyncio.wrap_future(self._queue.evict(order.sha256))
        metrics.EVICTIONS.inc(evicted)
        return EvictionResult(evicted=evicted)

    async def _generate(self, order: GenerationOrder) -> GenerationResult:
        for item in order.items:
            if item.put_url:
                self._grants.check_host(item.put_url)
        drawn, ready, ticket = await self._draw(order)
        started = time.monotonic()
        # In the store before the answer: a lost answer then loses no work.
        items = await asyncio.gather(
            *(asyncio.to_thread(self._bring, item, one) for item, one in zip(order.items, drawn, strict=True))
        )
        timings = Timings(
            queue=_milliseconds(ticket.waited),
            adapter=_milliseconds(ready.seconds),
            generate=_milliseconds(ticket.drew),
            upload=_milliseconds(time.monotonic() - started),
        )
        log.info(
            "%s/%s: %d candidates, adapter from %s, %s",
            order.request.namespace,
            order.request.name,
            len(items),
            ready.tier,
            ", ".join(f"{name} {value} ms" for name, value in timings.document().items()),
        )
        return GenerationResult(items=list(items), timings=timings, model=self.name, device=self._engine.device)

    async def _draw(self, order: GenerationOrder) -> tuple[Sequence[Drawn], ReadyOrder, Ticket]:
        """Fetch, wait, draw; the place is held from the first byte that is fetched until the last row is drawn."""
        with self._queue.place():
            ready = await asyncio.to_thread(self._engine.fetch, order, self._grants)
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

    def _bring(self, item: GenerationItem, drawn: Drawn) -> GeneratedItem:
        """Encode a candidate and bring it where the order says."""
        image = ""
        if item.put_url:
            self._grants.write(item.put_url, drawn.png, "image/png")
        else:
            image = base64.b64encode(drawn.png).decode()
        return GeneratedItem(seed=drawn.seed, key=drawn.key, sha256=drawn.sha256, bytes=len(drawn.png), image=image)


def _translated(error: Exception, model: str) -> Exception:
    """What a client may know of an error, as KServe's handlers want it."""
    translated: Exception
    match error:
        case InvalidInput() | HTTPException() | ModelNotReady():
            translated = error
        case Refused():
            translated = InvalidInput(str(error))
        case Full():
            translated = HTTPException(HTTP_TOO_MANY, str(error), {"Retry-After": str(error.seconds)})
        case Expired():
            translated = HTTPException(HTTP_REQUEST_TIMEOUT, str(error))
        case Unavailable():
            translated = HTTPException(HTTP_UNAVAILABLE, str(error), {"Retry-After": "5"})
        case Broken():
            translated = ModelNotReady(model)
        case _:
            log.error("an order failed", exc_info=error)
            translated = HTTPException(HTTP_ERROR, "the order failed; the predictor's log says why")
    return translated


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
