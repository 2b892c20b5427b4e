"""What an engine is granted, read from a store by its own keys."""

from __future__ import annotations

from profile_predictor.engine import Fetched
from profile_runtime.store.folder import FolderStore


class StoreFiles:
    """Grants of a store's own keys."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store

    def read(self, url: str, limit: int) -> Fetched:
        return Fetched(self._store.read(url), url)

    def stamp(self, url: str) -> str:
        return url
