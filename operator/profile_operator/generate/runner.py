"""GenerationRunner: generation beside the loop, in short resumable steps that take turns between requests.

What is in the store is the truth: the style's prefix is listed, and only what is missing is asked for, again after
every failure. So a restart, a lost answer or a predictor that was away costs at most two batches.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from profile_contract.areas import area_in, namespace_of
from profile_contract.artifacts import REPORT, request_prefix_of
from profile_contract.candidates import PlannedCandidate, generation_order
from profile_contract.conditions import Reason
from profile_contract.generation import MOST_RECEIPTS, GenerationOrder, GenerationResult, ReceiptOrder
from profile_contract.keys import ForeignKey
from profile_contract.look_ref import LOOKS, look_place
from profile_contract.resource import Key
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.table import Stage
from profile_operator import metrics
from profile_operator.clients.predictor import (
    PredictorBusy,
    PredictorClient,
    PredictorFailed,
    PredictorRefused,
    PredictorUnavailable,
)
from profile_operator.clients.store import StoreAccess
from profile_operator.clock import stamp
from profile_operator.config import GenerationConfig
from profile_operator.decide.plan import GenerationWork, StyleWork
from profile_operator.election import NotLeading
from profile_operator.observe.snapshot import GenerationView
from profile_runtime.logging import bound
from profile_runtime.progress import Publisher, StageProgress
from profile_runtime.store.credentials import PrefixSigner
from profile_runtime.store.port import StoreError

from .calls import CALLS_PER_REQUEST, CallSlots, Stopped
from .run import EQUAL_FAILURES, DrawnStyle, EqualFailures, GenerationRun, RequestGrants

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 2.0
STOP_SECONDS = 120.0
RECEIPT_SECONDS = 10.0
# A predictor that says 'done' and leaves nothing: this often, then it is called a failure.
EMPTY_ANSWERS = 3


async def _any_replica(predictor: str) -> list[str]:
    return [""]


class GenerationRunner:
    """Runs at most one task a request; `wake` is called when a request should be looked at."""

    def __init__(
        self,
        store: StoreAccess,
        predictor: PredictorClient,
        publisher: Publisher,
        wake: Callable[[Key], None],
        config: GenerationConfig,
        *,
        replicas: Callable[[str], Awaitable[list[str]]] = _any_replica,
        traced: bool = False,
    ) -> None:
        """`replicas`: where each replica of a predictor answers; an empty place: whichever answers. `traced`:
        predictors are told below which span they draw."""
        self._replicas = replicas
        self._store, self._predictor, self._publisher = store, predictor, publisher
        self._wake, self._config, self._traced = wake, config, traced
        self._calls = CallSlots(config.calls_per_replica, config.replicas)
        self._runs: dict[str, GenerationRun] = {}

    def serve(self, predictor: str, replicas: int | None) -> None:
        """So many replicas of a predictor answer now; None: nobody can tell."""
        self._calls.serve(predictor, replicas)

    # --- what the loop sees and says ---

    def view(self, uid: str) -> GenerationView:
        """What is going on for a request."""
        run = self._runs.get(uid)
        return run.view if run is not None else GenerationView()

    def ensure(self, work: GenerationWork) -> None:
        """Work on this. The same work that runs already is left alone; another one of the request is stopped first."""
        uid = work.request.uid
        before = self._runs.get(uid)
        if before is not None and before.running:
            if before.work.digest == work.digest and not before.stopping.is_set():
                return
            before.stopping.set()
            self._calls.leave(before.key)
        progress = StageProgress(work.request, Stage.GENERATE, work.digest, self._publisher)
        run = GenerationRun(work=work, progress=progress)
        with bound(request=str(run.key), stage=Stage.GENERATE, digest=work.digest):
            run.task = asyncio.create_task(self._run(run, before), name=f"generate {run.key}")
        self._runs[uid] = run

    def stop(self, uid: str) -> None:
        """Begin no further batch for a request."""
        run = self._runs.get(uid)
        if run is None or run.stopping.is_set():
            return
        run.stopping.set()
        self._calls.leave(run.key)
        if run.task is not None:
            # A predictor that hangs must not hold a deletion for as long as a call may take.
            asyncio.get_running_loop().call_later(STOP_SECONDS, run.task.cancel)

    def forget(self, uid: str) -> None:
        """The request is gone."""
        self.stop(uid)
        self._runs.pop(uid, None)

    async def close(self) -> None:
        """End everything now; what is missing is made after the next start."""
        tasks = [run.task for run in self._runs.values() if run.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- the work ---

    async def _run(self, run: GenerationRun, before: GenerationRun | None) -> None:
        if before is not None and before.task is not None:
            await asyncio.gather(before.task, return_exceptions=True)
        try:
            for style in run.work.styles:
                await self._style(run, style)
            run.reason, run.message = None, ""
        except Stopped:
            log.info("%s: generation stopped", run.key)
        except NotLeading as error:
            log.info("%s: generation is left to the operator that leads: %s", run.key, error)
        except PredictorRefused as error:
            run.reason, run.message = Reason.PREDICTOR_REFUSED, str(error)
        except ForeignKey as error:
            run.reason, run.message = Reason.STAGE_FAILED, f"a report names what is not this request's: {error}"
        except Exception:
            log.exception("%s: generation failed", run.key)
            run.reason, run.message = Reason.STAGE_FAILED, "generation failed; the operator's log says more"
        finally:
            asyncio.get_running_loop().call_soon(self._wake, run.key)

    async def _style(self, run: GenerationRun, style: StyleWork) -> None:
        """All candidates of a style, then its report."""
        counted, drawing = run.done, DrawnStyle(style, started=stamp(datetime.now(UTC)))
        before: list[PlannedCandidate] = []
        empty_answers = 0
        while missing := await self._patiently(run, lambda: self._missing(drawing)):
            run.done = counted + len(style.candidates) - len(missing)
            empty_answers = empty_answers + 1 if missing == before else 0
            if empty_answers >= EMPTY_ANSWERS:
                raise PredictorRefused("the predictor says that candidates are made, but they are not in the store")
            before = missing
            # Also while nobody answers: by this an autoscaler knows that a predictor is wanted.
            with metrics.GENERATION_REQUESTS.labels(predictor=style.spec.predictor).track_inprogress():
                await self._draw(run, drawing, missing)
        run.done = counted + len(style.candidates)
        await asyncio.to_thread(run.progress.at, run.done, run.work.total)
        await self._patiently(run, lambda: self._report(drawing))

    async def _draw(self, run: GenerationRun, drawing: DrawnStyle, missing: list[PlannedCandidate]) -> None:
        """Draw what is missing, in batches of which two are under way: while one is uploaded, the other is drawn."""
        size = self._config.batch
        batches = [missing[start : start + size] for start in range(0, len(missing), size)]
        batches.reverse()

        async def lane() -> None:
            while batches:
                await self._batch(run, drawing, batches.pop())

        lanes = [asyncio.ensure_future(lane()) for _ in range(min(CALLS_PER_REQUEST, len(batches)))]
        try:
            ended, _ = await asyncio.wait(lanes, return_when=asyncio.FIRST_EXCEPTION)
            if any(isinstance(task.exception(), Stopped) for task in ended):
                # What is under way comes to its end: it is begun no second time then.
                ended, _ = await asyncio.wait(lanes)
        finally:
            for task in lanes:
                task.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
        for task in ended:
            task.result()

    async def _batch(self, run: GenerationRun, drawing: DrawnStyle, batch: list[PlannedCandidate]) -> None:
        """Draw one batch. After a failure it is the listing that tells what was made of it, and what is left."""
        tried = False

        async def step() -> GenerationResult | None:
            nonlocal tried
            left = [planned for planned in await self._missing(drawing) if planned in batch] if tried else batch
            tried = True
            return await self._call(run, drawing.style, left) if left else None

        result = await self._patiently(run, step)
        run.done += len(batch)
        await asyncio.to_thread(run.progress.at, run.done, run.work.total)
        if result is not None:
            run.drawn += len(result.items)
            drawing.add(result)

    async def _missing(self, drawing: DrawnStyle) -> list[PlannedCandidate]:
        """The candidates that are not in the store; none if the report stands."""
        style = drawing.style
        present = {entry.key for entry in await self._store.list(style.prefix)}
        drawing.reported = style.prefix + REPORT in present
        if drawing.reported:
            return []
        return [candidate for candidate in style.candidates if candidate.key not in present]

    async def _call(self, run: GenerationRun, style: StyleWork, missing: list[PlannedCandidate]) -> GenerationResult:
        """One call, when it is the request's turn. Raises Stopped where it is stopped while it waits."""
        async with self._calls.turn(style.spec.predictor, run.key):
            if run.stopping.is_set():
                raise Stopped
            # Signed when it is this call's turn: links live hardly longer than the call.
            order = await self._store.signed(lambda: self._order(run, style, missing))
            with metrics.GENERATION_SECONDS.labels(predictor=style.spec.predictor).time():
                result = await self._predictor.generate(style.spec.predictor, order)
        metrics.CANDIDATES.labels(style=metrics.style_label(style.key)).inc(len(result.items))
        return result

    def _order(self, run: GenerationRun, style: StyleWork, missing: list[PlannedCandidate]) -> GenerationOrder:
        """The order for the next batch, with its links. Asks the store for credentials now and then."""
        config, request = self._config, run.work.request
        signer = self._store.signer(request_prefix_of(style.prefix), request.uid)
        return generation_order(
            request,
            run.work.adapter,
            style.spec,
            missing,
            size=style.size,
            grants=RequestGrants(signer, config.grant_seconds, self._looks(style)),
            looks=style.looks,
            place=run.work.place if self._traced else None,
        )

    def _looks(self, style: StyleWork) -> dict[str, PrefixSigner]:
        """Who signs for the looks of a style, by where they lie. Raises ForeignKey for one that lies elsewhere."""
        area = area_in(style.prefix)
        places = {look_place(area, look.key) for look in style.looks} if area is not None else set[str]()
        return {place: self._store.signer(place, LOOKS) for place in places}

    async def _report(self, drawing: DrawnStyle) -> None:
        """The style's report, written last: where it stands, the style is done."""
        style = drawing.style
        if drawing.reported:
            return
        await self._ask_for_receipts(drawing)
        report = GenerateReport(
            digest=style.digest,
            style=style.key,
            style_spec=style.spec,
            reason=style.omitted.reason if style.omitted is not None else Reason.SUCCEEDED,
            message=str(style.omitted or ""),
            candidates=[
                planned.made(
                    style.size,
                    drawing.digests.get(planned.key, ""),
                    drawing.details.get(planned.key),
                    held_back=planned.key in drawing.held_back,
                )
                for planned in style.candidates
            ],
            started_at=drawing.started,
            finished_at=stamp(datetime.now(UTC)),
            seconds=round(drawing.seconds, 3),
            gpu=drawing.gpu,
            gpu_count=1 if drawing.gpu else 0,
        )
        await self._store.write(style.prefix + REPORT, report.to_json().encode(), "application/json")

    async def _ask_for_receipts(self, drawing: DrawnStyle) -> None:
        """Count what was drawn when an answer was lost, or before this process began. Who cannot say holds nothing up:
        a replica that has ended took its receipts along."""
        lost, predictor = drawing.unanswered[:MOST_RECEIPTS], drawing.style.spec.predictor
        area = area_in(drawing.style.prefix)
        if not lost or area is None:
            return
        order = ReceiptOrder(namespace=namespace_of(area), keys=lost)

        async def ask(origin: str) -> None:
            try:
                async with asyncio.timeout(RECEIPT_SECONDS):
                    drawing.add_receipts(lost, await self._predictor.receipts(predictor, order, origin))
            except (PredictorBusy, PredictorFailed, PredictorRefused, PredictorUnavailable, TimeoutError) as error:
                log.info("what drawing %d candidates cost is not known from everybody: %s", len(lost), error)

        await asyncio.gather(*(ask(origin) for origin in await self._replicas(predictor)))

    # --- patience ---

    async def _patiently(self, run: GenerationRun, step: Callable[[], Awaitable[T]]) -> T:
        """Do a step, and again after a pause for as long as what it needs is away. Raises Stopped when told to stop.

        Of a request one step alone is tried again at a time: each try may cost the predictor's GPU.
        """
        if run.stopping.is_set():
            raise Stopped
        try:
            value = await step()
        except (PredictorBusy, PredictorFailed, PredictorUnavailable, StoreError) as error:
            async with run.retrying:
                return await self._again(run, step, error)
        if not run.retrying.locked():
            self._hinder(run, None, "")
        return value

    async def _again(self, run: GenerationRun, step: Callable[[], Awaitable[T]], error: Exception) -> T:
        """Do a step that failed so until it does not. Raises Stopped when told to stop."""
        pause, failures = FIRST_PAUSE_SECONDS, EqualFailures()
        while True:
            await self._pause(run, self._pause_after(run, error, failures, pause))
            if not isinstance(error, PredictorBusy):
                pause = min(pause * 2, self._config.longest_pause_seconds)
            if run.stopping.is_set():
                raise Stopped
            try:
                value = await step()
            except (PredictorBusy, PredictorFailed, PredictorUnavailable, StoreError) as another:
                error = another
            else:
                self._hinder(run, None, "")
                return value

    def _pause_after(self, run: GenerationRun, error: Exception, failures: EqualFailures, pause: float) -> float:
        """How many seconds to wait after a failure, which is told unless the predictor is but busy."""
        if isinstance(error, PredictorBusy):
            return min(error.seconds, self._config.longest_pause_seconds)
        if isinstance(error, PredictorFailed) and failures.count(str(error)) >= EQUAL_FAILURES:
            self._hinder(run, Reason.PREDICTOR_FAILS, f"{error}; so it did {failures.equal} times")
            return failures.pause
        if isinstance(error, StoreError):
            self._hinder(run, Reason.STORE_UNAVAILABLE, str(error))
        elif isinstance(error, PredictorUnavailable) and run.awaits_start(self._config.start_seconds):
            self._hinder(run, Reason.QUEUED, f"waiting for a predictor to start: {error}")
        else:
            self._hinder(run, Reason.PREDICTOR_UNAVAILABLE, str(error))
        return pause

    def _hinder(self, run: GenerationRun, reason: Reason | None, message: str) -> None:
        """Have the request looked at when what hinders it changes, and only then."""
        if reason is None:
            run.absent_since = None
        if run.reason is reason:
            return
        run.reason, run.message = reason, message
        # Whoever waits for a predictor to start meets no error.
        if reason is not None and reason is not Reason.QUEUED:
            log.warning("%s: %s", run.key, message)
            metrics.ERRORS.labels(reason=reason.value).inc()
        self._wake(run.key)

    async def _pause(self, run: GenerationRun, seconds: float) -> None:
        """Wait, or until the run is told to stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(run.stopping.wait(), timeout=seconds)
