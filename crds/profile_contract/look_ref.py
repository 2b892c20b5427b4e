"""LookRef: an adapter that a style draws with beside the person's, and LookFile: where the file of one lies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .areas import LONGEST_STORE_PREFIX, Area, namespace_of
from .keys import ForeignKey
from .model import Contract
from .style_ref import OWN, Name

# Beside the person's.
MOST_LOOKS = 3
LOOKS = "looks"
LONGEST_LOOK_PATH = 200
# In folders of small letters without a dot: no area of a namespace is one, whatever lies below it.
LOOK_PATH = rf"^{LOOKS}/([a-z0-9][-_a-z0-9]*/)*[A-Za-z0-9][-_.A-Za-z0-9]*[.]safetensors$"
_LOOK_PATH = re.compile(LOOK_PATH)
LookPath = Annotated[str, Field(max_length=LONGEST_LOOK_PATH, pattern=LOOK_PATH)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class LookKind(StrEnum):
    """Whose an adapter of a look is: the platform's, for every namespace, or a namespace's own."""

    CLUSTER = "ClusterStyleAdapter"
    OWN = "StyleAdapter"


class LookRef(Contract):
    """An adapter that a style draws with, at a weight."""

    name: Name = Field(description="Name of the adapter.")
    kind: LookKind = Field(
        default=LookKind.CLUSTER,
        description="ClusterStyleAdapter: one that the platform offers to every namespace. StyleAdapter: one of the "
        "style's own namespace.",
    )
    weight_percent: int = Field(
        default=60, ge=1, le=150, description="How much of it is drawn with; much of it costs likeness."
    )

    @property
    def key(self) -> str:
        """What tells it apart from every other one that a style of a namespace may name."""
        return self.name if self.kind is LookKind.CLUSTER else OWN + self.name

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class LookFile(Contract):
    """A look's file in the store: its whole key, and the digest of what it must hold."""

    key: str = Field(max_length=1024)
    sha256: Sha256


def looks_area(area: Area) -> str:
    """Where the looks of a namespace lie, for its requests alone. Raises ForeignKey for what is no area."""
    namespace_of(area)
    return f"{area}{LOOKS}/"


def shared_looks(store_prefix: str) -> str:
    """Where an installation's looks for every namespace lie."""
    return f"{store_prefix}{LOOKS}/"


def store_prefix_of(area: Area) -> str:
    """What stands before a namespace's own part of a key: the installation's prefix. Raises ForeignKey."""
    own = namespace_of(area)
    return area[: area.rindex(f"{own}.")]


def look_key(place: str, path: str) -> str:
    """The key of a look's file: `place` is an area, or an installation's prefix. Raises ForeignKey for another path."""
    if len(path) > LONGEST_LOOK_PATH or not _LOOK_PATH.fullmatch(path):
        raise ForeignKey(f"{path[:LONGEST_LOOK_PATH]!a} is no path of a look: looks/NAME.safetensors")
    return f"{place}{path}"


def look_place(area: Area, key: str) -> str:
    """The prefix below which a look lies that requests of an area may be drawn with: their namespace's looks, or the
    installation's. Raises ForeignKey for another namespace's, and for what is no look."""
    for place in (area, store_prefix_of(area)):
        if key.startswith(place) and _LOOK_PATH.fullmatch(key.removeprefix(place)):
            return f"{place}{LOOKS}/"
    raise ForeignKey(f"{key[: LONGEST_LOOK_PATH + LONGEST_STORE_PREFIX]!a} is no look of this namespace")


def looks_of(adapters: Sequence[LookRef] | None, files: Mapping[str, LookFile]) -> tuple[LookFile, ...] | None:
    """The files of a style's adapters, in its order; None where one of them is not there or not ready."""
    wanted = [files.get(ref.key) for ref in adapters or ()]
    ready = tuple(file for file in wanted if file is not None)
    return ready if len(ready) == len(wanted) else None
