"""Puts photos into a store, those that are not there already, and takes them away again."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from profile_contract.areas import Area
from profile_contract.artifacts import uploads_prefix
from profile_contract.photo_names import distinct
from profile_runtime.store.port import Store, StoreError, content_type_of

from .errors import CommandError


@dataclass(frozen=True)
class StoredPhotos:
    """The photos below a prefix: name below it -> tag of the content."""

    base: str
    """The prefix with its namespace's area."""
    tags: Mapping[str, str]

    def keys(self, names: Iterator[str] | list[str]) -> list[str]:
        """The keys of photos."""
        return [self.base + name for name in names]


def upload(store: Store, photos: Mapping[str, Path], area: Area, prefix: str) -> int:
    """Bring the prefix to hold exactly these photos, by name; returns how many were sent. Raises CommandError.

    For stores that are this program's own: what stood there before is replaced.
    """
    with _said("the photos were not uploaded"):
        there = _standing(store, area, prefix)
        store.remove(there.keys(sorted(there.tags.keys() - photos.keys())))
        missing = {name: photo for name, photo in photos.items() if there.tags.get(name) != _etag(photo.read_bytes())}
        for name, photo in missing.items():
            _write(store, there.base + name, photo)
    return len(missing)


def standing_photos(store: Store, area: Area, prefix: str) -> StoredPhotos:
    """The photos that stand below a request's prefix. Raises CommandError."""
    with _said("the photos in the store cannot be listed"):
        return _standing(store, area, prefix)


def plan_additions(photos: Mapping[str, Path], there: StoredPhotos) -> dict[str, Path]:
    """Name in the store -> file, of the photos whose content is not there yet; no name there is used again.

    Raises CommandError for a file that cannot be read.
    """
    with _said("nothing was uploaded"):
        known = set(there.tags.values())
        fresh = {name: photo for name, photo in photos.items() if _etag(photo.read_bytes()) not in known}
        return dict(zip(distinct(fresh, there.tags), fresh.values(), strict=True))


@contextlib.contextmanager
def sent(store: Store, photos: Mapping[str, Path], there: StoredPhotos) -> Iterator[None]:
    """Send photos under names that are free. If that, or what is done in the block, fails, they are taken away again.

    Raises CommandError, which says so where they could not be taken away.
    """
    begun: list[str] = []
    try:
        with _said("the photos were not uploaded"):
            for name, photo in photos.items():
                begun.append(there.base + name)
                _write(store, there.base + name, photo)
        yield
    except BaseException as error:
        try:
            store.remove(begun)
        except StoreError as left:
            stays = f"{error}; and {len(begun)} photos may be left under {there.base}: {left}"
            raise CommandError(stays) from error
        raise


def remove_photos(store: Store, there: StoredPhotos, names: list[str]) -> None:
    """Take photos away. Raises CommandError."""
    with _said(f"not all photos under {there.base} were deleted"):
        store.remove(there.keys(names))


def tags_of(photos: Mapping[str, Path]) -> set[str]:
    """The tags that a store gives these files. Raises CommandError for one that cannot be read."""
    with _said("nothing was uploaded"):
        return {_etag(photo.read_bytes()) for photo in photos.values()}


def _standing(store: Store, area: Area, prefix: str) -> StoredPhotos:
    try:
        base = uploads_prefix(area, prefix)
    except ValueError as error:
        raise CommandError(str(error)) from error
    return StoredPhotos(base, {photo.key.removeprefix(base): photo.etag for photo in store.list(base)})


def _write(store: Store, key: str, photo: Path) -> None:
    store.write(key, photo.read_bytes(), content_type_of(key))


@contextlib.contextmanager
def _said(what: str) -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise CommandError(f"{what}: {error}") from error
    except OSError as error:
        raise CommandError(f"{what}: {error.filename} cannot be read: {error.strerror}") from error


def _etag(data: bytes) -> str:
    """The tag that S3 and the folder store give an object written at once."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
