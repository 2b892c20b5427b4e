"""Adapters in host memory, and how they get there.

A cached adapter is given out only to an order whose grant was checked again, and only if that grant names the very
file that the adapter was read from: knowing a digest is not enough. What is evicted while it is being read is not kept.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from profile_contract.generation import AdapterGrant, LookGrant
from profile_draw.adapters.adapter_file import largest_file, read_adapter
from profile_draw.adapters.look_file import LookReader
from profile_draw.adapters.weights import AdapterWeights, LayerSize
from profile_draw.errors import Denied, Refused, Unavailable

from .evictions import Evictions
from .files import Files
from .host_cache import HostCache

# An order waits so long for another one that reads the same adapter.
PATIENCE_SECONDS = 60.0


@dataclass
class _Entry:
    weights: AdapterWeights
    stamps: set[str] = field(default_factory=set)


class AdapterStore:
    """The two lower tiers: host memory, and the store behind the grants.

    Adapters are for `base_model`'s UNet with these layers; `limit` is in bytes of host memory. `looks` reads what many
    people share; None: there are no looks.
    """

    def __init__(
        self,
        layers: Mapping[str, LayerSize],
        maximum_rank: int,
        limit: int,
        dtype: torch.dtype,
        *,
        evictions: Evictions,
        base_model: str = "",
        looks: LookReader | None = None,
    ) -> None:
        self._layers, self._maximum_rank, self._dtype, self._base_model = layers, maximum_rank, dtype, base_model
        self._evictions, self._looks = evictions, looks
        self._cache: HostCache[_Entry] = HostCache(limit)
        self._reading: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        # Held while an adapter is kept or forgotten, so that none is kept behind its eviction.
        self._keeping = threading.Lock()

    def get(self, grant: AdapterGrant, files: Files, asked: float) -> tuple[AdapterWeights, str]:
        """The adapter of a grant, and the tier that it came from: `host` or `store`. `asked`: see `Evictions`.

        Raises Refused if the file is not what the order names, cannot be served or has been evicted since, Unavailable
        if another order takes too long to read it, and what `files` raises.
        """
        with self._one_at_a_time(grant.sha256):
            entry = self._cache.get(_place(grant))
            if entry is not None and self._stamp(grant, files) in entry.stamps:
                self._evictions.check(grant.sha256, asked)
                return entry.weights, "host"
            return self._read(grant, files, entry, asked), "store"

    @contextmanager
    def _one_at_a_time(self, digest: str) -> Iterator[None]:
        """So that four orders of one person read the adapter once."""
        with self._lock:
            if len(self._reading) > 256:
                self._reading = {key: lock for key, lock in self._reading.items() if lock.locked()}
            reading = self._reading.setdefault(digest, threading.Lock())
        if not reading.acquire(timeout=PATIENCE_SECONDS):
            raise Unavailable("the adapter is being read for another order, and the store is slow; ask again later")
        try:
            yield
        finally:
            reading.release()

    def _stamp(self, grant: AdapterGrant, files: Files) -> str:
        """The stamp of what a grant names now; what the store denies is kept no longer."""
        try:
            return files.stamp(grant.url)
        except Denied:
            self._cache.drop(_place(grant))
            raise

    def _read(self, grant: AdapterGrant, files: Files, entry: _Entry | None, asked: float) -> AdapterWeights:
        """The adapter out of the store, kept from now on. `entry`: the same one, known under another grant."""
        looks = self._looks if isinstance(grant, LookGrant) else None
        most = looks.largest if looks is not None else largest_file(self._layers, self._maximum_rank)
        fetched = files.read(grant.url, most)
        if hashlib.sha256(fetched.content).hexdigest() != grant.sha256:
            raise Refused("the adapter is not the file that the order names: its sha256 differs")
        if entry is None:
            content, digest, rank = fetched.content, grant.sha256, self._maximum_rank
            if looks is not None:
                entry = _Entry(looks.read(content, digest, self._dtype))
            else:
                entry = _Entry(
                    read_adapter(content, digest, self._layers, rank, self._dtype, base_model=self._base_model)
                )
        with self._keeping:
            self._evictions.check(grant.sha256, asked)
            entry.stamps.add(fetched.stamp)
            self._cache.put(_place(grant), entry, entry.weights.bytes)
        return entry.weights

    def forget(self, digests: Sequence[str]) -> int:
        """Drop these, and keep none of them for who asked before; returns how many were held."""
        with self._keeping:
            self._evictions.add(digests)
            return sum(self._cache.drop(place) for digest in digests for place in (digest, _LOOK + digest))


# Before a look's digest in the cache: what was read as a look was not asked whether it has every layer.
_LOOK = "look/"


def _place(grant: AdapterGrant) -> str:
    """Where an adapter is kept in host memory."""
    return _LOOK + grant.sha256 if isinstance(grant, LookGrant) else grant.sha256
