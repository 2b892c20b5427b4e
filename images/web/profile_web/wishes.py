"""What a visitor asks for, and the ProfileRequest that it becomes. Pure."""

from __future__ import annotations

import re
import secrets
from typing import Annotated, Any, Literal

from pydantic import Field

from profile_contract import GROUP, VERSION
from profile_contract.model import Contract
from profile_contract.names import LayoutName
from profile_contract.request import Name, Photos, ProfileRequestSpec, Subject

from .config import Defaults
from .visitor import OWNER_LABEL, Visitor

TITLE_ANNOTATION = "profilestudio.io/title"
# The endings that preprocessing reads, by the content types that browsers give them.
PHOTO_TYPES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}
DRAFT = re.compile(r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$")
_UNSAFE = re.compile(r"[^\w-]+")
NAME_LENGTH = 80

Draft = Annotated[str, Field(pattern=DRAFT.pattern)]


class PhotoWish(Contract):
    """A photo that is to be sent."""

    name: str = Field(min_length=1, max_length=255)
    type: Literal["image/jpeg", "image/png", "image/webp"]
    bytes: int = Field(ge=1)


class UploadWish(Contract):
    """Photos that are to be sent for a request that may not exist yet."""

    draft: Draft
    photos: list[PhotoWish] = Field(min_length=1, max_length=40)


class Wish(Contract):
    """A new request."""

    draft: Draft
    title: str = Field(default="", max_length=60)
    noun: Literal["person", "woman", "man"] = "person"
    styles: list[Name] = Field(min_length=1, max_length=8)
    layouts: list[LayoutName] = Field(default=[LayoutName.SQUARE], min_length=1, max_length=8)
    portraits: int = Field(default=4, ge=1, le=16)


def new_draft() -> str:
    """A name for a request, not to be guessed."""
    return f"p-{secrets.token_hex(6)}"


def photos_prefix(visitor: Visitor, draft: str) -> str:
    """Where a request's photos lie, relative to the namespace's area."""
    return f"uploads/{visitor.owner}/{draft}/"


def photo_name(wish: PhotoWish, taken: set[str]) -> str:
    """A key's last part: the file's own name without what a key must not hold, and the ending of its type."""
    base = wish.name.rpartition("/")[2]
    stem = _UNSAFE.sub("-", base.rpartition(".")[0] or base).strip("-") or "photo"
    stem, ending = stem[:NAME_LENGTH], PHOTO_TYPES[wish.type]
    name, number = f"{stem}{ending}", 2
    while name in taken:
        name, number = f"{stem}-{number}{ending}", number + 1
    return name


def manifest(wish: Wish, visitor: Visitor, defaults: Defaults) -> dict[str, Any]:
    """The ProfileRequest."""
    spec = ProfileRequestSpec(
        subject=Subject(noun=wish.noun),
        photos=Photos(prefix=photos_prefix(visitor, wish.draft)),
        styles=wish.styles,
        layouts=wish.layouts,
        portraits=wish.portraits,
        candidates=min(32, 2 * wish.portraits),
        **{name: value for name, value in defaults if value is not None},
    )
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "ProfileRequest",
        "metadata": {
            "name": wish.draft,
            "namespace": visitor.namespace,
            "labels": {OWNER_LABEL: visitor.owner},
            "annotations": {TITLE_ANNOTATION: wish.title.strip()},
        },
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    }
