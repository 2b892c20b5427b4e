"""Where the engine gets what an order grants: over HTTP in the server, from a folder in the folder runner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Fetched:
    """A file. `stamp` names this file in this version (such as its address and ETag), never only its content."""

    content: bytes
    stamp: str


class Files(Protocol):
    """Resolves the `url` of grants. Called from worker threads."""

    def read(self, url: str, limit: int) -> Fetched:
        """The file, at most `limit` bytes.

        Raises Refused (wrong host, too large), Denied (not granted, not there), Expired or Unavailable.
        """

    def stamp(self, url: str) -> str:
        """Check that the grant still holds, without reading the file; gives what `read` would give as its stamp.

        Raises as `read` does.
        """
