"""CredentialsIssuer: one Secret a stage, with temporary store credentials under its policy, and its way into Redis.

A Secret is created and never changed: one whose credentials would end too early, or of which we do not know what it
holds, is deleted and made anew under its name, which the Job's pods refer to. They read it as they start, so that each
try of a Job gets what is valid then, and one that runs keeps what it has.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Protocol

from profile_contract.model import digest_of
from profile_contract.resource import Key, RequestHead
from profile_contract.stages.table import STAGES, Stage
from profile_operator import names
from profile_operator.clients.kubernetes import Kube
from profile_operator.clients.stage_redis import StageRedis
from profile_operator.clients.store import StoreAccess
from profile_operator.config import OperatorConfig
from profile_operator.decide.plan import Scope
from profile_operator.decide.policy import session_policy
from profile_operator.observe.issued import Credentials, Issued
from profile_runtime.kubernetes.errors import ApiError, ResourceConflict

from . import manifests

log = logging.getLogger(__name__)


class Owner(Protocol):
    """Whose Secrets they are: a request's, or another object's that has Jobs."""

    @property
    def key(self) -> Key:
        """Its namespace and name."""

    @property
    def uid(self) -> str:
        """Its UID."""


class CredentialsIssuer:
    """Issues credentials, each for as long as a pod of its stage may run."""

    def __init__(
        self, kube: Kube, store: StoreAccess, config: OperatorConfig, issued: Issued, stage_redis: StageRedis
    ) -> None:
        self._kube, self._store, self._config = kube, store, config
        self._issued, self._redis = issued, stage_redis

    async def ensure(
        self, head: Owner, stage: Stage, scopes: tuple[Scope, ...], *, kind: str = names.REQUEST_KIND
    ) -> None:
        """Make a Secret stand with credentials that outlast a pod that starts now. Raises StoreError or ApiError."""
        policy = session_policy(self._config.store.bucket, next(scope for scope in scopes if scope.stage is stage))
        namespace, name = head.key.namespace, names.credentials_secret(head.key.name, stage, head.uid)
        digest = digest_of(policy)
        # Of none that this process made it is not asked whether it stands: almost always there is none yet.
        uid = await self._kube.secret_uid(namespace, name) if self._issued.any(head.uid, stage) else ""
        standing = self._issued.standing(head.uid, stage, uid)
        needed = datetime.now(UTC) + timedelta(seconds=self._config.jobs.least_seconds_of(stage))
        if standing is not None and standing.policy == digest and standing.ends >= needed:
            return
        data, ends = await self._store.credentials(policy, self._config.jobs.seconds_of(stage), head.uid)
        redis = await self._redis.url_for(head.key, head.uid)
        filled = {**data, manifests.REDIS_VARIABLE: redis}
        document = manifests.credentials(head.key, head.uid, stage, filled, kind)
        if uid:
            self._issued.drop(head.uid, stage)
            await self._kube.delete_secret(namespace, name, uid)
        try:
            created = await self._kube.create_secret(document)
        except ResourceConflict:
            # Another process made it, or this one before it was started anew: what it holds is not known.
            await self._kube.delete_secret(namespace, name, await self._kube.secret_uid(namespace, name))
            created = await self._kube.create_secret(document)
        self._issued.add(head.uid, stage, Credentials(created, digest, ends))

    async def withdraw(self, head: RequestHead, stage: Stage) -> None:
        """Take a stage's Secret away, if there is one. Raises ApiError."""
        namespace, name = head.key.namespace, names.credentials_secret(head.key.name, stage, head.uid)
        uid = await self._kube.secret_uid(namespace, name)
        if uid:
            self._issued.drop(head.uid, stage)
            await self._kube.delete_secret(namespace, name, uid)

    async def end(self, head: RequestHead) -> None:
        """Take every stage's Secret away before the request goes: `--cascade=orphan` takes the owner reference away
        that would. One that cannot be reached is left; what it holds was revoked, or has ended."""
        for stage in (stage for stage, row in STAGES.items() if row.order is not None):
            try:
                await self.withdraw(head, stage)
            except ApiError as error:
                log.info("%s: the Secret of %s is left: %s", head.key, stage, error)
