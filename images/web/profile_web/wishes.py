"""What a visitor asks for, and the ProfileRequest that it becomes. Pure."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from profile_contract import photo_names
from profile_contract.layouts import LayoutName
from profile_contract.manifest import API_VERSION, REQUEST_KIND
from profile_contract.manifest import manifest as request_manifest
from profile_contract.model import Contract
from profile_contract.ownership import OWNER_LABEL, owned_photos
from profile_contract.request import (
    NAME_LENGTH,
    DeletionPolicy,
    PhotoName,
    Photos,
    ProfileRequestSpec,
    Subject,
    Training,
    TrainingMode,
)
from profile_contract.resource import TITLE_ANNOTATION
from profile_contract.style import ProfileStyleSpec
from profile_contract.style_ref import StyleKey, StyleRef, ref_of

from .config import Defaults
from .problems import Code, Problem
from .visitor import Visitor

DEFAULT_PORTRAITS = int(ProfileRequestSpec.model_fields["portraits"].default)
# What preprocessing reads, by the content types that browsers give it, with the endings that such files have.
PHOTO_TYPES: dict[str, tuple[str, ...]] = {
    "image/jpeg": (".jpg", ".jpeg"),
    "image/png": (".png",),
    "image/webp": (".webp",),
    "image/heic": (".heic",),
    "image/heif": (".heif", ".heic"),
    "image/avif": (".avif",),
}
DRAFT = re.compile(r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$")
MOST_CANDIDATES = 32
# Of a first picture: the likest of so many is shown.
PREVIEW_CANDIDATES = 2
PREVIEW_ENDING = "-preview"
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_QUOTES = str.maketrans({"'": "’", "`": "’"})

Draft = Annotated[str, Field(pattern=DRAFT.pattern)]


class PhotoWish(Contract):
    """A photo that is to be sent."""

    name: str = Field(min_length=1, max_length=255)
    type: Literal["image/jpeg", "image/png", "image/webp", "image/heic", "image/heif", "image/avif"]
    bytes: int = Field(ge=1)


class UploadWish(Contract):
    """Photos that are to be sent for a request that may not exist yet."""

    draft: Draft
    photos: list[PhotoWish] = Field(min_length=1, max_length=40)


class LookWish(Contract):
    """What portraits shall look like, and how many there shall be of each style. Styles go by their keys."""

    styles: list[StyleKey] = Field(min_length=1, max_length=8)
    layouts: list[LayoutName] = Field(default=[LayoutName.SQUARE], min_length=1, max_length=8)
    portraits: int = Field(default=4, ge=1, le=16)
    source: PhotoName | None = Field(default=None, description="The photo that is kept; None: the best one.")

    @property
    def candidates(self) -> int:
        """How many are drawn of each style, to choose from."""
        return min(MOST_CANDIDATES, 2 * self.portraits)


class Wish(LookWish):
    """A new request."""

    draft: Draft
    title: str = Field(default="", max_length=60)
    noun: Literal["person", "woman", "man"] = "person"


def new_draft() -> str:
    """A name for a request, not to be guessed."""
    return f"p-{secrets.token_hex(8)}"


def photo_name(wish: PhotoWish, taken: Iterable[str]) -> str:
    """A key's last part: the file's own name, with the ending of its type, unlike all that are there.

    Raises Problem for what is no photo's name, such as Thumbs.db.
    """
    # Links are signed for no key with a quote in it: "Minji's" is written as a printer would.
    name = photo_names.photo_name(wish.name.translate(_QUOTES))
    if name is None:
        raise Problem(Code.NOT_A_PHOTO)
    endings = PHOTO_TYPES[wish.type]
    if PurePosixPath(name).suffix.casefold() not in endings:
        # With its ending it may be longer than a name may be, so it is cut again.
        name = photo_names.photo_name(f"{name}{endings[0]}") or f"photo{endings[0]}"
    return photo_names.distinct([name], taken)[0]


def plain_title(title: str) -> str:
    """A title in one line, without what a terminal would obey: `kubectl` shows titles too."""
    plain = "".join(" " if _OBEYED.match(letter) else letter for letter in title)
    return " ".join(plain.split())


def manifest(wish: Wish, visitor: Visitor, defaults: Defaults) -> dict[str, Any]:
    """The ProfileRequest."""
    spec = ProfileRequestSpec(
        subject=Subject(noun=wish.noun),
        # The page uploaded them, so nobody else would take them away.
        photos=Photos(prefix=owned_photos(visitor.owner, wish.draft), deletion_policy=DeletionPolicy.DELETE),
        styles=[StyleRef.of_key(key) for key in wish.styles],
        layouts=wish.layouts,
        portraits=wish.portraits,
        candidates=wish.candidates,
        source=wish.source,
        **{name: value for name, value in defaults if value is not None},
    )
    labels, annotations = {OWNER_LABEL: visitor.owner}, {TITLE_ANNOTATION: plain_title(wish.title)}
    return request_manifest(spec, visitor.namespace, wish.draft, labels=labels, annotations=annotations)


def preview_name(name: str) -> str | None:
    """The name of the request that shows a first picture beside the one of this name; None where that is too long."""
    shown = f"{name}{PREVIEW_ENDING}"
    return shown if len(shown) <= NAME_LENGTH else None


def preview_manifest(wish: Wish, visitor: Visitor, style: StyleRef, request: dict[str, Any]) -> dict[str, Any] | None:
    """The ProfileRequest that trains nothing and draws one picture over a photo of a request that was made; None where
    its name would be too long.

    It goes with that request, and what it draws is shown whatever its likeness.
    """
    name = preview_name(wish.draft)
    if name is None:
        return None
    spec = ProfileRequestSpec(
        subject=Subject(noun=wish.noun),
        # Whose photos these are, the other request says.
        photos=Photos(prefix=owned_photos(visitor.owner, wish.draft)),
        styles=[style],
        source=wish.source,
        portraits=1,
        candidates=PREVIEW_CANDIDATES,
        training=Training(mode=TrainingMode.NONE),
        minimum_likeness=0,
    )
    document = request_manifest(spec, visitor.namespace, name, labels={OWNER_LABEL: visitor.owner})
    metadata = request["metadata"]
    owner = {"kind": REQUEST_KIND, "name": metadata["name"], "uid": metadata["uid"], "apiVersion": API_VERSION}
    document["metadata"]["ownerReferences"] = [owner]
    return document


def preview_style(offered: Iterable[dict[str, Any]], asked: Sequence[str]) -> StyleRef | None:
    """The style that a first picture is drawn in: one that keeps a photo, among those that were asked for, or else in
    the light of the first that was; None where none is offered."""
    styles: dict[str, ProfileStyleSpec] = {}
    for document in offered:
        with suppress(ValidationError):
            styles[ref_of(document).key] = ProfileStyleSpec.model_validate(document.get("spec") or {}, extra="ignore")
    over = [key for key, style in styles.items() if style.drawn_over]
    tone = next((styles[key].tone for key in asked if key in styles), None)
    ranked = sorted(over, key=lambda key: (key not in asked, styles[key].tone is not tone, key))
    return StyleRef.of_key(ranked[0]) if ranked else None


def look_patch(look: LookWish, spec: dict[str, Any]) -> dict[str, Any]:
    """What of a request's spec changes for another look. Neither person nor photos: nothing is learnt again."""
    # A style that was asked for before keeps what else is said of it.
    asked = {StyleRef.model_validate(style, extra="ignore").key: style for style in spec["styles"] if "name" in style}
    styles = [asked.get(key) or StyleRef.of_key(key).distinction() for key in look.styles]
    patch: dict[str, Any] = {"styles": styles, "layouts": [str(name) for name in look.layouts]}
    # A merge patch takes away what is null.
    patch |= {"source": look.source} if look.source != spec.get("source") else {}
    # Of another number of candidates every style would be drawn anew.
    if spec.get("portraits", DEFAULT_PORTRAITS) != look.portraits:
        patch |= {"portraits": look.portraits, "candidates": look.candidates}
    return patch
