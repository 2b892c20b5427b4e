"""A request as everybody reads it: its key, its head, its spec, and what becomes of what it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from . import GROUP
from .conditions import ABANDON_ANNOTATION, RETRY_ANNOTATION, ConditionType
from .kubernetes import LONGEST_INSTALLATION
from .problems import problems_of
from .request import DeletionPolicy, ProfileRequestSpec
from .request_status import ProfileRequestStatus
from .understood import understood

FINALIZER = f"{GROUP}/purge"
RETRY_LENGTH = 64
# How its owner calls a request; the page sets it.
TITLE_ANNOTATION = f"{GROUP}/title"
TITLE_LENGTH = 100

# The installation that is to serve a request, where it is not the one that status.installation names.
INSTALLATION_ANNOTATION = f"{GROUP}/installation"

# As they stand in paths of the API.
REQUESTS = "profilerequests"
CLUSTER_STYLES = "clusterprofilestyles"
STYLES = "profilestyles"
CLUSTER_LOOKS = "clusterstyleadapters"
LOOKS = "styleadapters"


@dataclass(frozen=True, order=True)
class Key:
    """Which request."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class RequestHead:
    """A request without its spec: what can be read, and told of it, even where the spec cannot be understood."""

    key: Key
    uid: str
    generation: int
    resource_version: str
    deleting: bool
    finalizers: tuple[str, ...]
    retry: str
    status: ProfileRequestStatus
    deleted: datetime | None = None
    # The status as it stands, where a part of it could not be read: then every field of it is written anew.
    unread_status: Mapping[str, Any] | None = None
    title: str = ""
    # When it was created, in seconds since 1970; 0 where that is not known.
    created: float = 0.0
    # What a person hands it to.
    handed_to: str = ""
    deletion_policy: DeletionPolicy = DeletionPolicy.DELETE
    # What spec.photos.prefix says, where the photos go with the request; else empty.
    photos_to_delete: str = ""
    # A person lets it go, whatever of it may stay behind.
    abandoned: bool = False

    @property
    def finalized(self) -> bool:
        """Whether our finalizer holds it."""
        return FINALIZER in self.finalizers

    @property
    def ready(self) -> bool:
        """Whether it was told to be ready, as its spec stands now."""
        ready = any(c.type == ConditionType.READY and c.status == "True" for c in self.status.conditions)
        return ready and self.status.observed_generation == self.generation

    @property
    def retrying(self) -> bool:
        """Whether a person asked to try again and this was not yet answered."""
        status = self.status
        return status.photos is not None and bool(self.retry) and status.last_handled_retry != self.retry


class SpecError(ValueError):
    """The spec is not what this version understands; the message names the field."""


def parse_head(document: Mapping[str, Any]) -> RequestHead:
    """The head of a ProfileRequest as the API server gives it; never refused, whatever its spec and status say."""
    metadata, annotations = document["metadata"], document["metadata"].get("annotations") or {}
    # What another version wrote and this one cannot read is made anew from what is true; the rest of it stands.
    status, whole = understood(ProfileRequestStatus, document.get("status") or {})
    deleted = metadata.get("deletionTimestamp")
    return RequestHead(
        key=Key(metadata["namespace"], metadata["name"]),
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        resource_version=metadata["resourceVersion"],
        deleting=deleted is not None,
        created=_moment(metadata.get("creationTimestamp")),
        deleted=datetime.fromisoformat(deleted) if deleted else None,
        finalizers=tuple(metadata.get("finalizers", ())),
        retry=annotations.get(RETRY_ANNOTATION, "")[:RETRY_LENGTH],
        status=status,
        unread_status=None if whole else document["status"],
        title=one_line(annotations.get(TITLE_ANNOTATION, ""))[:TITLE_LENGTH],
        handed_to=one_line(annotations.get(INSTALLATION_ANNOTATION, ""))[:LONGEST_INSTALLATION],
        deletion_policy=deletion_policy_of(document.get("spec") or {}),
        photos_to_delete=photos_to_delete(document.get("spec") or {}),
        abandoned=annotations.get(ABANDON_ANNOTATION) == "true",
    )


def _moment(text: str | None) -> float:
    """A time in seconds since 1970; 0 where there is none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def status_of(document: Mapping[str, Any]) -> ProfileRequestStatus:
    """The status of a ProfileRequest as the API server gives it: of one that another version wrote, what this one
    can read."""
    return understood(ProfileRequestStatus, document.get("status") or {})[0]


def parse_spec(document: Mapping[str, Any]) -> ProfileRequestSpec:
    """What stands under `spec` of a ProfileRequest. Raises SpecError naming the field.

    What the API server accepted is read tolerantly: a field that this version does not know is left alone.
    """
    try:
        return ProfileRequestSpec.model_validate(document, extra="ignore")
    except ValidationError as error:
        raise SpecError(problems_of(error, most=3, below="spec.")) from None


def deletion_policy_of(spec: Mapping[str, Any]) -> DeletionPolicy:
    """What becomes of what a request made, by what stands under its `spec`, even where nobody understands the rest."""
    retained = spec.get("deletionPolicy") == DeletionPolicy.RETAIN
    return DeletionPolicy.RETAIN if retained else DeletionPolicy.DELETE


def photos_to_delete(spec: Mapping[str, Any]) -> str:
    """The prefix of the photos that go with a request, by what stands under its `spec`; empty where they stay."""
    photos = spec.get("photos")
    if not isinstance(photos, Mapping) or photos.get("deletionPolicy") != DeletionPolicy.DELETE:
        return ""
    prefix = photos.get("prefix")
    return prefix if isinstance(prefix, str) else ""


def one_line(text: str) -> str:
    """A text that anybody may have written, on one line and of letters that are seen."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
