"""Sweeper: takes away what belongs to nobody, a few places at a time, so that nobody is kept from work by it.

What goes is decided by `decide.sweep`; here it is looked up and carried out. A namespace whose requests cannot be seen
is left alone, and so is every part of the bucket that is not known to be this installation's.

Clusters may share a bucket, and then each finds areas whose namespace it does not have. While a namespace is there, a
mark in its area says which cluster it is of. One that bears this cluster's, and whose namespace is gone, is nobody's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from profile_contract.areas import Area, area_in, area_of, namespace_of
from profile_contract.artifacts import (
    cluster_mark,
    clusters_folder,
    prior_area,
    request_prefix,
    requests_area,
    uploads_area,
    uploads_prefix,
)
from profile_contract.conditions import ConditionType
from profile_contract.keys import ForeignKey
from profile_contract.request import DeletionPolicy
from profile_contract.resolved import Resolved
from profile_contract.resource import Key, RequestHead, parse_head
from profile_operator import metrics, names
from profile_operator.clients.census import Census
from profile_operator.clock import parsed
from profile_operator.config import OperatorConfig
from profile_operator.decide.sweep import (
    LivingRequest,
    Swept,
    Waste,
    sweep,
    sweep_class_pictures,
    sweep_uploads,
    unfinished_uploads,
)
from profile_operator.observe.references import expired_folders, referenced_digests
from profile_runtime.kubernetes.errors import ApiError
from profile_runtime.kubernetes.resources import Document
from profile_runtime.store.port import StoredVersion, StoreError, UnfinishedUpload

log = logging.getLogger(__name__)

# After so many places (a request's prefix, a page of uploads) others have their turn for so long.
PLACES_A_TURN = 20
TURN_SECONDS = 30.0
# Below one request's prefix: more was not made by stages, and is left to people.
MOST_VERSIONS = 10_000
PAGE = 1000
MOST_UNFINISHED = 1000
# The namespace whose UID tells clusters apart: every one has it, and it is never made anew.
CLUSTER = "kube-system"
# The owner of a Job that was created just now may be seen a moment later.
JOB_PAUSE = timedelta(minutes=10)


class Leftovers(Protocol):
    """A bucket for whoever tidies it: `profile_runtime.store.leftovers`. Every method raises StoreError."""

    def folders(self, prefix: str, after: str, most: int) -> list[str]: ...

    def versions(self, prefix: str, after: str, most: int) -> list[StoredVersion]: ...

    def remove(self, versions: Iterable[StoredVersion]) -> None: ...

    def unfinished(self, most: int) -> list[UnfinishedUpload]: ...

    def abort(self, uploads: Iterable[UnfinishedUpload]) -> None: ...


class Marks(Protocol):
    """Who reads records, writes and deletes marks, and ends credentials: `clients.store`. Raises StoreError."""

    async def resolved(self, area: Area, request: str) -> Resolved | None: ...

    async def write(self, key: str, data: bytes, content_type: str = "") -> None: ...

    async def remove(self, keys: Iterable[str]) -> None: ...

    async def revoke(self, prefix: str, tag: str) -> bool: ...


@dataclass(frozen=True)
class SweptArea:
    """An area, and the namespace that it is of; `gone`: that namespace certainly is no more."""

    namespace: str
    area: Area
    gone: bool = False


@dataclass
class Findings:
    """What one round has seen that belongs to nobody, and how much of that it has left."""

    objects: Counter[Waste] = field(default_factory=Counter)
    bytes: Counter[Waste] = field(default_factory=Counter)
    left_objects: Counter[Waste] = field(default_factory=Counter)
    left_bytes: Counter[Waste] = field(default_factory=Counter)
    jobs: int = 0

    def count(self, why: Waste, objects: int, size: int = 0) -> None:
        """Count some of one kind, of so many bytes."""
        self.objects[why] += objects
        self.bytes[why] += size
        self.left_objects[why] += objects
        self.left_bytes[why] += size

    def take(self, why: Waste, objects: int, size: int = 0) -> None:
        """Some that were counted are gone."""
        self.left_objects[why] -= objects
        self.left_bytes[why] -= size

    def __str__(self) -> str:
        kinds = [f"{count} {why} ({self.bytes[why]} bytes)" for why, count in sorted(self.objects.items()) if count]
        return ", ".join([*kinds, *([f"{self.jobs} Jobs without a request"] if self.jobs else [])]) or "nothing"


class Sweeper:
    """One round after another."""

    def __init__(
        self,
        census: Census,
        leftovers: Leftovers,
        marks: Marks,
        *,
        config: OperatorConfig,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        fence: Callable[[], None] | None = None,
    ) -> None:
        """`fence` raises where nothing may be taken away any more."""
        self._census, self._leftovers, self._marks = census, leftovers, marks
        self._config, self._settings = config, config.sweep
        self._now, self._places, self._fence = now, 0, fence or (lambda: None)
        # The areas that bear this cluster's mark, as far as this process has seen.
        self._marked: set[Area] = set()

    async def run(self) -> None:
        """Sweep from time to time, for ever. What fails is tried in the next round."""
        while True:
            await asyncio.sleep(self._settings.every_seconds)
            if self._settings.mode == "Off":
                continue
            try:
                await self.round()
            except (ApiError, StoreError) as error:
                log.warning("the sweep ends early: %s", error)
            except Exception:
                log.exception("the sweep ends early")

    async def round(self) -> Findings:
        """Look at everything once. Raises ApiError or StoreError where nothing can be known at all."""
        findings = Findings()
        places, cluster = await self._served()
        for place in places:
            try:
                await self._jobs(place, findings)
                await self._requests(place, findings)
                await self._uploads(place, findings)
                await self._class_pictures(place, findings)
                await self._mark_or_clear(place, cluster)
            except (ApiError, StoreError, ForeignKey) as error:
                log.warning("the sweep leaves %s alone: %s", place.namespace, error)
        await self._unfinished([place.area for place in places], findings)
        for why in Waste:
            metrics.WASTE_OBJECTS.labels(kind=why.value).set(findings.left_objects[why])
            metrics.WASTE_BYTES.labels(kind=why.value).set(findings.left_bytes[why])
        log.info("the sweep %s: %s", "took away" if self._deletes else "would take away", findings)
        return findings

    @property
    def _deletes(self) -> bool:
        return self._settings.mode == "Delete"

    async def _served(self) -> tuple[list[SweptArea], str]:
        """Where the namespaces that are served keep their things, those that are gone last; and the cluster's UID, or
        nothing where nobody can tell it. Raises ApiError or StoreError."""
        uids, prefix = await self._census.namespaces(), self._config.store.prefix
        watched, cluster = self._config.watch_namespaces or uids, uids.get(CLUSTER, "")
        living = {area_of(name, uid, prefix) for name, uid in uids.items()}
        places = [SweptArea(name, area_of(name, uids[name], prefix)) for name in watched if name in uids]
        gone = await self._gone(living, cluster) if cluster else []
        return [*places, *gone], cluster

    async def _gone(self, living: Collection[Area], cluster: str) -> list[SweptArea]:
        """The areas that bear this cluster's mark, and whose namespaces are not among the living. Raises StoreError."""
        prefix, watched, after = self._config.store.prefix, self._config.watch_namespaces, ""
        places = []
        while folders := await asyncio.to_thread(self._leftovers.folders, prefix, after, PAGE):
            after = folders[-1]
            for folder in folders:
                area = area_in(folder)
                # What is no area is somebody else's, or another installation's.
                if area is None or area != folder or area in living:
                    continue
                place = SweptArea(namespace_of(area), area, gone=True)
                if not watched or place.namespace in watched:
                    await self._pause()
                    places += [place] if await self._bears(area, cluster) else []
        return places

    async def _bears(self, area: Area, cluster: str) -> bool:
        """Whether an area bears the mark of a cluster, and of no other."""
        listed = await asyncio.to_thread(self._leftovers.versions, clusters_folder(area), "", PAGE)
        return {entry.key for entry in listed if entry.latest and not entry.marker} == {cluster_mark(area, cluster)}

    async def _mark_or_clear(self, place: SweptArea, cluster: str) -> None:
        """Let the area say whose it is, once something lies there; or, where its namespace is gone and nothing but that
        lies there, no more."""
        if not (self._deletes and cluster) or (place.area in self._marked and not place.gone):
            return
        listed = await asyncio.to_thread(self._leftovers.versions, place.area, "", PAGE)
        if not place.gone and listed:
            if not await self._bears(place.area, cluster):
                await self._marks.write(cluster_mark(place.area, cluster), b"", "text/plain")
            self._marked.add(place.area)
        elif all(entry.key.startswith(clusters_folder(place.area)) for entry in listed):
            self._fence()
            await asyncio.to_thread(self._leftovers.remove, listed)

    # --- what a request made ---

    async def _requests(self, place: SweptArea, findings: Findings) -> None:
        """The prefixes of all requests that ever left something in a namespace."""
        base, after = requests_area(place.area), ""
        while folders := await asyncio.to_thread(self._leftovers.folders, base, after, PAGE):
            for folder in folders:
                await self._pause()
                name = folder.removeprefix(base).removesuffix("/")
                # What is no name of a request was put there by somebody else.
                with contextlib.suppress(ForeignKey):
                    await self._request(place, name, findings)
            after = folders[-1]

    async def _request(self, place: SweptArea, name: str, findings: Findings) -> None:
        """One request's prefix. Its request is asked for after the listing: what it makes later is not in there."""
        prefix = request_prefix(place.area, name)
        listing = await asyncio.to_thread(self._leftovers.versions, prefix, "", MOST_VERSIONS)
        if len(listing) >= MOST_VERSIONS:
            log.warning("the sweep leaves %s alone: there are more than %d versions", prefix, MOST_VERSIONS)
            return
        document = None if place.gone else await self._census.request(Key(place.namespace, name))
        living = None if document is None else await self._living(document, place.area)
        await self._carry_out(sweep(prefix, listing, living, self._now(), self._settings), findings)

    async def _living(self, document: Document, area: Area) -> LivingRequest:
        """What counts for a request that exists. One that is being deleted is left to its deletion, and another
        installation's to that one."""
        head = parse_head(document)
        kept = head.deletion_policy is DeletionPolicy.RETAIN
        ours = ("", self._config.installation, *self._config.formerly)
        if head.deleting or not head.ready or head.status.installation not in ours:
            return LivingRequest(kept=kept)
        recorded = await self._marks.resolved(area, head.key.name)
        return LivingRequest(
            kept=kept,
            digests=referenced_digests(head, recorded, area),
            ready_since=_ready_since(head),
            expired=expired_folders(head, recorded, area, self._now()),
        )

    async def _carry_out(self, swept: Swept, findings: Findings) -> None:
        for why, entries in swept.waste.items():
            size = sum(entry.bytes for entry in entries)
            findings.count(why, len(entries), size)
            log.debug("%s: %s", why, [entry.key for entry in entries[:10]])
            if self._deletes:
                self._fence()
                await asyncio.to_thread(self._leftovers.remove, entries)
                findings.take(why, len(entries), size)
                metrics.SWEPT_OBJECTS.labels(kind=why.value).inc(len(entries))
        if self._deletes:
            for mark in swept.marks:
                await self._marks.write(mark, b"", "text/plain")
            await self._marks.remove(swept.unmarks)

    # --- what people sent ---

    async def _uploads(self, place: SweptArea, findings: Findings) -> None:
        """A namespace's photos, a page at a time. Its requests are asked for after each page."""
        base, after = uploads_area(place.area), ""
        while True:
            await self._pause()
            page = await asyncio.to_thread(self._leftovers.versions, base, after, PAGE)
            whole = _whole_keys(page) if len(page) >= PAGE else page
            named = [] if place.gone else await self._census.photos(place.namespace)
            used = [uploads_prefix(place.area, prefix) for prefix in named if prefix]
            expiry = self._config.uploads.expiry
            await self._carry_out(sweep_uploads(whole, used, self._now(), self._settings, expiry), findings)
            if len(page) < PAGE:
                return
            after = whole[-1].key

    async def _class_pictures(self, place: SweptArea, findings: Findings) -> None:
        """A namespace's class pictures, a page at a time."""
        base, after = prior_area(place.area), ""
        while page := await asyncio.to_thread(self._leftovers.versions, base, after, PAGE):
            await self._pause()
            whole = _whole_keys(page) if len(page) >= PAGE else page
            await self._carry_out(sweep_class_pictures(whole, self._now(), self._settings, gone=place.gone), findings)
            if len(page) < PAGE:
                return
            after = whole[-1].key

    async def _unfinished(self, areas: Sequence[Area], findings: Findings) -> None:
        """Uploads in parts that nobody ended, of all areas that are ours."""
        ours = [folder for area in areas for folder in (requests_area(area), uploads_area(area), prior_area(area))]
        listed = await asyncio.to_thread(self._leftovers.unfinished, MOST_UNFINISHED)
        old = unfinished_uploads(listed, ours, self._now(), self._settings)
        findings.count(Waste.UNFINISHED, len(old))
        if self._deletes and old:
            self._fence()
            await asyncio.to_thread(self._leftovers.abort, old)
            findings.take(Waste.UNFINISHED, len(old))
            metrics.SWEPT_OBJECTS.labels(kind=Waste.UNFINISHED.value).inc(len(old))

    # --- Jobs ---

    async def _jobs(self, place: SweptArea, findings: Findings) -> None:
        """Jobs that lost their request, as `kubectl delete --cascade=orphan` leaves them: they end, and what was handed
        out for them with them."""
        namespace = place.namespace
        for job in [] if place.gone else await self._census.ownerless_jobs(namespace):
            name, uid = job.labels.get(names.LABEL_REQUEST, ""), job.labels[names.LABEL_UID]
            if not job.creation_timestamp or self._now() - parsed(job.creation_timestamp) < JOB_PAUSE:
                continue
            document = await self._census.request(Key(namespace, name))
            if document is not None and document["metadata"]["uid"] == uid:
                continue
            findings.jobs += 1
            if self._deletes:
                await self._marks.revoke(request_prefix(place.area, name), uid)
                await self._census.delete_job(namespace, job)
                log.info("the Job %s/%s has no request any more: deleted", namespace, job.name)

    async def _pause(self) -> None:
        """Let others have their turn, now and then."""
        self._places += 1
        if self._places % PLACES_A_TURN == 0:
            await asyncio.sleep(TURN_SECONDS)


def _ready_since(head: RequestHead) -> datetime | None:
    """Since when a ready request is."""
    ready = next(condition for condition in head.status.conditions if condition.type == ConditionType.READY)
    try:
        return parsed(ready.last_transition_time)
    except ValueError:
        return None


def _whole_keys(page: Sequence[StoredVersion]) -> Sequence[StoredVersion]:
    """A full page without its last key, whose further versions may be on the next; all of it where it holds but one."""
    whole = [entry for entry in page if entry.key != page[-1].key]
    return whole or page
