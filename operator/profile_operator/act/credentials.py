"""Temporary store credentials of Jobs: one Secret a request, with the keys of the stage that begins, under its policy.

What is issued stands in the Secret and on it: nothing is remembered here, so a Secret that somebody deleted is made
anew, and a restarted operator knows until when anything that was handed out may still write.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from profile_contract.model import digest_of
from profile_contract.resource import RequestHead
from profile_contract.stages.table import Stage
from profile_operator import names
from profile_operator.clients.kubernetes import Kube
from profile_operator.clients.store import StoreAccess
from profile_operator.clock import stamp
from profile_operator.config import CREDENTIALS_MARGIN_SECONDS, OperatorConfig, Secrets
from profile_operator.decide.plan import Scope
from profile_operator.decide.policy import session_policy
from profile_operator.observe.snapshot import CredentialsView

from . import manifests

# Half of what the configuration leaves, or they would be issued anew for every try to create a Job.
_MARGIN = timedelta(seconds=CREDENTIALS_MARGIN_SECONDS / 2)


class CredentialsIssuer:
    """Issues credentials, each for as long as its stage's Job may take."""

    def __init__(self, kube: Kube, store: StoreAccess, config: OperatorConfig, secrets: Secrets) -> None:
        self._kube, self._store, self._config, self._secrets = kube, store, config, secrets

    async def ensure(self, head: RequestHead, stage: Stage, scopes: tuple[Scope, ...]) -> None:
        """Make the Secret hold credentials for `stage` that outlast its Job. Raises StoreError or ApiError."""
        scope = next(scope for scope in scopes if scope.stage is stage)
        policy = session_policy(self._config.store.bucket, scope)
        name = names.credentials_secret(head.key.name)
        annotations = await self._kube.secret_annotations(head.key.namespace, name)
        standing = CredentialsView.read(annotations or {})
        needed = datetime.now(UTC) + timedelta(seconds=self._config.jobs.of(stage).active_deadline_seconds) + _MARGIN
        fits = standing is not None and _fits(standing, head, stage, digest_of(policy))
        if standing is not None and fits and standing.ends >= needed:
            return
        variables, ends = await self._store.credentials(policy, self._config.jobs.seconds_of(stage), head.uid)
        last_end = max(ends, standing.last_end) if standing is not None and standing.uid == head.uid else ends
        marks = {
            names.CREDENTIALS_UID: head.uid,
            names.CREDENTIALS_STAGE: stage.value,
            names.CREDENTIALS_SCOPE: digest_of(policy),
            names.CREDENTIALS_END: stamp(ends),
            names.LAST_END: stamp(last_end),
        }
        await self._kube.apply_secret(manifests.credentials(head.key, head.uid, self._data(stage, variables), marks))

    def _data(self, stage: Stage, variables: dict[str, str]) -> dict[str, str]:
        redis = self._secrets.redis.get_secret_value()
        data = {names.secret_key(stage.value, name): value for name, value in variables.items()}
        return {manifests.REDIS_VARIABLE: redis, **data} if redis else data


def _fits(standing: CredentialsView, head: RequestHead, stage: Stage, scope: str) -> bool:
    return (standing.uid, standing.stage, standing.scope) == (head.uid, stage, scope)
