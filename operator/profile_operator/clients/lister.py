"""Lister: what lists and watches tell of one kind, kept as small entries that decisions read at no cost."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from profile_contract.resource import Key
from profile_runtime.kubernetes.aio import AsyncApi, ListPage, ListVersion, decoded
from profile_runtime.kubernetes.errors import ApiError, ApiUnavailable, Forbidden, ResourceExpired
from profile_runtime.kubernetes.resources import Query

log = logging.getLogger(__name__)

WATCH_SECONDS = 300
# A watch that ends sooner was cut: whoever cuts it is not to be asked again at once.
SHORT_WATCH_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
# An API server that answers nobody is asked more often than one that refuses: all work waits for it.
LONGEST_AWAY_SECONDS = 10.0
# Objects that went lately: an answer to a write of ours may come after the watch told that its object is gone.
MOST_TOMBSTONES = 2048


class Entry(Protocol):
    """What is kept of an object: which it is, and of which version."""

    @property
    def key(self) -> Key: ...

    @property
    def version(self) -> str: ...


Kept = TypeVar("Kept", bound=Entry)
# What was kept of an object before, and what is now; None: there was none, or it is gone.
Changed = Callable[["Kept | None", "Kept | None"], None]


class Lister(Generic[Kept]):
    """The objects of one kind, in all namespaces or in those that are named, each namespace on its own.

    It may be behind: a write must be safe against that (a 409 adopts, versions and UIDs are stated). What a write of
    our own answered is put into it, so that the next look sees it.
    """

    def __init__(
        self,
        api: AsyncApi,
        path: Callable[[str | None], str],
        read: Callable[[bytes], Kept],
        changed: Changed[Kept],
        *,
        namespaces: Sequence[str] = (),
        query: Query = (),
        returned: Callable[[], None] = lambda: None,
    ) -> None:
        """`path`: of a namespace's objects, of all for None. `read`: what is kept of an object's JSON. `returned` is
        called when an API server that was away answers again."""
        self._api, self._path, self._read, self._changed, self._query = api, path, read, changed, tuple(query)
        self._returned = returned
        self._namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._entries: dict[Key, Kept] = {}
        self._tombstones: OrderedDict[Key, str] = OrderedDict()
        self._synced: set[str | None] = set()
        self._asked: set[str | None] = set()
        self._all_asked = asyncio.Event()

    # --- what is known ---

    def get(self, key: Key) -> Kept | None:
        """What is kept of an object."""
        return self._entries.get(key)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Kept]:
        """Everything that is kept, as it is now."""
        return iter(list(self._entries.values()))

    def knows(self, namespace: str) -> bool:
        """Whether the namespace was listed: what is not here was not there."""
        return None in self._synced or namespace in self._synced

    async def asked(self) -> None:
        """Wait until every namespace was asked for once, whether or not it could be listed."""
        await self._all_asked.wait()

    # --- what is told ---

    def put(self, data: bytes) -> None:
        """What an object is now, as a write of ours was answered: nobody is told of it."""
        entry = self._understood(data)
        if entry is not None and self._newer(entry):
            before = self._entries.get(entry.key)
            self._entries[entry.key] = entry
            self._note(before, entry)

    def drop(self, key: Key) -> None:
        """The API server knows no such object any more."""
        self._forget(key, "")

    def _note(self, before: Kept | None, after: Kept | None) -> None:
        """For kinds that keep an index beside."""

    def _newer(self, entry: Kept) -> bool:
        """Whether an entry tells something newer than is known. Versions of one kind are numbers that grow."""
        standing = self._entries.get(entry.key)
        known = standing.version if standing is not None else self._tombstones.get(entry.key, "")
        return not known or _later(entry.version, known)

    def _take(self, data: bytes) -> Key | None:
        """Keep what a list or a watch told; returns whose it is, None for what is not kept."""
        entry = self._understood(data)
        if entry is None:
            return None
        if self._newer(entry):
            before = self._entries.get(entry.key)
            self._entries[entry.key] = entry
            self._note(before, entry)
            self._changed(before, entry)
        return entry.key

    def _understood(self, data: bytes) -> Kept | None:
        """What is kept of an object; None for one that nobody can read: the others are read nevertheless."""
        try:
            return self._read(data)
        except msgspec.DecodeError as error:
            log.warning("an object of %s cannot be read: %s", self._path(None), error)
            return None

    def _forget(self, key: Key, version: str) -> None:
        before = self._entries.pop(key, None)
        if version:
            self._tombstones[key] = version
            while len(self._tombstones) > MOST_TOMBSTONES:
                self._tombstones.popitem(last=False)
        if before is not None:
            self._note(before, None)
            self._changed(before, None)

    # --- lists and watches ---

    async def follow(self) -> None:
        """Until cancelled: list and watch, each namespace for itself."""
        await asyncio.gather(*(self._follow(namespace) for namespace in self._namespaces))

    async def _follow(self, namespace: str | None) -> None:
        """One namespace, or all: a list, what happens from there on, and a list again where the thread is lost."""
        version, pause, away = "", FIRST_PAUSE_SECONDS, False
        while True:
            try:
                if away:
                    # A watch says nothing until something happens.
                    await self._api.read(self._path(namespace), ListPage, [*self._query, ("limit", "1")])
                    away = False
                    self._returned()
                if not version:
                    version = await self._list(namespace)
                started = time.monotonic()
                async for following in self._events(namespace, version):
                    version, pause = following, FIRST_PAUSE_SECONDS
                if time.monotonic() - started < SHORT_WATCH_SECONDS:
                    await asyncio.sleep(FIRST_PAUSE_SECONDS)
            except ResourceExpired:
                log.info("%s: the watch is too far behind, all is listed anew", self._path(namespace))
                version = ""
                await asyncio.sleep(FIRST_PAUSE_SECONDS * random.random())  # noqa: S311 - so that not all come at once
            except ApiError as error:
                log.warning("%s: %s; again in %.0f s", self._path(namespace), error, pause)
                if isinstance(error, Forbidden):
                    # As in a namespace that is going and lost its RoleBinding: what was known there holds no more.
                    self._synced.discard(namespace)
                    version = ""
                self._answered(namespace)
                away = isinstance(error, ApiUnavailable)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_AWAY_SECONDS if away else LONGEST_PAUSE_SECONDS)

    async def _list(self, namespace: str | None) -> str:
        """Keep all that is there and forget what is not; returns the list's version."""
        listed: set[Key] = set()
        metadata = ListVersion()
        async for page in self._api.pages(self._path(namespace), self._query):
            metadata = page.metadata
            listed.update(key for item in page.items if (key := self._take(bytes(item))) is not None)
            await asyncio.sleep(0)
        version = metadata.resource_version
        for key in self._missing(namespace, listed, version):
            self._forget(key, version)
        self._synced.add(namespace)
        self._answered(namespace)
        return version

    def _missing(self, namespace: str | None, listed: set[Key], version: str) -> list[Key]:
        """What a list of that version should hold and does not; what a write of ours made since then is not missing."""
        return [
            key
            for key, entry in self._entries.items()
            if key not in listed and namespace in (None, key.namespace) and not _later(entry.version, version)
        ]

    def _answered(self, namespace: str | None) -> None:
        self._asked.add(namespace)
        if len(self._asked) == len(self._namespaces):
            self._all_asked.set()

    async def _events(self, namespace: str | None, version: str) -> AsyncIterator[str]:
        """Keep what happens after a version; gives the version of each event. Raises ApiError."""
        async for event in self._api.events(self._path(namespace), version, WATCH_SECONDS, self._query):
            data = bytes(event.object)
            if event.type == "DELETED":
                entry = self._understood(data)
                if entry is not None:
                    self._forget(entry.key, entry.version)
            elif event.type != "BOOKMARK":
                self._take(data)
            yield decoded(data, _Versioned).metadata.resource_version


class _VersionMetadata(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str


class _Versioned(msgspec.Struct, frozen=True):
    """Of an event's object its version alone."""

    metadata: _VersionMetadata


def _later(version: str, other: str) -> bool:
    """Whether a version comes after another of the same kind; where they are no numbers, whether it is another."""
    try:
        return int(version) > int(other)
    except ValueError:
        return version != other
