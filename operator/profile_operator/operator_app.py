"""The operator's parts put together, and their life: start, workers, resync, stop."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

from profile_contract.conditions import Reason
from profile_contract.stages.table import Stage
from profile_runtime.kubernetes.aio import connect
from profile_runtime.kubernetes.errors import ApiError
from profile_runtime.progress import Publisher, RedisPublisher, Silent

from . import metrics
from .act.applier import Applier
from .act.credentials import CredentialsIssuer
from .act.purge import ArtifactPurger
from .act.sweeper import Sweeper
from .clients import store as store_access
from .clients.census import Census
from .clients.kubernetes import Kube, ListedRequest
from .clients.predictor import PredictorClient
from .clients.progress import ProgressReader
from .clients.stage_redis import StageRedis
from .config import OperatorConfig, Secrets
from .decide.orders import needs_gpu
from .generate.runner import GenerationRunner
from .health import HealthServer
from .observe.issued import Issued
from .observe.observer import Observer
from .reconcile import Reconciler
from .standing_line import standing_line
from .waiting_list import WaitingList
from .workqueue import WorkQueue

log = logging.getLogger(__name__)

STAGE_NONE = "Waiting"


class OperatorApp:
    """Made before kopf's loop runs; `start` is called within it."""

    def __init__(self, config: OperatorConfig, secrets: Secrets) -> None:
        self._config, self._secrets = config, secrets
        self.queue = WorkQueue()
        self._tasks: list[asyncio.Task[None]] = []
        self._health = HealthServer(lambda: self.healthy)

    @property
    def healthy(self) -> bool:
        """Whether all workers run. True before the start, so that a slow start is not killed."""
        return all(not task.done() for task in self._tasks)

    async def answer_probes(self) -> None:
        """Answer the kubelet before there is work. Not by kopf, which listens on one kind of address."""
        if self._config.health_port:
            await self._health.start(self._config.health_port)

    async def start(self) -> None:
        """Connect and begin to work. Raises ApiError where no cluster is configured."""
        config, secrets = self._config, self._secrets
        api = await connect()
        self._kube = kube = Kube(api)
        store = store_access.connect(config.store, secrets)
        redis = secrets.redis.get_secret_value()
        publisher: Publisher = RedisPublisher(redis) if redis else Silent()
        self._progress = ProgressReader(redis)
        self._predictor = PredictorClient(config.generation, secrets.predictor_token.get_secret_value())
        self._generation = GenerationRunner(store, self._predictor, publisher, self.queue.add, config.generation)
        issued = Issued()
        self._stage_redis = StageRedis(redis, secrets.stage_redis.get_secret_value())
        credentials = CredentialsIssuer(kube, store, config, issued, self._stage_redis)
        purger = ArtifactPurger(kube, store, self._predictor, self._progress)
        applier = Applier(kube, store, credentials, self._generation, purger, config=config, secrets=secrets)
        observer = Observer(kube, store, self._progress, self._generation.view, config, issued=issued)
        self._waiting = WaitingList(config.admission.limits, self.queue.add)

        def forget(uid: str) -> None:
            self._generation.forget(uid)
            issued.forget(uid)

        reconciler = Reconciler(kube, observer, applier, config=config, forget=forget, waiting=self._waiting)
        leftovers = store_access.leftovers(config.store, secrets)
        sweeper = Sweeper(Census(api), leftovers, store, observer.styles_known, config=config)
        work = [self.queue.work(reconciler.reconcile) for _ in range(config.workers)]
        self._tasks = [asyncio.create_task(task) for task in (*work, self._resync(), sweeper.run())]
        if config.metrics_port:
            metrics.serve(config.metrics_port)

    async def stop(self) -> None:
        """End everything; what is under way is found again after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._waiting.close()
        await self._generation.close()
        await self._predictor.close()
        await self._progress.close()
        await self._stage_redis.close()
        await self._kube.close()
        await self._health.stop()

    async def _resync(self) -> None:
        """Look at every request from time to time, whatever the watches said."""
        while True:
            await self._resync_once()
            await asyncio.sleep(self._config.resync_seconds)

    async def _resync_once(self) -> None:
        requests: list[ListedRequest] = []
        # One namespace that may not be seen, or is gone, keeps nobody from the others.
        for namespace in self._config.watch_namespaces or [""]:
            try:
                requests += await self._kube.listed_requests([namespace] if namespace else [])
            except ApiError as error:
                log.warning("resync of %s: %s", namespace or "all namespaces", error)
        for request in requests:
            self.queue.add(request.key)
        if self._waiting.needed and not self._waiting.loaded:
            await self._load(requests)
        stages = Counter(request.stage_text or STAGE_NONE for request in requests)
        queued = Counter(request.key.namespace for request in requests if request.stage_text == Reason.QUEUED)
        metrics.QUEUED.clear()
        for namespace, count in queued.items():
            metrics.QUEUED.labels(namespace=namespace).set(count)
        metrics.REQUESTS.clear()
        for stage, count in stages.items():
            metrics.REQUESTS.labels(stage=stage).set(count)

    async def _load(self, requests: Sequence[ListedRequest]) -> None:
        """Tell the waiting list who trains and who waits. Raises ApiError."""
        stages = [stage.value for stage in Stage if needs_gpu(stage, self._config)]
        jobs = await self._kube.stage_jobs(self._config.watch_namespaces, stages)
        self._waiting.load(*standing_line(requests, jobs))
