"""Spans, and where each stands in the trace of a request. Pure.

Places are derived, so that whoever tells of a part needs no memory, and tells it at the same place again. One trace
is one generation of a request's spec: from when it was not ready until it is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import StringConstraints

# W3C's Trace Context, level 1: version, trace, parent, flags. A trace or a parent of zeros alone is none.
_PARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
TraceParent = Annotated[str, StringConstraints(pattern=r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]


@dataclass(frozen=True)
class SpanPlace:
    """A span's place. `trace`: 128 bits, `span`: 64 bits, neither zero."""

    trace: int
    span: int

    @classmethod
    def of_request(cls, uid: str, generation: int) -> SpanPlace:
        """The whole of one generation of a request."""
        return cls(_number(16, uid, generation), _number(8, uid, generation, "request"))

    @classmethod
    def parse(cls, parent: str) -> SpanPlace | None:
        """The place that a `traceparent` names; None where it names none."""
        named = _PARENT.fullmatch(parent)
        return cls(int(named[1], 16), int(named[2], 16)) if named else None

    def part(self, *words: str) -> SpanPlace:
        """The place of a part, told apart from its siblings by these words."""
        return SpanPlace(self.trace, _number(8, f"{self.span:016x}", *words))

    @property
    def traceparent(self) -> str:
        """As the header of W3C's Trace Context says it; always sampled."""
        return f"00-{self.trace:032x}-{self.span:016x}-01"


@dataclass(frozen=True)
class Span:
    """Something that is over. `start`, `end`: seconds since 1970; `error`: why it went wrong; empty: it did not."""

    name: str
    place: SpanPlace
    parent: SpanPlace | None
    start: float
    end: float
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    error: str = ""


def _number(size: int, *words: object) -> int:
    """So many bytes that these words always give."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return int.from_bytes(digest[:size], "big") or 1
