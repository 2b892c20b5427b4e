"""LookKeeper: has predictors read the files of looks, and writes what they say of them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime

from pydantic import ValidationError

from profile_contract.areas import area_of
from profile_contract.generation import LookCheckOrder, LookGrant
from profile_contract.keys import ForeignKey
from profile_contract.look import LookReason, LookStatus, look_spec
from profile_contract.look_learning import LookCondition
from profile_contract.look_ref import LOOKS, LookKind, look_key, looks_area, shared_looks
from profile_contract.problems import problems_of
from profile_contract.resource import Key
from profile_contract.style_ref import OWN
from profile_contract.understood import understood
from profile_operator.clients.entries import LookEntry, whole
from profile_operator.clients.predictor import (
    PredictorBusy,
    PredictorClient,
    PredictorFailed,
    PredictorRefused,
    PredictorUnavailable,
)
from profile_operator.clients.store import StoreAccess
from profile_operator.clients.watched import WatchedKube
from profile_operator.clock import parsed
from profile_operator.config import OperatorConfig
from profile_operator.decide.installation import another
from profile_operator.decide.look_learning import Learning
from profile_operator.decide.look_status import GOING, LookSight, is_read, is_seen, look_status
from profile_runtime.kubernetes.errors import ApiError
from profile_runtime.kubernetes.resources import CLUSTER_LOOKS_PATH, Document, looks_path
from profile_runtime.store.port import StoreError

from .look_learner import LookLearner, LookOwner

log = logging.getLogger(__name__)

PAUSE_SECONDS = 60.0
LEARNING_SECONDS = 5.0
# Of a generation that is told of before anything was done.
NOBODY_LOOKED = -1
# A predictor that refuses to be asked is one of an earlier version, which knows no looks.
_AWAY = (PredictorBusy, PredictorFailed, PredictorRefused, PredictorUnavailable)


class LookKeeper:
    """One round after another, at once when a look changed; a look that was read as it stands is not read again."""

    def __init__(
        self,
        kube: WatchedKube,
        store: StoreAccess,
        predictor: PredictorClient,
        config: OperatorConfig,
        *,
        learner: LookLearner,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        self._kube, self._store, self._predictor, self._learner = kube, store, predictor, learner
        self._config, self._pause = config, pause
        # Whether a look is being learnt: its Jobs are not watched, but looked for.
        self._learning = False

    async def run(self) -> None:
        """Until cancelled."""
        changed = self._kube.looks_changed
        while True:
            changed.clear()
            await self.look()
            pause = min(self._pause, LEARNING_SECONDS) if self._learning else self._pause
            try:
                await asyncio.wait_for(changed.wait(), pause)
            except TimeoutError:
                continue

    async def look(self) -> None:
        """One round over all looks."""
        self._learning = False
        self._learner.keep({entry.key for entry in self._looks})
        drawing = Counter[tuple[str, str]]()
        for style in (*self._kube.listed_cluster_styles, *self._kube.listed_styles):
            for look in style.looks:
                drawing[style.key.namespace if look.startswith(OWN) else "", look] += 1
        for entry in self._looks:
            try:
                await self._keep(entry, drawing[entry.key.namespace, entry.look])
            except ApiError as error:
                log.info("the status of the look %s was not written: %s", entry.key, error)

    @property
    def _looks(self) -> tuple[LookEntry, ...]:
        return (*self._kube.listed_cluster_looks, *self._kube.listed_looks)

    async def _keep(self, entry: LookEntry, styles: int) -> None:
        """Write one look's status if it changed."""
        document = whole(entry)
        before, _ = understood(LookStatus, document.get("status") or {})
        if another(before.installation, self._config):
            return
        generation = int(document["metadata"].get("generation", 0))
        # What stands under a former name is read once more, and so carries today's.
        seen = before.installation == self._config.installation and is_seen(before, generation)
        if seen:
            self._learner.rest(entry.key)
        unclaimed = self._unclaimed(document, before)
        sight = None if seen else self._claim() if unclaimed else await self._sight(entry, before)
        after = look_status(
            before,
            NOBODY_LOOKED if unclaimed else generation,
            sight,
            styles=styles,
            installation=self._config.installation,
            now=datetime.now(UTC),
        )
        if after != before:
            collection = looks_path(entry.key.namespace) if entry.key.namespace else CLUSTER_LOOKS_PATH
            await self._kube.set_style_status(f"{collection}/{entry.key.name}", after.document(), entry.version)

    async def _sight(self, entry: LookEntry, before: LookStatus) -> LookSight:
        """What is to be seen of a look now. Raises ApiError."""
        learning, document = None, whole(entry)
        generation = int(document["metadata"].get("generation", 0))
        try:
            spec = look_spec(document)
            path, sha256 = (spec.file.key, spec.file.sha256) if spec.file is not None else ("", "")
            if spec.photos is None:
                self._learner.rest(entry.key)
            if spec.photos is not None:
                fresh = before.observed_generation != generation
                learning = await self._learner.step(self._owner(entry), spec, spec.photos, fresh=fresh)
                if learning.learnt is None:
                    return self._unlearnt(learning)
                merging = learning.conditions.get(LookCondition.MERGED)
                self._learning |= merging is not None and merging.reason in GOING
                ready = before.ready
                if ready is not None and is_read(before, generation) and before.digest == learning.sha256:
                    # Read already, and drawn with: it is merged now.
                    return LookSight(
                        LookReason.FITS, ready.message, before.digest, before.layers, before.rank, learning
                    )
                path, sha256 = learning.learnt.adapter, learning.sha256
            result = await self._predictor.check(spec.predictor, await self._order(entry, path, sha256))
        except ValidationError as error:
            return LookSight(LookReason.NOT_UNDERSTOOD, problems_of(error, most=3, below="spec."))
        # A ValueError: a place that is another's, or one that no policy can say safely.
        except (ValueError, StoreError, *_AWAY) as error:
            return LookSight(_reason_of(error), str(error), learning=learning)
        if result.refused:
            reason = LookReason.NOT_FOUND if result.absent else LookReason.REFUSED
            return LookSight(reason, f"{path}: {result.refused}", learning=learning)
        text = f"it changes {result.layers} layers, at rank {result.rank} at most"
        return LookSight(LookReason.FITS, text, sha256, result.layers, result.rank, learning)

    def _unclaimed(self, document: Document, before: LookStatus) -> bool:
        """Whether several installations may be about to learn a look of the cluster: who writes its status first
        does."""
        shared = not document["metadata"].get("namespace") and "photos" in (document.get("spec") or {})
        return shared and before.installation != self._config.installation

    def _claim(self) -> LookSight:
        """What is told before anything is done."""
        self._learning = True
        return LookSight(LookReason.LEARNING, f"it is learnt by the installation {self._config.installation}")

    def _owner(self, entry: LookEntry) -> LookOwner:
        """Who has it learnt, and where: one of the cluster in the installation's own namespace. Raises ForeignKey."""
        metadata, key, kind = whole(entry)["metadata"], entry.key, LookKind.OWN
        if not key.namespace:
            key, kind = Key(self._config.own_namespace, key.name), LookKind.CLUSTER
        if not key.namespace:
            raise ForeignKey("this operator is of no installation, and has no namespace to learn a cluster's look in")
        created = parsed(metadata.get("creationTimestamp", "1970-01-01T00:00:00Z"))
        return LookOwner(key, str(metadata.get("uid", "")), created, kind)

    def _unlearnt(self, learning: Learning) -> LookSight:
        """What is told of a look that is not learnt yet, or never will be from these pictures."""
        if learning.refusal:
            return LookSight(LookReason.REFUSED, learning.refusal, learning=learning)
        self._learning = True
        return LookSight(LookReason.LEARNING, learning.message, learning=learning)

    async def _order(self, entry: LookEntry, path: str, sha256: str) -> LookCheckOrder:
        """What the predictor is asked, with a link to that file alone. Raises ApiError, StoreError or ForeignKey."""
        namespace, prefix = entry.key.namespace, self._config.store.prefix
        if namespace:
            area = area_of(namespace, await self._kube.namespace_uid(namespace), prefix)
            place, folder = str(area), looks_area(area)
        else:
            place, folder = prefix, shared_looks(prefix)
        key = look_key(place, path)
        signer, seconds = self._store.signer(folder, LOOKS), self._config.generation.grant_seconds
        url = await self._store.signed(lambda: signer.get(key, seconds))
        grant = LookGrant(key=key, url=url, sha256=sha256, name=entry.key.name)
        return LookCheckOrder(namespace=namespace, look=grant)


def _reason_of(error: Exception) -> LookReason:
    """What a file that could not be read is told as."""
    if isinstance(error, ValueError):
        return LookReason.REFUSED
    return LookReason.STORE_UNAVAILABLE if isinstance(error, StoreError) else LookReason.PREDICTOR_UNAVAILABLE
