"""LookLearner: has a look learnt from its pictures, one step a round."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from profile_contract.areas import area_of
from profile_contract.artifacts import uploads_prefix
from profile_contract.look import LookSpec
from profile_contract.look_learning import (
    Lesson,
    LookOutput,
    LookPhotos,
    MergeWish,
    look_preprocess,
    look_training,
)
from profile_contract.look_ref import LookKind
from profile_contract.resource import Key
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import LookPictures, PreprocessReport
from profile_contract.stages.stage import Stage
from profile_contract.stages.train import LookTraining, TrainReport
from profile_operator.clients.kubernetes import Kube
from profile_operator.clients.store import StoreAccess
from profile_operator.config import OperatorConfig, Secrets
from profile_operator.decide.look_learning import Learning, LearningFacts, learn, merge_of
from profile_operator.decide.plan import CreateJob, KueueQueue
from profile_operator.observe.jobs import job_view
from profile_runtime.kubernetes.errors import ResourceConflict

from . import manifests
from .credentials import CredentialsIssuer
from .look_line import LookLine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LookOwner:
    """A look that owns Jobs and Secrets. `key`: where they stand, and its name."""

    key: Key
    uid: str
    created: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    kind: LookKind = LookKind.OWN

    @property
    def look(self) -> Key:
        """As it is listed: one of the cluster has no namespace."""
        return self.key if self.kind is LookKind.OWN else Key("", self.key.name)


class LookLearner:
    """Stateless: each step is decided by what stands in the cluster and the store."""

    def __init__(
        self,
        kube: Kube,
        store: StoreAccess,
        credentials: CredentialsIssuer,
        config: OperatorConfig,
        secrets: Secrets | None = None,
        *,
        line: LookLine | None = None,
    ) -> None:
        self._line = line
        self._kube, self._store, self._credentials, self._config = kube, store, credentials, config
        urls = (secrets.redis, secrets.stage_redis) if secrets is not None else ()
        self._redis = any(url.get_secret_value() for url in urls)

    async def step(self, owner: LookOwner, spec: LookSpec, photos: LookPhotos, *, fresh: bool) -> Learning:
        """Look, decide and act. `fresh`: nobody looked at it yet as its spec is now.

        Raises ApiError, StoreError, or ForeignKey for a name or a place that no key may hold.
        """
        facts = await self._facts(owner, spec, photos, fresh=fresh)
        learning = learn(facts)
        if self._line is not None:
            learning = self._line.in_turn(owner.look, owner.created, facts.jobs, learning)
        try:
            return await self._do(owner, learning)
        except Exception:
            if self._line is not None:
                self._line.leave(owner.look)
            raise

    def rest(self, look: Key) -> None:
        """Nothing is to be learnt of a look, or not any more."""
        if self._line is not None:
            self._line.rest(look)

    def keep(self, looks: Collection[Key]) -> None:
        """Forget what is remembered of all looks but these."""
        if self._line is not None:
            self._line.keep(looks)

    async def _do(self, owner: LookOwner, learning: Learning) -> Learning:
        """Act, and say again what is next. Raises ApiError or StoreError."""
        for job in learning.stale:
            await self._kube.delete_job(owner.key.namespace, job.name, job.uid)
        if learning.drop:
            await self._store.delete(learning.drop)
        for action in filter(None, (learning.job, learning.waits_for)):
            # Of a Job that waits, too: what it was given may end before its pod starts.
            await self._credentials.ensure(owner, action.stage, action.scopes, kind=owner.kind.value)
        if learning.job is not None:
            await self._create(owner, learning.job)
        return learning

    async def _facts(self, owner: LookOwner, spec: LookSpec, photos: LookPhotos, *, fresh: bool) -> LearningFacts:
        """What a step is decided by."""
        namespace, config, pictures = owner.key.namespace, self._config, LookPictures()
        area = area_of(namespace, await self._kube.namespace_uid(namespace), config.store.prefix)
        lesson = Lesson(
            request=RequestRef(namespace=namespace, name=owner.key.name, uid=owner.uid),
            area=area,
            photos=await self._store.photos(area, photos.prefix, pictures.maximum + 1),
            pictures=pictures,
            preprocess=look_preprocess(config.preprocess),
            training=look_training(config.training, spec.layers, spec.training),
            look=LookTraining(words=spec.words),
            kind=owner.kind,
        )
        dataset, adapter = lesson.prefix(Stage.PREPROCESS), lesson.prefix(Stage.TRAIN)
        training = await self._store.report(adapter, TrainReport, within=adapter)
        wish = self._wish(spec, photos)
        merge = merge_of(lesson, training, wish)
        merged = lesson.merge_prefix(merge) if merge is not None else ""
        jobs = [job_view(document) for document in await self._kube.look_jobs(owner.key)]
        admission = config.admission
        return LearningFacts(
            lesson=lesson,
            photos_prefix=uploads_prefix(area, photos.prefix),
            size=config.generation.picture,
            dataset=await self._store.report(dataset, PreprocessReport, within=dataset),
            training=training,
            jobs=tuple(job for job in jobs if job is not None and job.owner_uid == owner.uid),
            fresh=fresh,
            queue=KueueQueue(admission.queue) if admission.mode == "Kueue" else None,
            recipe=config.recipe.digest if config.recipe is not None else "",
            merge=wish,
            merging=await self._store.report(merged, TrainReport, within=merged) if merged else None,
        )

    def _wish(self, spec: LookSpec, photos: LookPhotos) -> MergeWish | None:
        """The base model that is asked for beside the adapter, if one is."""
        if spec.output is not LookOutput.MERGED:
            return None
        recipe = json.dumps(self._config.recipe.distinction()) if self._config.recipe is not None else ""
        return MergeWish(spec.merged_weight_percent, photos.licence, recipe)

    async def _create(self, owner: LookOwner, action: CreateJob) -> None:
        """Create a Job; one that another try made is met in the next round."""
        document = manifests.job(action, owner.key, owner.uid, self._config, redis=self._redis, kind=owner.kind.value)
        try:
            await self._kube.create_job(document)
            log.info("look %s: Job %s created", owner.key, action.name)
        except ResourceConflict:
            log.info("look %s: a Job %s stands there already", owner.key, action.name)
