"""The only writer: carries out a plan. Every action may be repeated; nothing is decided here."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, assert_never

from profile_contract.request_status import ProfileRequestStatus
from profile_contract.resource import FINALIZER, RequestHead
from profile_operator import metrics
from profile_operator.clients.kubernetes import Kube
from profile_operator.clients.store import StoreAccess
from profile_operator.clock import stamp
from profile_operator.config import OperatorConfig, Secrets
from profile_operator.decide.plan import (
    Abandon,
    Action,
    AddFinalizer,
    CreateJob,
    DeleteJob,
    DropReport,
    EventNote,
    GenerationWork,
    IssueCredentials,
    Keep,
    MarkPurgeable,
    Plan,
    Purge,
    PurgePhotos,
    RemoveFinalizer,
    Revoke,
    StartGeneration,
    StopGeneration,
    WithdrawCredentials,
    WriteResolved,
)
from profile_operator.observe.jobs import job_view
from profile_runtime.kubernetes.errors import ApiError, Forbidden, ResourceConflict, ResourceNotFound
from profile_runtime.kubernetes.resources import Document

from . import manifests
from .credentials import CredentialsIssuer
from .purge import ArtifactPurger

log = logging.getLogger(__name__)


class OwnerConflict(Exception):
    """An object of the name that we need belongs to something else."""


def only_progress(old: ProfileRequestStatus, new: ProfileRequestStatus) -> bool:
    """Whether a write tells nothing but how far the running stage is."""
    return old.model_copy(update={"progress": new.progress, "progress_text": new.progress_text}) == new


def changed_status(head: RequestHead, new: ProfileRequestStatus) -> Document:
    """The status as a merge patch: what stood and stands no more is None. Fields of newer versions are left alone."""
    old = head.status.document() if head.unread_status is None else head.unread_status
    return _patch_of(old, new.document())


def _patch_of(old: Mapping[str, Any], new: Mapping[str, Any]) -> Document:
    """What a merge patch has to say for the old document to become the new one."""
    patch: Document = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        patch[name] = _patch_of(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return patch


class Generation(Protocol):
    """The generation beside the loop: `generate.runner` is no part of this room."""

    def ensure(self, work: GenerationWork) -> None: ...

    def stop(self, uid: str) -> None: ...


class Applier:
    """Carries out plans."""

    def __init__(
        self,
        kube: Kube,
        store: StoreAccess,
        credentials: CredentialsIssuer,
        generation: Generation,
        purger: ArtifactPurger,
        *,
        config: OperatorConfig,
        secrets: Secrets,
    ) -> None:
        self._kube, self._store, self._credentials = kube, store, credentials
        self._generation, self._purger = generation, purger
        self._config = config
        self._redis = any(url.get_secret_value() for url in (secrets.redis, secrets.stage_redis))

    async def apply(self, plan: Plan, head: RequestHead) -> None:
        """Actions, then the status, then Events. Raises ApiError, StoreError or OwnerConflict at the first failure."""
        version = head.resource_version
        # Whoever writes its name into the status first serves the request: before that nothing is done for it.
        claims = plan.status is not None and plan.status.installation != head.status.installation
        if claims:
            version = await self._tell(plan, head, version)
        for action in plan.actions:
            version = await self._act(action, head, version)
        if not claims:
            await self._tell(plan, head, version)
        for note in plan.events:
            await self._post(note, head)

    async def _tell(self, plan: Plan, head: RequestHead, version: str) -> str:
        """Write the status, if there is one to write; returns the request's resource version after it."""
        if plan.status is None:
            return version
        kind = "progress" if only_progress(head.status, plan.status) else "status"
        written = await self._kube.set_status(head.key, changed_status(head, plan.status), version, kind=kind)
        return str(written["metadata"]["resourceVersion"])

    async def _act(self, action: Action, head: RequestHead, version: str) -> str:  # noqa: C901, PLR0912 - a case an action
        """Carry out one action; returns the request's resource version after it."""
        match action:
            case AddFinalizer():
                written = await self._kube.set_finalizers(head.key, (*head.finalizers, FINALIZER), version)
                return str(written["metadata"]["resourceVersion"])
            case RemoveFinalizer():
                await self._remove_finalizer(head, version)
            case WriteResolved(key, resolved):
                await self._store.write(key, resolved.to_json().encode(), "application/json")
            case MarkPurgeable(prefix, purgeable):
                await self._purger.mark(prefix, purgeable=purgeable)
            case CreateJob():
                await self._create(action, head)
            case DeleteJob(name, uid):
                await self._kube.delete_job(head.key.namespace, name, uid)
            case IssueCredentials(stage, scopes):
                await self._credentials.ensure(head, stage, scopes)
            case WithdrawCredentials(stage):
                await self._credentials.withdraw(head, stage)
            case DropReport(key):
                await self._store.delete(key)
            case StartGeneration(work):
                self._generation.ensure(work)
            case StopGeneration():
                self._generation.stop(head.uid)
            case Purge(prefix):
                log.info("%s: %d artifacts deleted", head.key, await self._purger.purge(head, prefix))
            case Revoke(prefix):
                if not await self._purger.revoke(head, prefix):
                    log.info("%s: the store revokes no credentials; they are left to end", head.key)
            case Keep(prefix):
                await self._purger.keep(head, prefix)
            case PurgePhotos(prefix):
                log.info("%s: %d photos deleted", head.key, await self._store.delete(prefix))
            case Abandon(prefix, photos):
                await self._purger.abandon(head, prefix, photos)
            case _:
                assert_never(action)
        return version

    async def _remove_finalizer(self, head: RequestHead, version: str) -> None:
        """Let the request go, and nobody else's hold on it; it may be gone already."""
        await self._credentials.end(head)
        rest = [finalizer for finalizer in head.finalizers if finalizer != FINALIZER]
        try:
            await self._kube.set_finalizers(head.key, rest, version)
        except ResourceNotFound:
            return
        finally:
            self._store.forget(head.uid)

    async def _create(self, action: CreateJob, head: RequestHead) -> None:
        """Create the Job, or adopt the one that an earlier try created."""
        if action.queue is None:
            await self._credentials.ensure(head, action.stage, action.scopes)
        document = manifests.job(action, head.key, head.uid, self._config, redis=self._redis)
        try:
            await self._kube.create_job(document)
            log.info("%s: Job %s created", head.key, action.name)
        except ResourceConflict:
            await self._adopt(action.name, head)

    async def _adopt(self, name: str, head: RequestHead) -> None:
        """Take the Job of that name for ours, if it is. Raises OwnerConflict, or Conflicted where there is none."""
        try:
            standing = await self._kube.job(head.key.namespace, name)
        except ResourceNotFound:
            # It was no Job of that name that stood in the way: a quota's usage changed meanwhile.
            raise ResourceConflict(f"the Job {name} could not be created yet") from None
        job = job_view(standing)
        if job is not None and job.orphaned and job.owner_uid != head.uid:
            # Of a request that is gone: the next look sees it, and has it replaced.
            raise ResourceConflict(f"the Job {name} is of a request that is gone")
        owners = [owner["uid"] for owner in standing["metadata"].get("ownerReferences", ())]
        if head.uid not in owners and (job is None or job.owner_uid != head.uid):
            raise OwnerConflict(f"a Job named {name} exists and belongs to something else")
        log.info("%s: Job %s was there already", head.key, name)

    async def _post(self, note: EventNote, head: RequestHead) -> None:
        """Post an Event. Losing one is no failure."""
        if note.warning:
            metrics.ERRORS.labels(reason=note.reason.value).inc()
        name = f"{head.key.name}.{uuid.uuid4().hex[:16]}"
        document = manifests.event(head.key, head.uid, note, at=stamp(datetime.now(UTC)), name=name)
        try:
            await self._kube.create_event(document)
        except ApiError as error:
            ending = isinstance(error, Forbidden) and error.namespace_ends
            level = logging.DEBUG if ending else logging.WARNING
            log.log(level, "%s: Event %s not posted: %s", head.key, note.reason, error)
