"""The store of tests: objects in memory, counted calls, a token service that notes what it was asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from profile_operator.clients.store import StoreAccess
from profile_runtime.store.credentials import Session, Signers
from profile_runtime.store.port import NotFound, StoredObject, StoreError, TooLarge

URL = "s3://profiles?endpoint=minio:9000&secure=false&region=us-east-1"


@dataclass
class MemoryStore:
    """A bucket in memory. `away` makes every call fail; `looked_at` counts how many objects were listed."""

    objects: dict[str, bytes] = field(default_factory=dict)
    away: bool = False
    reads: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    looked_at: int = 0

    def _there(self) -> None:
        if self.away:
            raise StoreError("the store cannot be reached: MaxRetryError")

    def _object(self, key: str) -> StoredObject:
        data = self.objects[key]
        return StoredObject(key, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())

    def list(self, prefix: str, most: int | None = None) -> list[StoredObject]:
        self._there()
        self.lists.append(prefix)
        keys = islice((key for key in sorted(self.objects) if key.startswith(prefix)), most)
        found = [self._object(key) for key in keys]
        self.looked_at += len(found)
        return found

    def stat(self, key: str) -> StoredObject | None:
        self._there()
        return self._object(key) if key in self.objects else None

    def read(self, key: str, most: int | None = None) -> bytes:
        self._there()
        self.reads.append(key)
        if key not in self.objects:
            raise NotFound(key)
        data = self.objects[key]
        if most is not None and len(data) > most:
            raise TooLarge(f"{key} has more than {most} bytes")
        return data

    def write(self, key: str, data: bytes, content_type: str = "") -> None:
        self._there()
        self.objects[key] = data

    def delete(self, prefix: str) -> int:
        self._there()
        gone = [key for key in self.objects if key.startswith(prefix)]
        for key in gone:
            del self.objects[key]
        return len(gone)

    def remove(self, keys: Iterable[str]) -> None:
        self._there()
        for key in keys:
            self.objects.pop(key, None)


@dataclass
class Tokens:
    """Issues sessions for as long as they were asked for, less `shorter` seconds."""

    asked: list[tuple[dict[str, Any], int]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    revokes: bool = True
    away: bool = False
    shorter: float = 0.0

    def issue(self, policy: str, seconds: int, tag: str = "") -> Session:
        if self.away:
            raise StoreError("the store gave no temporary credentials: MaxRetryError")
        self.asked.append((json.loads(policy), seconds))
        self.tags.append(tag)
        number = len(self.asked)
        ends = datetime.now(UTC) + timedelta(seconds=seconds - self.shorter)
        return Session(f"ACCESS{number}", f"secret{number}", f"token{number}", ends)

    def revoke(self, tag: str) -> bool:
        if self.away:
            raise StoreError("the store cannot be reached: MaxRetryError")
        self.revoked.append(tag)
        return self.revokes


def store_access(store: MemoryStore | None = None, tokens: Tokens | None = None) -> StoreAccess:
    """The operator's own view of such a store."""
    tokens = tokens or Tokens()
    return StoreAccess(store or MemoryStore(), tokens, Signers(URL, tokens))
