"""The store, off the event loop: reports, photo listings, presigned grants, temporary credentials."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

import urllib3
from minio.credentials import AssumeRoleProvider
from pydantic import ValidationError

from profile_contract.artifacts import REPORT, uploads_prefix
from profile_contract.names import Reason
from profile_contract.orders import PhotoRef, StageReport
from profile_contract.store import NotFound, S3Store, StoredObject, StoreError, open_s3

from .config import Secrets, StoreConfig
from .snapshot import Key

log = logging.getLogger(__name__)

T = TypeVar("T")
ReportT = TypeVar("ReportT", bound=StageReport)
THREADS = 16


class StoreAccess:
    """The operator's own account in the store. Every method raises StoreError when the store fails."""

    def __init__(self, config: StoreConfig, secrets: Secrets) -> None:
        self._config, self._secrets = config, secrets
        account = {
            "AWS_ACCESS_KEY_ID": secrets.access_key.get_secret_value(),
            "AWS_SECRET_ACCESS_KEY": secrets.secret_key.get_secret_value(),
        }
        self._store: S3Store = open_s3(config.url(own=True), account)
        # Grants are signed for the endpoint that Jobs and the predictor use; signing calls nobody.
        self._signer: S3Store = open_s3(config.url(), account)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=5, read=20), retries=urllib3.Retry(total=2, backoff_factor=0.3)
        )

    @property
    def sync(self) -> S3Store:
        """The store itself, for code that runs in a thread anyway."""
        return self._store

    async def _off(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def list(self, prefix: str) -> list[StoredObject]:
        """All objects below a prefix."""
        return await self._off(lambda: self._store.list(prefix))

    async def photos(self, key: Key, prefix: str) -> tuple[PhotoRef, ...]:
        """The photos under a request's prefix, by name."""
        base = uploads_prefix(key.namespace, prefix)
        found = await self.list(base)
        return tuple(
            PhotoRef(name=entry.key.removeprefix(base), key=entry.key, bytes=entry.bytes, etag=entry.etag)
            for entry in found
            if not entry.key.endswith("/")
        )

    async def report(self, prefix: str, kind: type[ReportT]) -> ReportT | None:
        """The report under a stage's prefix, or None where none stands."""
        try:
            data = await self._off(lambda: self._store.read(prefix + REPORT))
        except NotFound:
            return None
        try:
            return kind.model_validate_json(data)
        except ValidationError:
            log.warning("the report at %s cannot be read", prefix)
            text = "its report in the store cannot be read; delete it, or install matching versions"
            unreadable: dict[str, object] = {"outcome": "BadInput", "reason": Reason.INVALID_ORDER, "message": text}
            return kind.model_validate({"stage": kind.model_fields["stage"].default, "digest": "", **unreadable})

    async def write(self, key: str, data: bytes, content_type: str = "") -> None:
        """Write an object whole."""
        await self._off(lambda: self._store.write(key, data, content_type))

    async def delete(self, prefix: str) -> int:
        """Delete everything below a prefix."""
        return await self._off(lambda: self._store.delete(prefix))

    def grant_get(self, key: str, seconds: int) -> str:
        """A URL that reads one object, as the predictor reaches it."""
        return self._signer.presign_get(key, seconds)

    def grant_put(self, key: str, seconds: int) -> str:
        """A URL that writes one object, as the predictor reaches it."""
        return self._signer.presign_put(key, seconds)

    async def credentials(self, policy: str, seconds: int) -> tuple[dict[str, str], datetime]:
        """Temporary credentials under a session policy (STS AssumeRole), and when they end."""
        return await self._off(lambda: self._assume(policy, seconds))

    def _assume(self, policy: str, seconds: int) -> tuple[dict[str, str], datetime]:
        config = self._config
        endpoint = config.own_endpoint or config.endpoint
        provider = AssumeRoleProvider(
            sts_endpoint=f"{'https' if config.secure else 'http'}://{endpoint}",
            access_key=self._secrets.access_key.get_secret_value(),
            secret_key=self._secrets.secret_key.get_secret_value(),
            duration_seconds=seconds,
            policy=policy,
            region=config.region,
            http_client=self._http,
        )
        try:
            issued = provider.retrieve()
        except Exception as error:  # the client raises what it met: urllib3's errors, ValueError, XML errors
            raise StoreError(f"the store gave no temporary credentials: {type(error).__name__}") from error
        variables = {
            "AWS_ACCESS_KEY_ID": issued.access_key,
            "AWS_SECRET_ACCESS_KEY": issued.secret_key,
            "AWS_SESSION_TOKEN": issued.session_token or "",
        }
        # The client gives UTC without saying so.
        ends = (issued.expiration or datetime.now(UTC)).replace(tzinfo=UTC)
        return variables, ends
