"""The one entry: look at a request, decide, act. Everything that happens calls it, and it asks nobody what happened."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from profile_contract.conditions import Reason
from profile_contract.resource import Key, RequestHead, SpecError, parse_head
from profile_contract.stages.stage_text import StageText
from profile_runtime.kubernetes.errors import (
    ApiError,
    Forbidden,
    ResourceConflict,
    ResourceInvalid,
    ResourceNotFound,
)
from profile_runtime.kubernetes.resources import Document
from profile_runtime.store.port import StoreError
from profile_runtime.tracing import Traces

from . import metrics
from .act.applier import Applier, OwnerConflict
from .act.event_sink import EventSink
from .clients.kubernetes import Kube
from .compared import platform_digest
from .config import OperatorConfig
from .decide import DeletionFacts, Facts, claim_of, decide, decide_deletion, outage
from .decide.installation import claimed, keeping_off, served_by_another
from .decide.orders import needs_gpu
from .decide.plan import Plan
from .decide.spans import ended
from .decide.transitions import news
from .decide.turns import Claim, Turn
from .observe.observer import Observer
from .observe.snapshot import JobState, JobView
from .stage_metrics import count_ended, count_queued
from .waiting_list import WaitingList
from .workqueue import ExpectedError

log = logging.getLogger(__name__)


class Reconciler:
    """`reconcile(key)` returns after how many seconds to look again. Calls for one key must not overlap."""

    def __init__(
        self,
        kube: Kube,
        observer: Observer,
        applier: Applier,
        *,
        config: OperatorConfig,
        forget: Callable[[str], None],
        waiting: WaitingList,
        events: EventSink | None = None,
        traces: Traces | None = None,
    ) -> None:
        self._kube, self._observer, self._applier = kube, observer, applier
        self._config, self._forget, self._waiting = config, forget, waiting
        self._events, self._traces = events, traces
        self._written: dict[Key, float] = {}
        self._uids: dict[Key, str] = {}
        self._platform = platform_digest(config)
        # Who could not be looked at for a reason that ends for all of them at once.
        self._hindered_by: dict[Reason, set[Key]] = {Reason.STORE_UNAVAILABLE: set(), Reason.API_UNAVAILABLE: set()}
        # Who serves what is not ours, by the request's UID, as it was told.
        self._kept_off: dict[str, str] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Look, decide, act. Raises ExpectedError to be called again with growing pauses."""
        with metrics.RECONCILE_SECONDS.time():
            try:
                again = await self._reconcile(key)
            except ExpectedError:
                metrics.RECONCILES.labels(result="again").inc()
                raise
            except Exception:
                metrics.RECONCILES.labels(result="error").inc()
                self._waiting.leave(key)
                raise
        metrics.RECONCILES.labels(result="done").inc()
        return again

    async def _reconcile(self, key: Key) -> float | None:
        if self._kube.settled(key, self._platform):
            self._written.pop(key, None)
            self._waiting.forget(key)
            return None
        try:
            document = await self._kube.request(key)
        except ResourceNotFound:
            self._gone(key)
            return None
        except ApiError as error:
            self._hindered_by[Reason.API_UNAVAILABLE].add(key)
            raise ExpectedError(str(error)) from error
        head = parse_head(document)
        if self._uids.get(key, head.uid) != head.uid:
            # Made anew under its name before anybody saw that the other was gone.
            self._gone(key)
        self._uids[key] = head.uid
        spec = document.get("spec", {})
        try:
            if holder := served_by_another(head, self._config):
                await self._keep_off(head, holder)
                return None
            return await self._cycle(head, spec)
        except ResourceConflict:
            # Somebody wrote since we read: nothing is lost, look again at once, at what stands now.
            await self._kube.refresh(key)
            return 0.2
        except (SpecError, StoreError, OwnerConflict, ApiError) as error:
            reason = _reason(error)
            if reason in self._hindered_by:
                self._hindered_by[reason].add(key)
            self._waiting.leave(key)
            await self._hindered(head, error, reason)
            raise ExpectedError(str(error)) from error

    async def _cycle(self, head: RequestHead, spec: Document) -> float | None:
        """One faultless cycle."""
        if head.deleting:
            remains = await self._observer.remains(head)
            if remains.jobs is not None:
                self._turn(head.key, None, remains.jobs)
            plan = decide_deletion(DeletionFacts(remains, self._config, datetime.now(UTC)))
            await self._apply(plan, head)
            return plan.again
        since = time.monotonic() - self._written.get(head.key, float("-inf"))
        snapshot = await self._observer.snapshot(head, spec, since)
        metrics.expect(head.key.namespace, snapshot.styles)
        facts = Facts(snapshot, self._config, datetime.now(UTC))
        if self._waiting.needed:
            facts = replace(facts, turn=self._turn(head.key, claim_of(facts), snapshot.jobs))
        plan = decide(facts)
        await self._apply(plan, head)
        return plan.again

    async def _keep_off(self, head: RequestHead, holder: str) -> None:
        """Touch nothing of a request that another installation serves, and say so once."""
        self._forget(head.uid)
        self._waiting.forget(head.key)
        if self._kept_off.get(head.uid) == holder:
            return
        log.info("%s: %s serves it, this installation keeps off", head.key, holder)
        await self._applier.apply(keeping_off(head, holder, self._config.installation), head)
        self._kept_off[head.uid] = holder

    def _turn(self, key: Key, claim: Claim | None, jobs: tuple[JobView, ...]) -> Turn:
        """Whether it is the request's turn for a GPU, where those are counted."""
        if not self._waiting.needed:
            return Turn()
        trainings = [job for job in jobs if needs_gpu(job.stage, self._config) and job.state is JobState.ACTIVE]
        begun = max((job.started.timestamp() for job in trainings if job.started), default=0.0)
        return self._waiting.look(key, claim, busy=len(trainings), begun=begun)

    async def _apply(self, plan: Plan, head: RequestHead) -> None:
        """Carry out the plan, and count what its status tells for the first time."""
        plan = claimed(plan, head, self._config.installation)
        await self._applier.apply(plan, head)
        self._tell(plan, head)
        if plan.status is not None:
            self._written[head.key] = time.monotonic()
            count_ended(head, plan.status)
            count_queued(head, plan.status, datetime.now(UTC))
            if plan.status.stage_text is StageText.DONE:
                # What generation remembers of it is told by the reports from now on.
                self._forget(head.uid)

    def _tell(self, plan: Plan, head: RequestHead) -> None:
        """Have whoever listens told of what the plan tells for the first time."""
        if self._events is not None and self._events.wanted:
            self._events.offer(head.key, head.uid, head.generation, news(head, plan))
        if self._traces is not None and self._traces.wanted and plan.status is not None:
            self._traces.tell(*ended(head, plan.status, news(head, plan)))

    async def _hindered(self, head: RequestHead, error: Exception, reason: Reason) -> None:
        """Tell the user what hinders us, once."""
        # Somebody understood the spec, or wrote a status, that we do not understand: the last good one stays.
        if reason is Reason.INVALID_SPEC and (head.unread_status is not None or head.ready):
            log.warning("%s: left as it is, a newer version wrote it: %s", head.key, error)
            return
        metrics.ERRORS.labels(reason=reason.value).inc()
        plan = claimed(outage(head, reason, str(error), datetime.now(UTC)), head, self._config.installation)
        try:
            await self._applier.apply(plan, head)
        except ApiError as second:
            log.info("%s: the status could not be written: %s", head.key, second)
        else:
            self._tell(plan, head)

    def take_waiting(self, reason: Reason) -> set[Key]:
        """The requests that could not be looked at since the store, or the API server, did not answer; each is told
        once."""
        waiting, self._hindered_by[reason] = self._hindered_by[reason], set()
        return waiting

    def _gone(self, key: Key) -> None:
        self._written.pop(key, None)
        self._waiting.forget(key)
        uid = self._uids.pop(key, None)
        if uid is not None:
            self._kept_off.pop(uid, None)
            self._forget(uid)


def _reason(error: Exception) -> Reason:
    reasons: dict[type[Exception], Reason] = {
        SpecError: Reason.INVALID_SPEC,
        StoreError: Reason.STORE_UNAVAILABLE,
        OwnerConflict: Reason.CONFLICT,
        # A quota, an admission policy, or a right that the operator lacks: its own words say which.
        Forbidden: Reason.REFUSED,
        ResourceInvalid: Reason.REFUSED,
    }
    return next((reason for kind, reason in reasons.items() if isinstance(error, kind)), Reason.API_UNAVAILABLE)
