"""Leave to send one photo to the store or to read one picture from it, signed here and used by the browser; and what
the page does in the store itself.

Every link is signed by temporary credentials (`profile_runtime.store.credentials`) that reach one request's photos, or
what one request made, and nothing else. The page's own account lists, reads and deletes, and signs nothing for anybody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Protocol

from profile_contract.keys import ForeignKey
from profile_contract.model import Tolerant
from profile_runtime.store.credentials import Sessions, Signers, StsSessions
from profile_runtime.store.port import Store, StoredObject, StoreError
from profile_runtime.store.s3 import open_s3

from .config import PageStore
from .problems import Code, Problem

log = logging.getLogger(__name__)

UPLOAD_SECONDS, PICTURE_SECONDS = 300, 3600
FEWEST_BYTES = 1000
# A likeness report of 128 portraits has some 100 kB; more is none of ours.
MOST_REPORT_BYTES = 4_000_000
# More objects than all of a visitor's limits allow; each takes a kilobyte of memory.
MOST_LISTED = 20_000
# Portraits, cuts and sheets; the print sheet of many portraits is the largest.
MOST_FILE_BYTES = 256_000_000


class Upload(Tolerant):
    """A form that sends one photo: to this URL, with these fields, then the file as field `file`."""

    name: str
    url: str
    fields: dict[str, str]


class LinkSigner(Protocol):
    """Signs links below one prefix; see `PrefixSigner`."""

    def get(self, key: str, seconds: int, *, save_as: str = "") -> str: ...

    def form(
        self, key: str, seconds: int, *, content_type: str, fewest_bytes: int, most_bytes: int
    ) -> dict[str, str]: ...


class LinkSigners(Protocol):
    """The signers of many prefixes; see `Signers`."""

    def below(self, prefix: str) -> LinkSigner: ...

    def forget(self, prefix: str) -> None: ...


class ScannedStore(Store, Protocol):
    """A store that is read while it is listed."""

    def scan(self, prefix: str) -> Iterator[StoredObject]: ...


class Links:
    """Signs links below these prefixes. A key that lies elsewhere has none, and while the store gives no credentials
    nothing has: pages are shown without pictures then."""

    def __init__(self, signers: LinkSigners, *prefixes: str) -> None:
        self._signers, self._prefixes, self._away = signers, prefixes, False

    def __call__(self, key: str, save_as: str = "") -> str:
        """The link; empty where there is none."""
        prefix = next((prefix for prefix in self._prefixes if key.startswith(prefix)), "")
        if self._away or not prefix:
            return ""
        try:
            return self._signers.below(prefix).get(key, PICTURE_SECONDS, save_as=save_as)
        except ForeignKey as error:
            log.warning("no link is given: %s", error)
        except StoreError as error:
            log.warning("no links are given: %s", error)
            self._away = True
        return ""


class Bucket:
    """Methods that ask the store raise StoreError."""

    def __init__(
        self,
        store: PageStore,
        environment: Mapping[str, str],
        own: ScannedStore | None = None,
        sessions: Sessions | None = None,
        signers: LinkSigners | None = None,
    ) -> None:
        """`own`, `sessions` and `signers`: other than those of a store that speaks S3."""
        self._bucket, self._origin = store.bucket, store.public_url
        self._own: ScannedStore = own or open_s3(store.url(), environment)
        self.signers: LinkSigners = signers or Signers(
            store.url(public=True), sessions or StsSessions(store.url(), environment)
        )

    def links(self, *prefixes: str) -> Links:
        """Links to what lies below these prefixes. They ask the store for credentials, so not on the event loop."""
        return Links(self.signers, *prefixes)

    async def upload(self, prefix: str, name: str, content_type: str, most_bytes: int) -> Upload:
        """A form that writes this one object, of this type, no larger than that."""
        fields = await asyncio.to_thread(
            self.signers.below(prefix).form, prefix + name, UPLOAD_SECONDS,
            content_type=content_type, fewest_bytes=FEWEST_BYTES, most_bytes=max(most_bytes, FEWEST_BYTES),
        )  # fmt: skip
        return Upload(name=name, url=f"{self._origin}/{self._bucket}", fields=fields)

    async def list(self, prefix: str) -> list[StoredObject]:
        """What lies below a prefix, MOST_LISTED objects at most."""
        return await asyncio.to_thread(lambda: [*islice(self._own.scan(prefix), MOST_LISTED)])

    def scan(self, prefix: str) -> Iterator[StoredObject]:
        """Everything below a prefix, while it is listed; not on the event loop."""
        return self._own.scan(prefix)

    async def delete(self, prefix: str) -> None:
        """Delete everything below a prefix that ends with '/', and sign nothing there any more."""
        self.signers.forget(prefix)
        await asyncio.to_thread(self._own.delete, prefix)

    async def remove(self, key: str) -> None:
        """Delete one object."""
        await asyncio.to_thread(self._own.remove, [key])

    async def purge(self, place: str) -> None:
        """Delete a key, or everything below a prefix that ends with '/'."""
        await (self.delete(place) if place.endswith("/") else self.remove(place))

    def read(self, key: str, most_bytes: int = MOST_FILE_BYTES) -> bytes:
        """One object, read here. Raises NotFound, and StoreError for one that is larger than that."""
        return read_bounded(self._own, key, most_bytes)


def read_bounded(store: Store, key: str, most_bytes: int) -> bytes:
    """An object's content, if it is no larger than that. Raises StoreError."""
    standing = store.stat(key)
    if standing is not None and standing.bytes > most_bytes:
        raise StoreError(f"{key!r} has more than {most_bytes} bytes")
    return store.read(key)


def store_problem(error: StoreError) -> Problem:
    """What a visitor is told; the reason is for the log alone."""
    log.warning("the store failed: %r", str(error))
    return Problem(Code.STORE_AWAY)
