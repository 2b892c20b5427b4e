"""ArtifactPurger: deletes what a request made (cached adapters, artifacts, progress), or marks it as kept."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from urllib.parse import urlsplit

from profile_contract.artifacts import REPORT, kept_mark, purgeable_mark
from profile_contract.generation import EvictionOrder
from profile_contract.resource import RequestHead
from profile_contract.stages.table import STAGES, Stage
from profile_contract.stages.train import TrainReport
from profile_operator.clients.kubernetes import Kube
from profile_operator.clients.predictor import (
    PredictorBusy,
    PredictorClient,
    PredictorFailed,
    PredictorRefused,
    PredictorUnavailable,
)
from profile_operator.clients.progress import ProgressReader
from profile_operator.clients.store import StoreAccess
from profile_operator.config import GenerationConfig
from profile_runtime.kubernetes.errors import ApiError, Forbidden
from profile_runtime.store.port import StoreError

log = logging.getLogger(__name__)

EVICTION_SECONDS = 10.0
EVICTION_ATTEMPTS = 2
# So long is tried what a deletion does not depend on.
PATIENCE_SECONDS = 30.0
MOST_DIGESTS = 64
# Of a request's adapters with their checkpoints: more did not come from training.
MOST_OBJECTS = 10_000


class ArtifactPurger:
    """Purges. The store must answer; a predictor that is away has nothing cached that it could still serve."""

    def __init__(
        self,
        kube: Kube,
        store: StoreAccess,
        predictor: PredictorClient,
        progress: ProgressReader,
        *,
        generation: GenerationConfig,
    ) -> None:
        self._kube, self._store, self._predictor, self._progress = kube, store, predictor, progress
        self._generation = generation

    async def purge(self, head: RequestHead, prefix: str) -> int:
        """Delete everything; returns how many objects went. Raises StoreError: nothing is then called deleted."""
        await self.forget_adapters(head, prefix)
        count = await self._store.delete(prefix)
        if not await self._progress.delete(head.key):
            log.warning("%s: Redis is away; its progress ends by itself", head.key)
        return count

    async def mark(self, prefix: str, *, purgeable: bool) -> None:
        """Write the proof that what lies there may go with its request, or take it away. Raises StoreError."""
        if purgeable:
            await self._store.write(purgeable_mark(prefix), b"", "text/plain")
        else:
            await self._store.remove([purgeable_mark(prefix)])

    async def revoke(self, head: RequestHead, prefix: str) -> bool:
        """End what was handed out for the request before its time; False where the store cannot. Raises StoreError."""
        return await self._store.revoke(prefix, head.uid)

    async def keep(self, head: RequestHead, prefix: str) -> None:
        """Mark what stays, so that no sweep takes it, and end what was handed out; a store that is away is let be."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if await self._store.list(prefix, 1):
                    await self._store.write(kept_mark(prefix), b"", "text/plain")
                await self.revoke(head, prefix)
                await self.forget_adapters(head, prefix)
        except (StoreError, TimeoutError) as error:
            log.warning("%s: let go without the store, its artifacts stay unmarked: %s", head.key, error)

    async def abandon(self, head: RequestHead, prefix: str, photos: str = "") -> None:
        """Purge, photos too where their prefix is given, and revoke if the store lets us; the log says what stays."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.revoke(head, prefix)
                log.info("%s: %d artifacts deleted, none confirmed gone", head.key, await self.purge(head, prefix))
                if photos:
                    await self._store.delete(photos)
                # What is written from now on is for the sweep.
                await self.mark(prefix, purgeable=True)
        except (StoreError, TimeoutError) as error:
            log.warning("%s: abandoned, what lies below %s stays for now: %s", head.key, prefix, error)

    async def forget_adapters(self, head: RequestHead, prefix: str) -> None:
        """Have every predictor forget the request's adapters. The digests are read before the reports go."""
        digests = await self._adapter_digests(prefix)
        if not digests:
            return
        order = EvictionOrder(sha256=digests[:MOST_DIGESTS])
        for predictor in await self._predictors(head.key.namespace):
            origins = await self.origins(predictor)
            await asyncio.gather(*(self._evict(predictor, order, origin) for origin in origins))

    async def _evict(self, predictor: str, order: EvictionOrder, origin: str) -> None:
        """Tell one replica, and once more where it does not answer. One that never does holds nothing up: a cached
        adapter is used only after its grant was checked at the store, so once it is purged, never."""
        for attempt in range(EVICTION_ATTEMPTS):
            try:
                count = await asyncio.wait_for(self._predictor.evict(predictor, order, origin), EVICTION_SECONDS)
            except (PredictorBusy, PredictorUnavailable, PredictorFailed, PredictorRefused, TimeoutError) as error:
                if attempt == EVICTION_ATTEMPTS - 1:
                    why = str(error) or type(error).__name__
                    log.warning("predictor %s was not told to forget adapters: %s", predictor, why)
            else:
                log.info("predictor %s forgot %d cached adapters", predictor, count)
                return

    async def origins(self, predictor: str) -> list[str]:
        """Where each replica of a predictor answers; [""], which is any, where that cannot be known."""
        url = urlsplit(self._generation.url(predictor))
        service, _, namespace = (url.hostname or "").partition(".")
        if url.scheme != "http" or namespace.split(".")[:2] != [self._generation.namespace, "svc"]:
            return [""]
        try:
            return await self._kube.origins(self._generation.namespace, service) or [""]
        except ApiError as error:
            log.warning("the replicas of %s cannot be listed, one is asked: %s", predictor, error)
            return [""]

    async def _adapter_digests(self, prefix: str) -> list[str]:
        listed = await self._store.list(f"{prefix}{STAGES[Stage.TRAIN].folder}/", MOST_OBJECTS)
        reports = [entry.key.removesuffix(REPORT) for entry in listed if entry.key.endswith(f"/{REPORT}")]
        adapters = [await self._store.report(folder, TrainReport) for folder in reports]
        return sorted({report.adapter.sha256 for report in adapters if report is not None and report.adapter})

    async def _predictors(self, namespace: str) -> list[str]:
        styles = await self._kube.cluster_styles()
        with contextlib.suppress(Forbidden):
            # A namespace that is going has lost its RoleBinding.
            styles = [*styles, *await self._kube.styles(namespace)]
        return sorted({style.get("spec", {}).get("predictor", "profile-predictor") for style in styles})
