"""StyleRef: which style a request asks for, the whole cluster's or its own namespace's, and the key of what it drew."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, model_validator

from .model import Contract

Name = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]

# Before the name of a namespace's own style in keys: no name of Kubernetes has an underscore, so that none collides.
OWN = "team_"
# A style's key: in digests, in the artifacts' folders, in reports, in names of files.
KEY_PATTERN = rf"^({OWN})?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
KEY_LENGTH = len(OWN) + 63
StyleKey = Annotated[str, Field(min_length=1, max_length=KEY_LENGTH, pattern=KEY_PATTERN)]


class StyleKind(StrEnum):
    """Whose a style is: the platform's, for every namespace, or a namespace's own."""

    CLUSTER = "ClusterProfileStyle"
    OWN = "ProfileStyle"


# What people write before the slash, as kubectl takes it: kinds, plurals and short names.
_KINDS = {
    "clusterprofilestyle": StyleKind.CLUSTER,
    "clusterprofilestyles": StyleKind.CLUSTER,
    "cpstyle": StyleKind.CLUSTER,
    "profilestyle": StyleKind.OWN,
    "profilestyles": StyleKind.OWN,
    "pstyle": StyleKind.OWN,
}


class StyleRef(Contract):
    """A style that a request asks for."""

    name: Name = Field(description="Name of the style.")
    kind: StyleKind = Field(
        default=StyleKind.CLUSTER,
        description="ClusterProfileStyle: one that the platform offers to every namespace. ProfileStyle: one of the "
        "request's own namespace.",
    )
    refresh: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Raise it to have this style drawn anew, with its content as it stands then.",
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """A request that was stored when styles were names alone is still served."""
        return {"name": value} if isinstance(value, str) else value

    @property
    def key(self) -> str:
        """What tells it apart from every other style of a request; a cluster's style goes by its name alone."""
        return self.name if self.kind is StyleKind.CLUSTER else OWN + self.name

    @property
    def shown(self) -> str:
        """As people write and read it: `studio-warm`, or `pstyle/company-blue`."""
        return self.name if self.kind is StyleKind.CLUSTER else f"pstyle/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @classmethod
    def of_key(cls, key: str) -> StyleRef:
        """The style of a key. Raises pydantic's ValidationError for what is no key."""
        if key.startswith(OWN):
            return cls(name=key.removeprefix(OWN), kind=StyleKind.OWN)
        return cls(name=key)

    @classmethod
    def parse(cls, text: str) -> StyleRef:
        """What a person wrote: a name, or KIND/NAME as kubectl takes it. Raises ValueError."""
        kind, slash, name = text.rpartition("/")
        if slash and kind.casefold() not in _KINDS:
            raise ValueError(f"{text!r}: before the slash stands {StyleKind.OWN} or {StyleKind.CLUSTER}")
        return cls(name=name, kind=_KINDS[kind.casefold()] if slash else StyleKind.CLUSTER)


def ref_of(document: Mapping[str, Any]) -> StyleRef:
    """The style that a document of the API server holds. An object of a list need not tell its kind: its namespace
    does."""
    metadata = document["metadata"]
    return StyleRef(name=metadata["name"], kind=StyleKind.OWN if metadata.get("namespace") else StyleKind.CLUSTER)


def keys_of(styles: Iterable[object]) -> list[str]:
    """The keys of what stands under `spec.styles`, whatever version wrote it; what is no style is left out."""
    return [ref.key for style in styles if (ref := _read(style)) is not None]


def _read(style: object) -> StyleRef | None:
    try:
        return StyleRef.model_validate(style, extra="ignore")
    except ValueError:
        return None


def is_key(text: str) -> bool:
    """Whether a text may be a style's key."""
    return len(text) <= KEY_LENGTH and re.fullmatch(KEY_PATTERN[1:-1], text) is not None
