"""Generation beside the loop: short resumable steps with bounded concurrency.

What is in the store is the truth: before each batch the style's prefix is listed, and only what is missing is asked
for. So a restart, a lost answer or a predictor that was away costs at most one batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from profile_contract.artifacts import REPORT, request_prefix
from profile_contract.candidates import PlannedCandidate, generation_order
from profile_contract.conditions import Reason
from profile_contract.generation import GenerationOrder, GenerationResult
from profile_contract.keys import ForeignKey
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
from profile_operator.observe.snapshot import GenerationView
from profile_runtime.logging import bound
from profile_runtime.progress import Publisher, StageProgress
from profile_runtime.store.port import StoreError

from .run import EQUAL_FAILURES, DrawingCost, EqualFailures, GenerationRun, RequestGrants

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 2.0
STOP_SECONDS = 120.0
# A predictor that says 'done' and leaves nothing: this often, then it is called a failure.
EMPTY_ANSWERS = 3


class Stopped(Exception):
    """Asked to begin no further batch."""


class GenerationRunner:
    """Runs at most one task a request; `wake` is called when a request should be looked at."""

    def __init__(
        self,
        store: StoreAccess,
        predictor: PredictorClient,
        publisher: Publisher,
        wake: Callable[[Key], None],
        config: GenerationConfig,
    ) -> None:
        self._store, self._predictor, self._publisher = store, predictor, publisher
        self._wake, self._config = wake, config
        self._calls = asyncio.Semaphore(config.concurrency)
        self._runs: dict[str, GenerationRun] = {}

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
        counted, started = run.done, stamp(datetime.now(UTC))
        digests: dict[str, str] = {}
        cost = DrawingCost()
        empty_answers = 0
        while True:
            # Listing and drawing are one step: after a lost answer it is the listing that tells what was made.
            missing, result = await self._patiently(run, lambda: self._draw(run, style))
            run.done = counted + len(style.candidates) - missing
            await asyncio.to_thread(run.progress.at, run.done, run.work.total)
            if result is None:
                break
            empty_answers = empty_answers + 1 if set(digests) >= {item.key for item in result.items} else 0
            if empty_answers >= EMPTY_ANSWERS:
                raise PredictorRefused("the predictor says that candidates are made, but they are not in the store")
            digests |= {item.key: item.sha256 for item in result.items}
            run.drawn += len(result.items)
            cost.add(result)
        await self._patiently(run, lambda: self._report(style, digests, started, cost))

    async def _draw(self, run: GenerationRun, style: StyleWork) -> tuple[int, GenerationResult | None]:
        """Draw one batch of what is missing: how many were missing, and the result; None if nothing was."""
        missing = await self._missing(style)
        if not missing:
            return 0, None
        return len(missing), await self._call(run, style, missing)

    async def _missing(self, style: StyleWork) -> list[PlannedCandidate]:
        """The candidates that are not in the store; none if the report stands."""
        present = {entry.key for entry in await self._store.list(style.prefix)}
        if style.prefix + REPORT in present:
            return []
        return [candidate for candidate in style.candidates if candidate.key not in present]

    async def _call(self, run: GenerationRun, style: StyleWork, missing: list[PlannedCandidate]) -> GenerationResult:
        """One batch."""
        async with self._calls:
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
        signer = self._store.signer(request_prefix(request.namespace, request.name), request.uid)
        return generation_order(
            request,
            run.work.adapter,
            style.spec,
            missing[: config.batch],
            size=config.picture,
            grants=RequestGrants(signer, config.grant_seconds),
        )

    async def _report(self, style: StyleWork, digests: dict[str, str], started: str, cost: DrawingCost) -> None:
        """The style's report, written last: where it stands, the style is done."""
        if await self._store.report(style.prefix, GenerateReport) is not None:
            return
        report = GenerateReport(
            digest=style.digest,
            style=style.key,
            style_spec=style.spec,
            candidates=[planned.made(digests.get(planned.key, "")) for planned in style.candidates],
            started_at=started,
            finished_at=stamp(datetime.now(UTC)),
            seconds=round(cost.seconds, 3),
            gpu=cost.gpu,
            gpu_count=1 if cost.gpu else 0,
        )
        await self._store.write(style.prefix + REPORT, report.to_json().encode(), "application/json")

    # --- patience ---

    async def _patiently(self, run: GenerationRun, step: Callable[[], Awaitable[T]]) -> T:
        """Do a step, and again after a pause for as long as what it needs is away. Raises Stopped when told to stop."""
        pause, failures = FIRST_PAUSE_SECONDS, EqualFailures()
        while True:
            if run.stopping.is_set():
                raise Stopped
            try:
                value = await step()
            except PredictorBusy as busy:
                await self._pause(run, min(busy.seconds, self._config.longest_pause_seconds))
                continue
            except PredictorFailed as error:
                if failures.count(str(error)) >= EQUAL_FAILURES:
                    self._hinder(run, Reason.PREDICTOR_FAILS, f"{error}; so it did {failures.equal} times")
                    await self._pause(run, failures.pause)
                    continue
                self._hinder(run, Reason.PREDICTOR_UNAVAILABLE, str(error))
            except PredictorUnavailable as error:
                self._hinder(run, Reason.PREDICTOR_UNAVAILABLE, str(error))
            except StoreError as error:
                self._hinder(run, Reason.STORE_UNAVAILABLE, str(error))
            else:
                self._hinder(run, None, "")
                return value
            await self._pause(run, pause)
            pause = min(pause * 2, self._config.longest_pause_seconds)

    def _hinder(self, run: GenerationRun, reason: Reason | None, message: str) -> None:
        """Have the request looked at when what hinders it changes, and only then."""
        if run.reason is reason:
            return
        run.reason, run.message = reason, message
        if reason is not None:
            log.warning("%s: %s", run.key, message)
            metrics.ERRORS.labels(reason=reason.value).inc()
        self._wake(run.key)

    async def _pause(self, run: GenerationRun, seconds: float) -> None:
        """Wait, or until the run is told to stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(run.stopping.wait(), timeout=seconds)
