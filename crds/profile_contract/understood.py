"""understood: of a document that another version wrote, all that this version can read."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from .model import Contract

ModelT = TypeVar("ModelT", bound=Contract)

# Each round leaves out at least one thing; what is not read after so many is written by a stranger.
MOST_ROUNDS = 100


def understood(kind: type[ModelT], document: Any) -> tuple[ModelT, bool]:
    """The document without what cannot be read of it, and whether all of it was read.

    What is left out is the smallest part that is wrong: an entry of a map, an item of a list, a field. `kind` must
    have a default for each of its fields.
    """
    if not isinstance(document, Mapping):
        return kind(), False
    rest = dict(document)
    for attempt in range(MOST_ROUNDS):
        try:
            return kind.model_validate(rest), attempt == 0
        except ValidationError as error:
            if attempt == 0:
                # Almost every document is read as it is; only of others things are taken away.
                rest = copy.deepcopy(rest)
            faults = list(filter(None, dict.fromkeys(_fault(rest, problem["loc"]) for problem in error.errors())))
            faults.reverse()
            # Deepest first, and from the end: an item that goes must not move what is still to go.
            for *path, last in sorted(faults, key=lambda path: -len(path)):
                del _at(rest, path)[last]
    return kind(), False


def _fault(document: dict[str, Any], place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The path of what is to go: what stands at the place, or what a missing field or a wrong key belongs to."""
    path: tuple[int | str, ...] = ()
    for step in place:
        holder = _at(document, path)
        stands = isinstance(step, int) if isinstance(holder, list) else isinstance(holder, dict) and step in holder
        if not stands:
            break
        path = (*path, step)
    return path


def _at(document: Any, path: Iterable[int | str]) -> Any:
    """What stands at a path."""
    for step in path:
        document = document[step]
    return document
