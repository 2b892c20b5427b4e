"""Adapters in host memory, and how they get there.

A cached adapter is given out only to an order whose grant was checked again, and only if that grant names the very
file that the adapter was read from: knowing a digest is not enough.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from profile_contract.generation import AdapterGrant

from .adapter_file import AdapterWeights, LayerSize, largest_file, read_adapter
from .errors import Denied, Refused
from .files import Files
from .host_cache import HostCache


@dataclass
class _Entry:
    weights: AdapterWeights
    stamps: set[str] = field(default_factory=set)


class AdapterStore:
    """The two lower tiers: host memory, and the store behind the grants."""

    def __init__(self, layers: Mapping[str, LayerSize], maximum_rank: int, limit: int, dtype: torch.dtype) -> None:
        self._layers, self._maximum_rank, self._dtype = layers, maximum_rank, dtype
        self._cache: HostCache[_Entry] = HostCache(limit)
        self._reading: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, grant: AdapterGrant, files: Files) -> tuple[AdapterWeights, str]:
        """The adapter of a grant, and the tier that it came from: `host` or `store`.

        Raises Refused if the file is not what the order names or cannot be served, and what `files` raises.
        """
        with self._one_at_a_time(grant.sha256):
            entry = self._cache.get(grant.sha256)
            if entry is not None and self._stamp(grant, files) in entry.stamps:
                return entry.weights, "host"
            return self._read(grant, files, entry), "store"

    def _one_at_a_time(self, digest: str) -> threading.Lock:
        """So that four orders of one person read the adapter once."""
        with self._lock:
            if len(self._reading) > 256:
                self._reading = {key: lock for key, lock in self._reading.items() if lock.locked()}
            return self._reading.setdefault(digest, threading.Lock())

    def _stamp(self, grant: AdapterGrant, files: Files) -> str:
        try:
            return files.stamp(grant.url)
        except Denied:
            self._cache.drop(grant.sha256)
            raise

    def _read(self, grant: AdapterGrant, files: Files, entry: _Entry | None) -> AdapterWeights:
        fetched = files.read(grant.url, largest_file(self._layers, self._maximum_rank))
        if hashlib.sha256(fetched.content).hexdigest() != grant.sha256:
            raise Refused("the adapter is not the file that the order names: its sha256 differs")
        if entry is None:
            weights = read_adapter(fetched.content, grant.sha256, self._layers, self._maximum_rank, self._dtype)
            entry = _Entry(weights)
        entry.stamps.add(fetched.stamp)
        self._cache.put(grant.sha256, entry, entry.weights.bytes)
        return entry.weights

    def forget(self, digests: Sequence[str]) -> int:
        """Drop these; returns how many were held."""
        return sum(self._cache.drop(digest) for digest in digests)
