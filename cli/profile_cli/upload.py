"""Puts photos into a store, those that are not there already."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from profile_contract.artifacts import uploads_prefix
from profile_contract.store import Store, StoreError, content_type_of

from .errors import CommandError


def upload(store: Store, photos: Mapping[str, Path], namespace: str, prefix: str) -> int:
    """Bring the prefix to hold exactly these photos, by name; returns how many were sent. Raises CommandError."""
    base = uploads_prefix(namespace, prefix)
    wanted = {base + name: photo for name, photo in photos.items()}
    try:
        there = {found.key: found.etag for found in store.list(base)}
        for key in there.keys() - wanted.keys():
            store.delete(key)
        missing = {key: photo for key, photo in wanted.items() if there.get(key) != _etag(photo.read_bytes())}
        for key, photo in missing.items():
            store.write(key, photo.read_bytes(), content_type_of(key))
    except StoreError as error:
        raise CommandError(f"the photos were not uploaded: {error}") from error
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be read: {error.strerror}") from error
    return len(missing)


def _etag(data: bytes) -> str:
    """The tag that S3 and the folder store give an object written at once."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
