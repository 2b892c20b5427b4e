"""The store port: what a stage needs of a store, and how a store refuses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    pass


# S3's limit on one call that deletes.
MOST_KEYS_IN_A_CALL = 1000


class StoreError(Exception):
    """The store could not be reached, or refused."""


class StoreUnreachable(StoreError):
    """The store could not be reached, or cannot answer anybody now."""


class NotFound(StoreError):
    """There is nothing under that key."""


class TooLarge(StoreError):
    """There is more under that key than anybody wants to read."""


@dataclass(frozen=True)
class StoredObject:
    """An object as listed: key, bytes, a tag that changes with the content, and when it was written (UTC)."""

    key: str
    bytes: int
    etag: str
    modified: datetime | None = None


@dataclass(frozen=True)
class StoredVersion:
    """One version of an object, the latest of a key first. `version` is empty where the bucket keeps but one.

    A `marker` says that the key was deleted; versions behind it are still there.
    """

    key: str
    version: str
    bytes: int
    modified: datetime | None
    latest: bool = True
    marker: bool = False


@dataclass(frozen=True)
class UnfinishedUpload:
    """An upload in parts that nobody has ended: its parts are kept, and listed nowhere else."""

    key: str
    upload: str
    begun: datetime | None


class Store(Protocol):
    """What a stage needs of a store. Every method raises StoreError when the store fails."""

    def list(self, prefix: str) -> list[StoredObject]:
        """All objects below the prefix, sorted by key."""

    def stat(self, key: str) -> StoredObject | None:
        """The object, or None where nothing is."""

    def read(self, key: str) -> bytes:
        """The content. Raises NotFound."""

    def write(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """Write the object whole, replacing what was there."""

    def delete(self, prefix: str) -> int:
        """Delete everything below the prefix; returns how many objects went."""

    def remove(self, keys: Iterable[str]) -> None:
        """Delete exactly these objects; `delete` takes those along whose keys begin like one of them."""


class BoundedStore(Store, Protocol):
    """A store that can be asked for no more than somebody can bear, whoever wrote what lies there."""

    def list(self, prefix: str, most: int | None = None) -> list[StoredObject]:
        """The first `most` objects below the prefix, sorted by key; no more pages are asked for."""

    def read(self, key: str, most: int | None = None) -> bytes:
        """The content. Raises NotFound, and TooLarge for more than `most` bytes, of which no more are read."""


def content_type_of(key: str) -> str:
    """The content type of a file by its ending."""
    endings = {".png": "image/png", ".jpg": "image/jpeg", ".json": "application/json", ".pdf": "application/pdf"}
    return endings.get(Path(key).suffix, "application/octet-stream")


def _within(data: bytes, key: str, most: int | None) -> bytes:
    """The data. Raises TooLarge where it is more than `most` bytes."""
    if most is not None and len(data) > most:
        raise TooLarge(f"{key} has more than {most} bytes")
    return data
