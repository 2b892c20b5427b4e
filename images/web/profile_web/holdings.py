"""What one visitor has in the store and may still send there, and whether more is too much. Pure but for its memory.

A form that was given may be used at any time until it ends, so it counts as if its photo were there already: photos
that arrived and forms that live are counted together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from profile_runtime.store.port import StoredObject

from .config import VisitorLimits
from .problems import Code, Problem
from .visitor import Visitor
from .wishes import PhotoWish

# So often all photos of a draft may be taken away and sent anew while the forms for the first of them live.
EXCHANGES = 2


@dataclass(frozen=True)
class Form:
    """A form that was given: what it may send, and when it ends (seconds, by the clock that gave it). `retired`: its
    photo was taken away since, but it can still bring it back."""

    bytes: int
    ends: float
    retired: bool = False


class Forms:
    """The forms that this process gave and that have not ended: visitor -> draft -> name -> form."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], dict[str, dict[str, Form]]] = {}

    def living(self, visitor: Visitor, now: float) -> dict[str, dict[str, Form]]:
        """Draft -> name -> form; those that ended are forgotten."""
        key = (visitor.namespace, visitor.owner)
        drafts = {
            draft: {name: form for name, form in forms.items() if form.ends > now}
            for draft, forms in self._given.pop(key, {}).items()
        }
        drafts = {draft: forms for draft, forms in drafts.items() if forms}
        if drafts:
            self._given[key] = drafts
        return drafts

    def give(self, visitor: Visitor, draft: str, name: str, form: Form) -> None:
        """Remember a form."""
        self._given.setdefault((visitor.namespace, visitor.owner), {}).setdefault(draft, {})[name] = form

    def retire(self, visitor: Visitor, draft: str, name: str | None = None) -> None:
        """A photo, or a whole draft, was taken away."""
        forms = self._given.get((visitor.namespace, visitor.owner), {}).get(draft, {})
        for known, form in forms.items():
            if name is None or known == name:
                forms[known] = replace(form, retired=True)


@dataclass(frozen=True)
class Holding:
    """What arrived (draft -> name -> bytes) and what may still come (draft -> name -> form)."""

    arrived: Mapping[str, Mapping[str, int]]
    living: Mapping[str, Mapping[str, Form]]

    def names(self, draft: str) -> set[str]:
        """Names that no other photo of this draft may get: with the same name it would replace the other."""
        return {*self.arrived.get(draft, {}), *self.living.get(draft, {})}

    def photos(self, draft: str, refused: Iterable[str] = ()) -> int:
        """How many photos a draft has or may get; those that preprocessing refused are not counted."""
        coming = {name for name, form in self.living.get(draft, {}).items() if not form.retired}
        return len(({*self.arrived.get(draft, {})} | coming) - set(refused))

    def retired(self, draft: str) -> int:
        """How many forms of photos that were taken away live on."""
        return sum(form.retired for form in self.living.get(draft, {}).values())

    @property
    def bytes(self) -> int:
        """Of all photos that are there or may come."""
        there = sum(sum(photos.values()) for photos in self.arrived.values())
        coming = (
            form.bytes
            for draft, forms in self.living.items()
            for name, form in forms.items()
            if name not in self.arrived.get(draft, {})
        )
        return there + sum(coming)

    @property
    def drafts(self) -> set[str]:
        """Drafts and requests that have photos or may get some."""
        return {*self.arrived, *self.living}


def arrived(objects: Iterable[StoredObject], base: str) -> dict[str, dict[str, int]]:
    """Objects below a visitor's own folder as draft -> name -> bytes."""
    drafts: dict[str, dict[str, int]] = {}
    for photo in objects:
        draft, _, name = photo.key.removeprefix(base).partition("/")
        if draft and name:
            drafts.setdefault(draft, {})[name] = photo.bytes
    return drafts


def check_photos(
    holding: Holding, draft: str, photos: Iterable[PhotoWish], limits: VisitorLimits, refused: Iterable[str] = ()
) -> None:
    """Whether these photos may be sent too. Raises Problem. How many drafts there are is another question."""
    wished = list(photos)
    if any(photo.bytes > limits.photo_bytes for photo in wished):
        raise Problem(Code.PHOTO_TOO_LARGE, megabytes=limits.photo_bytes // 1_000_000)
    if holding.photos(draft, refused) + len(wished) > limits.most_photos:
        raise Problem(Code.TOO_MANY_PHOTOS, most=limits.most_photos)
    if holding.retired(draft) + len(wished) > EXCHANGES * limits.most_photos:
        raise Problem(Code.TOO_MANY_CHANGES)
    if holding.bytes + sum(photo.bytes for photo in wished) > limits.visitor_bytes:
        raise Problem(Code.TOO_MANY_BYTES)


def check_drafts(holding: Holding, draft: str, requests: Iterable[str], limits: VisitorLimits) -> None:
    """Whether this draft may be one more. Raises Problem. `requests`: the visitor's, by name."""
    drafts = (holding.drafts | {draft}) - set(requests)
    if len(drafts) > limits.drafts:
        raise Problem(Code.TOO_MANY_DRAFTS, most=limits.drafts)


def check_requests(states: Iterable[str], limits: VisitorLimits) -> None:
    """Whether one more request may be made beside those in these states. Raises Problem."""
    known = list(states)
    if len(known) >= limits.requests:
        raise Problem(Code.TOO_MANY_REQUESTS, most=limits.requests)
    check_active(known, limits)


def check_active(states: Iterable[str], limits: VisitorLimits) -> None:
    """Whether one more request may be worked on beside those in these states. Raises Problem."""
    if sum(state in ("Waiting", "Running") for state in states) >= limits.active_requests:
        raise Problem(Code.TOO_MANY_ACTIVE, most=limits.active_requests)
