"""Temporary store credentials of Jobs: one Secret a request, one set of keys a stage, each under its own policy.

All digests of a request are known as soon as its photos are, so the credentials of the stages to come are issued
together: one write instead of one a Job. They are issued anew when a stage's scope changed, or when they would end
before the Job's deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from profile_contract.names import Stage

from . import manifests, names
from .config import CREDENTIALS_MARGIN_SECONDS, OperatorConfig, Secrets
from .kube import Kube
from .plan import Scope
from .policy import session_policy
from .snapshot import RequestHead
from .store_access import StoreAccess

# Half of what the configuration leaves, or they would be issued anew for every Job.
_MARGIN = timedelta(seconds=CREDENTIALS_MARGIN_SECONDS / 2)


@dataclass(frozen=True)
class _Issued:
    policies: dict[Stage, str]
    ends: datetime


class CredentialsIssuer:
    """Issues and remembers; after a restart of the operator the next Job gets new ones."""

    def __init__(self, kube: Kube, store: StoreAccess, config: OperatorConfig, secrets: Secrets) -> None:
        self._kube, self._store, self._config, self._secrets = kube, store, config, secrets
        self._issued: dict[str, _Issued] = {}

    async def ensure(self, head: RequestHead, stage: Stage, scopes: tuple[Scope, ...]) -> None:
        """Make the Secret hold credentials for `stage` that outlast its Job. Raises StoreError or KubeError."""
        policies = {scope.stage: session_policy(self._config.store.bucket, scope) for scope in scopes}
        deadline = timedelta(seconds=self._config.jobs.of(stage).active_deadline_seconds)
        issued = self._issued.get(head.uid)
        now = datetime.now(UTC)
        if issued and issued.policies.get(stage) == policies[stage] and issued.ends - now >= deadline + _MARGIN:
            return
        data, ends = await self._issue(policies)
        await self._kube.apply_secret(manifests.credentials(head.key, head.uid, data))
        self._issued[head.uid] = _Issued(policies, ends)

    async def _issue(self, policies: dict[Stage, str]) -> tuple[dict[str, str], datetime]:
        redis = self._secrets.redis.get_secret_value()
        data: dict[str, str] = {manifests.REDIS_VARIABLE: redis} if redis else {}
        ends = datetime.max.replace(tzinfo=UTC)
        for stage, policy in policies.items():
            variables, until = await self._store.credentials(policy, self._config.jobs.credentials_seconds)
            data |= {names.secret_key(stage.value, name): value for name, value in variables.items()}
            ends = min(ends, until)
        return data, ends

    def forget(self, uid: str) -> None:
        """The request is gone."""
        self._issued.pop(uid, None)
