"""WatchedKube: requests, their Jobs and the styles as the watches tell them, for decisions that read nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import msgspec
from kubernetes.aio import client

from profile_contract.model import digest_of
from profile_contract.resource import Key
from profile_contract.style_ref import OWN
from profile_operator import names
from profile_operator.compared import compared_with
from profile_runtime.kubernetes.aio import AsyncApi
from profile_runtime.kubernetes.errors import ApiError, ResourceNotFound
from profile_runtime.kubernetes.resources import (
    CLUSTER_LOOKS_PATH,
    CLUSTER_STYLES_PATH,
    Document,
    looks_path,
    requests_path,
    styles_path,
)

from .entries import (
    JobEntry,
    LookEntry,
    RequestEntry,
    StyleEntry,
    job_entry,
    look_entry,
    request_entry,
    style_entry,
    whole,
)
from .kubernetes import Kube
from .lister import Changed, Lister

log = logging.getLogger(__name__)

# A Job's pods begin, run or fail: nothing is begun for that, and their end comes soon, mostly.
PACE_SECONDS = 2.0


class Wake(Protocol):
    """Called with the request that something happened to, and the version that tells so; empty: another object told
    it. `within`: so many seconds it may wait for more that happens."""

    def __call__(self, key: Key, version: str, within: float = 0.0) -> None: ...


# Writes of ours whose echo may still come.
MOST_OWN_WRITES = 4096


class RequestLister(Lister[RequestEntry]):
    """The requests, and which of them ask for a style."""

    def __init__(
        self,
        api: AsyncApi,
        changed: Changed[RequestEntry],
        namespaces: Sequence[str],
        returned: Callable[[], None],
    ) -> None:
        super().__init__(api, requests_path, request_entry, changed, namespaces=namespaces, returned=returned)
        self._by_style: dict[str, set[Key]] = defaultdict(set)

    def asking(self, style: str) -> list[Key]:
        """The requests that ask for a style of that key."""
        return list(self._by_style.get(style, ()))

    def _note(self, before: RequestEntry | None, after: RequestEntry | None) -> None:
        for style in before.styles if before is not None else ():
            self._by_style[style].discard(before.key if before is not None else Key("", ""))
            if not self._by_style[style]:
                del self._by_style[style]
        for style in after.styles if after is not None else ():
            self._by_style[style].add(after.key if after is not None else Key("", ""))


class JobLister(Lister[JobEntry]):
    """The Jobs that carry the label of a request, by request."""

    def __init__(self, api: AsyncApi, changed: Changed[JobEntry], namespaces: Sequence[str]) -> None:
        query = [("labelSelector", names.LABEL_REQUEST)]
        super().__init__(api, _jobs_path, job_entry, changed, namespaces=namespaces, query=query)
        self._by_request: dict[Key, set[Key]] = defaultdict(set)

    def of(self, request: Key) -> list[JobEntry]:
        """The Jobs of a request, by name."""
        entries = (self.get(key) for key in sorted(self._by_request.get(request, ())))
        return [entry for entry in entries if entry is not None]

    def _note(self, before: JobEntry | None, after: JobEntry | None) -> None:
        if after is not None:
            self._by_request[after.request].add(after.key)
        elif before is not None:
            self._by_request[before.request].discard(before.key)
            if not self._by_request[before.request]:
                del self._by_request[before.request]


class WatchedKube(Kube):
    """The operator's client of the API, whose reads of requests, Jobs and styles cost no call.

    What is not known yet, since a namespace could not be listed, is asked of the API server.
    """

    def __init__(
        self,
        api: client.ApiClient,
        namespaces: Sequence[str],
        wake: Wake,
        fence: Callable[[], None] | None = None,
        installations: Sequence[str] = (),
    ) -> None:
        """`wake` is told of every change that no write of ours made; `fence` raises where nothing may be written.

        `installations`: the names of this one.
        """
        super().__init__(api, fence)
        self._installations = frozenset(installations)
        self._wake = wake
        self._own: OrderedDict[Key, str] = OrderedDict()
        # Called when an API server that was away answers again.
        self.returned: Callable[[], None] = lambda: None
        self.listed = RequestLister(self.api, self._request_changed, namespaces, self._tell_returned)
        self.listed_jobs = JobLister(self.api, self._job_changed, namespaces)
        self.listed_cluster_styles: Lister[StyleEntry] = Lister(
            self.api, lambda _: CLUSTER_STYLES_PATH, style_entry, self._style_changed
        )
        self.listed_styles: Lister[StyleEntry] = Lister(
            self.api, styles_path, style_entry, self._style_changed, namespaces=namespaces
        )
        self.listed_cluster_looks: Lister[LookEntry] = Lister(
            self.api, lambda _: CLUSTER_LOOKS_PATH, look_entry, self._look_changed
        )
        self.listed_looks: Lister[LookEntry] = Lister(
            self.api, looks_path, look_entry, self._look_changed, namespaces=namespaces
        )
        # Set when a look is new, is another or has gone: whoever looks after them need not wait.
        self.looks_changed = asyncio.Event()

    @property
    def _listers(self) -> tuple[Lister[Any], ...]:
        styles = self.listed_cluster_styles, self.listed_styles
        return self.listed, self.listed_jobs, *styles, self.listed_cluster_looks, self.listed_looks

    async def follow(self) -> None:
        """Until cancelled: list and watch."""
        await asyncio.gather(*(lister.follow() for lister in self._listers))

    async def asked(self) -> None:
        """Wait until everything was listed, or could not be: what could not be is asked for as it is needed."""
        await asyncio.gather(*(lister.asked() for lister in self._listers))

    # --- reads ---

    async def request(self, key: Key) -> Document:
        """A request. Raises ResourceNotFound, or ApiError where the API server has to be asked."""
        entry = self.listed.get(key)
        if entry is not None and entry.document:
            return whole(entry)
        if entry is None and self.listed.knows(key.namespace):
            raise ResourceNotFound(f"there is no request {key}", 404)
        try:
            return await super().request(key)
        except ResourceNotFound:
            self.listed.drop(key)
            raise

    async def refresh(self, key: Key) -> None:
        """Ask for a request that our writes found to be another than the watch has told. What fails is told by that."""
        try:
            self.listed.put(msgspec.json.encode(await super().request(key)))
        except ResourceNotFound:
            self.listed.drop(key)
        except ApiError as error:
            log.info("%s: not read anew: %s", key, error)

    async def job(self, namespace: str, name: str) -> Document:
        """A Job as it stands, asked of the API server: somebody met it who did not know of it. Raises ApiError."""
        document = await super().job(namespace, name)
        self.written({"kind": "Job", **document})
        return document

    async def jobs(self, key: Key) -> list[Document]:
        """The Jobs of a request."""
        if not self.listed_jobs.knows(key.namespace):
            return await super().jobs(key)
        return [whole(entry) for entry in self.listed_jobs.of(key)]

    async def cluster_styles(self) -> list[Document]:
        """All ClusterProfileStyles, by name."""
        if not self.listed_cluster_styles.knows(""):
            return await super().cluster_styles()
        return [whole(entry) for entry in sorted(self.listed_cluster_styles, key=lambda entry: entry.key)]

    async def styles(self, namespace: str | None) -> list[Document]:
        """The ProfileStyles of a namespace, by name."""
        if namespace is None or not self.listed_styles.knows(namespace):
            return await super().styles(namespace)
        entries = (entry for entry in self.listed_styles if entry.key.namespace == namespace)
        return [whole(entry) for entry in sorted(entries, key=lambda entry: entry.key)]

    async def looks(self, namespace: str) -> list[Document]:
        """The ClusterStyleAdapters, and the StyleAdapters of a namespace."""
        if not self.listed_cluster_looks.knows("") or not self.listed_looks.knows(namespace):
            return await super().looks(namespace)
        own = (entry for entry in self.listed_looks if entry.key.namespace == namespace)
        return [whole(entry) for entry in (*self.listed_cluster_looks, *own)]

    # --- what is known without asking ---

    def settled(self, key: Key, platform: str) -> bool:
        """Whether a request is finished, no pod runs for it, and what it was compared with is what is there now."""
        entry = self.listed.get(key)
        if entry is None or not entry.finished or not self.listed_jobs.knows(key.namespace):
            return False
        if any(not job.finished for job in self.listed_jobs.of(key)) or self._unclaimed(entry):
            return False
        return entry.compared == compared_with(platform, self.style_digests(key.namespace, entry.styles))

    def _unclaimed(self, entry: RequestEntry) -> bool:
        """Whether a person handed the request to this installation, which has not taken it over yet."""
        holder, handed_to = entry.handover or ("", "")
        return handed_to in self._installations and holder not in self._installations

    def style_digests(self, namespace: str, styles: Iterable[str]) -> dict[str, str]:
        """The digests of what the styles of these keys say to a namespace; empty for one that is not there."""
        return {key: self._style_digest(namespace, key) for key in styles}

    def _style_digest(self, namespace: str, style: str) -> str:
        if style.startswith(OWN):
            entry = self.listed_styles.get(Key(namespace, style.removeprefix(OWN)))
        else:
            entry = self.listed_cluster_styles.get(Key("", style))
        if entry is None:
            return ""
        looks = {look: self._look_digest(namespace, look) for look in entry.looks}
        return digest_of([entry.digest, looks]) if looks else entry.digest

    def _look_digest(self, namespace: str, look: str) -> str:
        if look.startswith(OWN):
            entry = self.listed_looks.get(Key(namespace, look.removeprefix(OWN)))
        else:
            entry = self.listed_cluster_looks.get(Key("", look))
        return entry.digest if entry is not None else ""

    def own(self, key: Key, version: str) -> bool:
        """Whether that version of a request was made by the last write of ours."""
        return self._own.get(key) == version

    # --- what is told ---

    def written(self, document: Document) -> None:
        """What a write of ours made of an object: the next look sees it, whenever the watch tells it."""
        data = msgspec.json.encode(document)
        if document.get("kind") == names.REQUEST_KIND:
            self.listed.put(data)
            metadata = document["metadata"]
            key = Key(metadata["namespace"], metadata["name"])
            self._own[key] = metadata["resourceVersion"]
            self._own.move_to_end(key)
            while len(self._own) > MOST_OWN_WRITES:
                self._own.popitem(last=False)
        elif document.get("kind") == "Job":
            self.listed_jobs.put(data)

    def _tell_returned(self) -> None:
        self.returned()

    def _request_changed(self, before: RequestEntry | None, after: RequestEntry | None) -> None:
        entry = after or before
        if entry is not None:
            self._wake(entry.key, after.version if after is not None else "")

    def _job_changed(self, before: JobEntry | None, after: JobEntry | None) -> None:
        entry = after or before
        if entry is None:
            return
        if before is None or after is None or before.document != after.document:
            self._wake(entry.request, "")
        elif before.pace != after.pace:
            self._wake(entry.request, "", PACE_SECONDS)

    def _style_changed(self, before: StyleEntry | None, after: StyleEntry | None) -> None:
        if before is not None and after is not None and before.digest == after.digest:
            # A word of its status alone: no request is drawn otherwise for it.
            return
        entry = after or before
        if entry is not None:
            self._wake_asking(entry.key, entry.key.namespace)

    def _wake_asking(self, style: Key, namespace: str) -> None:
        """Have the requests of a namespace looked at, of all where it is empty, that ask for a style."""
        for key in self.listed.asking(OWN + style.name if style.namespace else style.name):
            if namespace in ("", key.namespace) and style.namespace in ("", key.namespace):
                self._wake(key, "")

    def _look_changed(self, before: LookEntry | None, after: LookEntry | None) -> None:
        entry = after or before
        if entry is None or (before is not None and after is not None and before.digest == after.digest):
            return
        self.looks_changed.set()
        for style in (*self.listed_cluster_styles, *self.listed_styles):
            if entry.look in style.looks:
                self._wake_asking(style.key, entry.key.namespace)


def _jobs_path(namespace: str | None) -> str:
    return "/apis/batch/v1/jobs" if namespace is None else f"/apis/batch/v1/namespaces/{namespace}/jobs"
