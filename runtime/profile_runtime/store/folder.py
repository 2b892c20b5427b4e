"""A folder as a store: for tests, and for runs without a cluster."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

from profile_runtime.store.port import NotFound, StoredObject, StoreError, _within


class FolderStore:
    """A store in a folder: for the folder runner and for tests by hand."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def _path(self, key: str) -> Path:
        with _folder_errors(key):
            path = (self.root / key).resolve()
        if not path.is_relative_to(self.root):
            raise StoreError(f"key {key!r} leaves the store")
        return path

    def list(self, prefix: str, most: int | None = None) -> list[StoredObject]:
        """The objects below the prefix (the first `most`), sorted by key."""
        folder = self._path(prefix if prefix.endswith("/") else prefix.rpartition("/")[0])
        if not folder.is_dir():
            return []
        keys = (path.relative_to(self.root).as_posix() for path in folder.rglob("*") if path.is_file())
        return [self._object(key) for key in islice((key for key in sorted(keys) if key.startswith(prefix)), most)]

    def _object(self, key: str) -> StoredObject:
        path = self._path(key)
        with _folder_errors(key):
            data = path.read_bytes()
        return StoredObject(key, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())

    def stat(self, key: str) -> StoredObject | None:
        """The object, or None where nothing is."""
        return self._object(key) if self._path(key).is_file() else None

    def read(self, key: str, most: int | None = None) -> bytes:
        """The content. Raises NotFound, and TooLarge for more than `most` bytes."""
        path = self._path(key)
        with _folder_errors(key), path.open("rb") as file:
            return _within(file.read(-1 if most is None else most + 1), key, most)

    def write(self, key: str, data: bytes, content_type: str = "") -> None:
        """Write the object whole: a reader never sees half of it."""
        path = self._path(key)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        with _folder_errors(key):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.write_bytes(data)
                part.replace(path)
            except OSError:
                # A disk that is full needs the room.
                with contextlib.suppress(OSError):
                    part.unlink()
                raise

    def delete(self, prefix: str) -> int:
        """Delete everything below the prefix; returns how many objects went."""
        objects = self.list(prefix)
        for stored in objects:
            self._path(stored.key).unlink()
        if prefix.endswith("/"):
            shutil.rmtree(self._path(prefix), ignore_errors=True)
        return len(objects)

    def remove(self, keys: Iterable[str]) -> None:
        """Delete exactly these objects; one that is not there is none to delete."""
        for key in keys:
            self._path(key).unlink(missing_ok=True)


@contextlib.contextmanager
def _folder_errors(key: str) -> Iterator[None]:
    """A full disk, a name that is too long, a folder where a file should be: the store fails, and says why."""
    try:
        yield
    except FileNotFoundError:
        raise NotFound(key) from None
    except OSError as error:
        raise StoreError(f"the file {key[:200]!r} of the store: {error.strerror or error}") from error
    except ValueError as error:
        raise StoreError(f"the key {key[:200]!r} is no file's name: {error}") from error
