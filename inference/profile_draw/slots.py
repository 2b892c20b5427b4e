"""Which slot holds whose adapter. Pure policy; the weights are moved by `bank`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """Where an adapter belongs. `fresh`: it is not there yet."""

    slot: int
    digest: str
    fresh: bool


class SlotTable:
    """A fixed number of slots; the one that was used longest ago gives way."""

    def __init__(self, slots: int) -> None:
        self._holders: list[str] = [""] * slots
        self._used: list[int] = [0] * slots
        self._clock = 0

    def holds(self, digest: str) -> bool:
        """Whether an adapter stands in a slot."""
        return bool(digest) and digest in self._holders

    def place(self, wanted: Sequence[str]) -> list[Placement]:
        """A slot for each of the wanted digests, each named once; none of them displaces another one of them.

        Nothing is held yet: call `empty` before a fresh one is copied and `hold` after. Raises ValueError if there
        are more adapters than slots.
        """
        digests = list(dict.fromkeys(digest for digest in wanted if digest))
        if len(digests) > len(self._holders):
            raise ValueError(f"{len(digests)} adapters do not fit into {len(self._holders)} slots")
        kept = {digest: self._holders.index(digest) for digest in digests if digest in self._holders}
        free = sorted(set(range(len(self._holders))) - set(kept.values()), key=self._age)
        placements = []
        for digest in digests:
            slot = kept[digest] if digest in kept else free.pop(0)
            placements.append(Placement(slot, digest, fresh=digest not in kept))
        self._clock += 1
        for placement in placements:
            self._used[placement.slot] = self._clock
        return placements

    def _age(self, slot: int) -> tuple[bool, int]:
        """Empty slots first, then the oldest."""
        return bool(self._holders[slot]), self._used[slot]

    def empty(self, slot: int) -> None:
        """Nobody's adapter stands there any more."""
        self._holders[slot] = ""

    def hold(self, slot: int, digest: str) -> None:
        """The adapter has been copied."""
        self._holders[slot] = digest

    def slots_of(self, digests: Sequence[str]) -> list[int]:
        """The slots that hold any of these."""
        return [slot for slot, holder in enumerate(self._holders) if holder and holder in digests]
