"""The store, off the event loop: reports, photo listings, links for the predictor, temporary credentials."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

from profile_contract.areas import Area
from profile_contract.artifacts import REPORT, request_prefix_of, resolved_key, uploads_prefix
from profile_contract.conditions import Reason
from profile_contract.photo_names import is_litter
from profile_contract.reports import LONGEST_REPORT, UnsoundReport, read_report
from profile_contract.resolved import LONGEST_RESOLVED, Resolved, UnreadResolved, read_resolved
from profile_contract.stages.order import StageReport
from profile_contract.stages.preprocess import PhotoRef
from profile_operator.config import Secrets, StoreConfig
from profile_runtime.store.credentials import PrefixSigner, Sessions, Signers, StsSessions
from profile_runtime.store.leftovers import S3Leftovers, open_leftovers
from profile_runtime.store.port import BoundedStore, NotFound, StoredObject, StoreError, StoreUnreachable, TooLarge
from profile_runtime.store.s3 import open_s3

from .breaker import Breaker
from .record_memory import RecordMemory
from .report_memory import ReportMemory

log = logging.getLogger(__name__)

T = TypeVar("T")
ReportT = TypeVar("ReportT", bound=StageReport)
THREADS = 16
# Of an object that nobody writes: whether the store answers at all.
PROBE = "probe"
# Files that may come along with photos and are none.
MOST_LITTER = 1000


class StoreAccess:
    """The operator's own account in the store. Every method raises StoreError when the store fails."""

    def __init__(
        self, store: BoundedStore, sessions: Sessions, signers: Signers, fence: Callable[[], None] | None = None
    ) -> None:
        """`fence` is called before everything that is written, and raises where nothing may be."""
        self._store, self._sessions, self._signers, self._fence = store, sessions, signers, fence
        self._reports, self._records = ReportMemory(), RecordMemory()
        # Called when a store that was down answers again.
        self.returned: Callable[[], None] = lambda: None
        self._breaker = Breaker(self._probe, self._tell_returned)
        self._revoked: dict[str, datetime] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")

    async def _off(self, call: Callable[[], T]) -> T:
        """A call in a thread. While the store is down it is not made: one alone asks whether the store is back."""
        if self._breaker.error is not None:
            raise StoreUnreachable(str(self._breaker.error))
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except StoreUnreachable as error:
            self._breaker.trip(error)
            raise

    def _tell_returned(self) -> None:
        self.returned()

    async def _probe(self) -> None:
        """Raises StoreUnreachable while the store is down; that it refuses is an answer."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._store.stat, PROBE)
        except StoreUnreachable:
            raise
        except StoreError as error:
            log.info("the store answers: %s", error)

    def _fenced(self) -> None:
        if self._fence is not None:
            self._fence()

    def close(self) -> None:
        """Ask no more."""
        self._breaker.close()

    async def list(self, prefix: str, most: int | None = None) -> list[StoredObject]:
        """All objects below a prefix, or the first `most`."""
        return await self._off(lambda: self._store.list(prefix, most))

    async def photos(self, area: Area, prefix: str, most: int) -> tuple[PhotoRef, ...]:
        """The first `most` photos under a request's prefix, by name; what came along with them is left out.

        Whoever uploads a million files has no more listed than that, and MOST_LITTER.
        """
        base = uploads_prefix(area, prefix)
        objects = await self.list(base, most)
        if len(objects) == most and any(is_litter(entry.key.removeprefix(base)) for entry in objects):
            objects = await self.list(base, most + MOST_LITTER)
        return tuple(
            PhotoRef(name=entry.key.removeprefix(base), key=entry.key, bytes=entry.bytes, etag=entry.etag)
            for entry in objects
            if not is_litter(entry.key.removeprefix(base))
        )[:most]

    async def report(self, prefix: str, kind: type[ReportT], *, within: str = "") -> ReportT | None:
        """The report under a stage's prefix, or None where none stands. One that is not sound counts as BadInput.

        It names nothing outside of `within`, by default the request whose stage it is.
        """
        remembered = self._reports.get(prefix + REPORT)
        if isinstance(remembered, kind):
            return remembered
        try:
            data = await self._off(lambda: self._store.read(prefix + REPORT, LONGEST_REPORT))
            report = read_report(kind, data, within or request_prefix_of(prefix))
            self._reports.keep(prefix + REPORT, report, len(data))
            return report
        except NotFound:
            return None
        except (TooLarge, UnsoundReport) as error:
            log.warning("the report at %s cannot be read: %s", prefix, error)
            text = f"its report in the store cannot be read ({error})"
            unreadable: dict[str, object] = {"outcome": "BadInput", "reason": Reason.INVALID_ORDER, "message": text}
            return kind.model_validate({"stage": kind.model_fields["stage"].default, "digest": "", **unreadable})

    async def resolved(self, area: Area, request: str) -> Resolved | None:
        """What a request was resolved to; None where nothing is recorded, or what this version cannot read."""
        name = resolved_key(area, request)
        remembered = self._records.get(name)
        if remembered is not None and self._breaker.error is None:
            return remembered
        try:
            data = await self._off(lambda: self._store.read(name, LONGEST_RESOLVED))
            record = read_resolved(data, area)
            self._records.keep(name, record)
            return record
        except NotFound:
            return None
        except (TooLarge, UnreadResolved) as error:
            log.warning("the record at %s cannot be read: %s", name, error)
            return None

    async def write(self, key: str, data: bytes, content_type: str = "") -> None:
        """Write an object whole."""
        self._fenced()
        self._forget(key)
        try:
            await self._off(lambda: self._store.write(key, data, content_type))
        finally:
            self._forget(key)

    async def delete(self, prefix: str) -> int:
        """Delete everything below a prefix."""
        self._fenced()
        try:
            return await self._off(lambda: self._store.delete(prefix))
        finally:
            self._forget(prefix)

    async def remove(self, keys: Iterable[str]) -> None:
        """Delete exactly these objects."""
        named = list(keys)
        if named:
            self._fenced()
            try:
                await self._off(lambda: self._store.remove(named))
            finally:
                for key in named:
                    self._forget(key)

    def _forget(self, prefix: str) -> None:
        self._reports.forget(prefix)
        self._records.forget(prefix)

    def signer(self, prefix: str, tag: str) -> PrefixSigner:
        """Who signs links to what lies below a prefix, as the predictor reaches it. Signing may ask the store.

        Raises ValueError for a prefix that no policy can say safely.
        """
        return self._signers.below(prefix, tag)

    async def signed(self, sign: Callable[[], T]) -> T:
        """Do something that signs links, in a thread."""
        return await self._off(sign)

    async def credentials(self, policy: str, seconds: int, tag: str) -> tuple[dict[str, str], datetime]:
        """Temporary credentials under a session policy (STS AssumeRole), and when they end."""
        session = await self._off(lambda: self._sessions.issue(policy, seconds, tag))
        return session.environment, session.ends

    async def revoke(self, prefix: str, tag: str) -> bool:
        """End all links below the prefix and all credentials that were issued under the tag, if the store can."""
        self._signers.forget(prefix)
        if not await self._off(lambda: self._sessions.revoke(tag)):
            return False
        self._revoked.setdefault(tag, datetime.now(UTC))
        return True

    def revoked(self, tag: str) -> datetime | None:
        """When the tag's credentials were revoked, as far as this process knows."""
        return self._revoked.get(tag)

    def forget(self, tag: str) -> None:
        """Nobody asks about the tag any more."""
        self._revoked.pop(tag, None)


def connect(config: StoreConfig, secrets: Secrets, fence: Callable[[], None] | None = None) -> StoreAccess:
    """The store that the configuration names, with the operator's own account. Asks nobody."""
    account = _account(secrets)
    sessions = StsSessions(config.url(own=True), account)
    # Links are signed for the endpoint that Jobs and the predictor use.
    return StoreAccess(open_s3(config.url(own=True), account), sessions, Signers(config.url(), sessions), fence)


def leftovers(config: StoreConfig, secrets: Secrets) -> S3Leftovers:
    """The same bucket, for whoever tidies it."""
    return open_leftovers(config.url(own=True), _account(secrets))


def _account(secrets: Secrets) -> dict[str, str]:
    """The operator's own account as the store's clients read it from an environment."""
    return {
        "AWS_ACCESS_KEY_ID": secrets.access_key.get_secret_value(),
        "AWS_SECRET_ACCESS_KEY": secrets.secret_key.get_secret_value(),
    }
