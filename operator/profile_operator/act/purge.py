"""Deletes what a request made: cached adapters, artifacts, progress."""

from __future__ import annotations

import asyncio
import logging

from profile_contract.artifacts import REPORT
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

log = logging.getLogger(__name__)

EVICTION_SECONDS = 10.0
MOST_DIGESTS = 64
# Of a request's adapters with their checkpoints: more did not come from training.
MOST_OBJECTS = 10_000


class ArtifactPurger:
    """Purges. The store must answer; a predictor that is away has nothing cached that it could still serve."""

    def __init__(self, kube: Kube, store: StoreAccess, predictor: PredictorClient, progress: ProgressReader) -> None:
        self._kube, self._store, self._predictor, self._progress = kube, store, predictor, progress

    async def purge(self, head: RequestHead, prefix: str) -> int:
        """Delete everything; returns how many objects went. Raises StoreError: nothing is then called deleted."""
        await self.forget_adapters(prefix)
        count = await self._store.delete(prefix)
        if not await self._progress.delete(head.key):
            log.warning("%s: Redis is away; its progress ends by itself", head.key)
        return count

    async def revoke(self, head: RequestHead, prefix: str) -> bool:
        """End what was handed out for the request before its time; False where the store cannot. Raises StoreError."""
        return await self._store.revoke(prefix, head.uid)

    async def forget_adapters(self, prefix: str) -> None:
        """Have every predictor forget the request's adapters. The digests are read before the reports go."""
        digests = await self._adapter_digests(prefix)
        if not digests:
            return
        order = EvictionOrder(sha256=digests[:MOST_DIGESTS])
        for predictor in await self._predictors():
            try:
                count = await asyncio.wait_for(self._predictor.evict(predictor, order), EVICTION_SECONDS)
                log.info("predictor %s forgot %d cached adapters", predictor, count)
            except (PredictorBusy, PredictorUnavailable, PredictorFailed, PredictorRefused, TimeoutError) as error:
                # A cached adapter is used only after its grant was checked at the store: once it is purged, never.
                log.warning("predictor %s was not told to forget adapters: %s", predictor, type(error).__name__)

    async def _adapter_digests(self, prefix: str) -> list[str]:
        listed = await self._store.list(f"{prefix}{STAGES[Stage.TRAIN].folder}/", MOST_OBJECTS)
        reports = [entry.key.removesuffix(REPORT) for entry in listed if entry.key.endswith(f"/{REPORT}")]
        adapters = [await self._store.report(folder, TrainReport) for folder in reports]
        return sorted({report.adapter.sha256 for report in adapters if report is not None and report.adapter})

    async def _predictors(self) -> list[str]:
        styles = await self._kube.styles()
        return sorted({style.get("spec", {}).get("predictor", "profile-predictor") for style in styles})
