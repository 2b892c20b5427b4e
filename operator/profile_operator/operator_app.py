"""The operator's parts put together, and their life: start, election, workers, resync, stop."""

from __future__ import annotations

import asyncio
import logging
import socket
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from profile_contract.conditions import Reason
from profile_contract.resource import Key, parse_head
from profile_contract.stages.stage_text import StageText
from profile_contract.stages.table import Stage
from profile_runtime.kubernetes.aio import connect
from profile_runtime.kubernetes.errors import ApiError
from profile_runtime.progress import Publisher, RedisPublisher, Silent
from profile_runtime.tracing import Traces

from . import metrics, names
from .act.applier import Applier
from .act.credentials import CredentialsIssuer
from .act.event_sink import EventSink
from .act.look_keeper import LookKeeper
from .act.look_learner import LookLearner
from .act.look_line import LookLine, is_look
from .act.purge import ArtifactPurger
from .act.style_keeper import StyleKeeper
from .act.sweeper import Sweeper
from .clients import store as store_access
from .clients.census import Census
from .clients.entries import whole
from .clients.lease import KubernetesLease
from .clients.predictor import PredictorClient
from .clients.progress import ProgressReader
from .clients.stage_redis import StageRedis
from .clients.watched import WatchedKube
from .clock import stamp
from .compared import platform_digest
from .config import OperatorConfig, Secrets
from .decide.installation import served_by_another
from .decide.orders import needs_gpu
from .decide.transitions import reached
from .election import Elector
from .generate.runner import GenerationRunner
from .health import HealthServer
from .long_waits import MANY_ATTEMPTS, LongWaits
from .observe.issued import Issued
from .observe.observer import Observer
from .reconcile import Reconciler
from .renewal import Renewal
from .standing_line import standing_line
from .waiting_list import WaitingList
from .workqueue import WorkQueue

log = logging.getLogger(__name__)

# Several events of one change (a Job's pods, the echo of a write of ours) come within this time and are looked at once.
GATHER_SECONDS = 0.1
# Requests between two moments in which others may work.
ROUND_STEP = 500


class OperatorApp:
    """Made before kopf's loop runs; `start` is called within it.

    Every process follows what happens and is ready to work; only the one that leads does.
    """

    def __init__(self, config: OperatorConfig, secrets: Secrets) -> None:
        self._config, self._secrets = config, secrets
        self.queue = WorkQueue()
        # Set when the process is to end, since another one works by now.
        self.ended = asyncio.Event()
        self._elector: Elector | None = None
        self._leads = False
        self._waits = LongWaits()
        self._tasks: list[asyncio.Task[None]] = []
        self._health = HealthServer(lambda: self.healthy)

    @property
    def healthy(self) -> bool:
        """Whether all tasks run. True before the start, so that a slow start is not killed."""
        return all(not task.done() for task in self._tasks)

    async def answer_probes(self) -> None:
        """Answer the kubelet before there is work. Not by kopf, which listens on one kind of address."""
        if self._config.health_port:
            await self._health.start(self._config.health_port)

    async def start(self) -> None:
        """Connect, follow what happens, and work as soon as this process leads. Raises ApiError where no cluster is
        configured."""
        config, secrets = self._config, self._secrets
        api, lease = await connect(), config.lease
        if lease.name:
            identity = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
            self._elector = Elector(KubernetesLease(api, lease.namespace, lease.name), identity)
        fence = self._elector.fence if self._elector is not None else None
        ours = [name for name in (config.installation, *config.formerly) if name]
        self._kube = kube = WatchedKube(api, config.watch_namespaces, self._changed, fence, ours)
        self._store = store = store_access.connect(config.store, secrets, fence)
        redis = secrets.redis.get_secret_value()
        publisher: Publisher = RedisPublisher(redis) if redis else Silent()
        self._progress = ProgressReader(redis)
        self._predictor = PredictorClient(config.generation, secrets.predictor_token.get_secret_value(), fence)
        self._traces = Traces("profile-operator")
        purger = ArtifactPurger(kube, store, self._predictor, self._progress, generation=config.generation)
        self._generation = GenerationRunner(
            store,
            self._predictor,
            publisher,
            self.queue.add,
            config.generation,
            replicas=purger.origins,
            traced=self._traces.wanted,
        )
        issued = Issued()
        self._stage_redis = StageRedis(redis, secrets.stage_redis.get_secret_value())
        credentials = CredentialsIssuer(kube, store, config, issued, self._stage_redis)
        applier = Applier(kube, store, credentials, self._generation, purger, config=config, secrets=secrets)
        observer = Observer(kube, store, self._progress, self._generation.view, config, issued=issued)
        self._styles = StyleKeeper(kube, config, serve=self._generation.serve)
        self._waiting = WaitingList(config.admission.limits, self._next_in_line)
        self._look_line = LookLine(self._waiting, config)
        learner = LookLearner(kube, store, credentials, config, secrets, line=self._look_line)
        self._looks = LookKeeper(kube, store, self._predictor, config, learner=learner)
        self._events = EventSink(
            config.events, secrets.events_token.get_secret_value(), secrets.events_signature_key.get_secret_value()
        )

        def forget(uid: str) -> None:
            self._generation.forget(uid)
            issued.forget(uid)

        self._reconciler = Reconciler(
            kube,
            observer,
            applier,
            config=config,
            forget=forget,
            waiting=self._waiting,
            events=self._events,
            traces=self._traces,
        )
        store.returned = lambda: self._look_at_waiting(Reason.STORE_UNAVAILABLE)
        kube.returned = lambda: self._look_at_waiting(Reason.API_UNAVAILABLE)
        leftovers = store_access.leftovers(config.store, secrets)
        self._sweeper = Sweeper(Census(api, fence), leftovers, store, config=config, fence=fence)
        self._begin(kube.follow(), self._lead())
        if config.metrics_port:
            metrics.serve(config.metrics_port)

    async def stop(self) -> None:
        """End everything; what is under way is found again after the next start, or by the process that leads then."""
        await self._end_work()
        if self._elector is not None:
            await self._elector.release()
        self._store.close()
        await self._predictor.close()
        await self._events.close()
        await asyncio.to_thread(self._traces.close)
        await self._progress.close()
        await self._stage_redis.close()
        await self._kube.close()
        await self._health.stop()

    def _begin(self, *work: Coroutine[None, None, None]) -> None:
        self._tasks += [asyncio.create_task(task) for task in work]

    async def _end_work(self) -> None:
        """Begin nothing more and end what is under way."""
        self._leads = False
        metrics.LEADS.set(0)
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks = []
        self._waiting.close()
        await self._generation.close()

    # --- who works ---

    async def _lead(self) -> None:
        """Wait for this process's turn and work until it may not any more; then the process ends."""
        await self._kube.asked()
        if self._elector is not None:
            await self._elector.win()
        self._leads = True
        metrics.LEADS.set(1)
        await self._load_line()
        self._begin(*(self.queue.work(self._reconciler.reconcile) for _ in range(self._config.workers)))
        self._begin(self._resync(), self._sweeper.run(), self._styles.run(), self._looks.run())
        if self._events.wanted:
            self._begin(self._events.run(), self._tell_again())
        if self._elector is None:
            await asyncio.Event().wait()
        else:
            await Renewal(self._elector, self._own_lease).hold()
            await self._end_work()
            self.ended.set()

    @asynccontextmanager
    async def _own_lease(self) -> AsyncIterator[KubernetesLease]:
        """The Lease over a connection of its own. Raises ApiError where no cluster is configured."""
        async with await connect() as api:
            yield KubernetesLease(api, self._config.lease.namespace, self._config.lease.name)

    # --- what is looked at ---

    def _changed(self, key: Key, version: str, within: float = 0.0) -> None:
        """Something happened to a request. The echo of a write of ours, which may come before its answer, is none."""
        if not self._leads:
            return
        if within:
            self.queue.add(key, within)
        else:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._look, key, version)

    def _look(self, key: Key, version: str) -> None:
        if not version or not self._kube.own(key, version):
            self.queue.add(key)

    def _look_at_waiting(self, reason: Reason) -> None:
        """Look at once at whoever waited for what is back now."""
        for key in self._reconciler.take_waiting(reason) if self._leads else ():
            self.queue.add(key)

    async def _tell_again(self) -> None:
        """Tell whoever listens what requests reached lately: what the process before had not sent, and more."""
        since = stamp(datetime.now(UTC) - timedelta(seconds=self._config.events.again_seconds))
        try:
            async for page in self._kube.request_pages(self._config.watch_namespaces):
                for head in map(parse_head, page):
                    if served_by_another(head, self._config):
                        continue
                    lately = (transition for transition in reached(head.status) if transition.time >= since)
                    self._events.offer(head.key, head.uid, head.status.observed_generation, lately)
                await asyncio.sleep(0)
        except ApiError as error:
            log.warning("what happened lately is not told again: %s", error)

    async def _resync(self) -> None:
        """Go round all requests from time to time, whatever the watches said."""
        while True:
            await self._resync_once()
            await asyncio.sleep(self._config.resync_seconds)

    async def _resync_once(self) -> None:
        """Have every request looked at that is not settled, when nothing else is to be done."""
        platform = platform_digest(self._config)
        for number, entry in enumerate(self._kube.listed):
            if not self._kube.settled(entry.key, platform):
                self.queue.add_low(entry.key)
            if number % ROUND_STEP == 0:
                await asyncio.sleep(0)
        await self._count()

    async def _count(self) -> None:
        """Tell Prometheus of the requests that this installation serves. Another's are counted there."""
        names = ("", self._config.installation, *self._config.formerly)
        served = [entry for entry in self._kube.listed if entry.served_by in names]
        stages, queued, namespaces = Counter[str](), Counter[str](), set[str]()
        for number, entry in enumerate(served):
            stages[entry.stage_text or StageText.WAITING] += 1
            namespaces.add(entry.key.namespace)
            queued[entry.key.namespace] += entry.stage_text == StageText.QUEUED
            if number % ROUND_STEP == 0:
                await asyncio.sleep(0)
        metrics.forget_namespaces(namespaces)
        metrics.QUEUED.clear()
        for namespace, count in queued.items():
            metrics.QUEUED.labels(namespace=namespace).set(count)
        metrics.REQUESTS.clear()
        for stage, count in stages.items():
            metrics.REQUESTS.labels(stage=stage).set(count)
        metrics.RETRIED.set(sum(entry.retried >= MANY_ATTEMPTS for entry in served))
        for reason, seconds in self._waits.longest(served).items():
            metrics.WAITING_SECONDS.labels(reason=reason).set(seconds)

    def _next_in_line(self, key: Key) -> None:
        """Have a request or a look looked at that waits for a GPU: its turn has come, or its place is another."""
        if is_look(key):
            self._kube.looks_changed.set()
        else:
            self.queue.add(key)

    async def _load_line(self) -> None:
        """Tell the waiting list who trains and who waits."""
        stages = [stage.value for stage in Stage if needs_gpu(stage, self._config)]
        jobs = [whole(entry) for entry in self._kube.listed_jobs]
        trainings = [job for job in jobs if job["metadata"]["labels"].get(names.LABEL_STAGE) in stages]
        claims, busy, begun = standing_line(self._kube.listed, trainings)
        try:
            watched = self._config.watch_namespaces
            # Of the cluster's looks, in the installation's own.
            places = sorted({*watched, self._config.own_namespace} - {""}) if watched else []
            looks = await self._kube.all_look_jobs(places) if self._waiting.needed else []
        except ApiError as error:
            # Each is seen when its look is looked at; until then one training more may begin.
            log.warning("it is not known which looks are trained: %s", error)
            looks = []
        trained, since = self._look_line.load(looks)
        self._waiting.load(claims, [*busy, *trained], [*begun, *since])
