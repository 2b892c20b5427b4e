"""What the page cannot do for a visitor: a code, which the browser says in the visitor's language. Pure."""

from __future__ import annotations

from enum import StrEnum

NOT_FOUND = 404


class Code(StrEnum):
    """Every problem that the page tells; `error.<code>` in static/texts says each in words."""

    # who visits
    NOT_SIGNED_IN = "not-signed-in"
    DOUBLED_IDENTITY = "doubled-identity"
    UNREADABLE_IDENTITY = "unreadable-identity"
    NO_NAMESPACE = "no-namespace"
    NOT_FROM_PAGE = "not-from-page"
    WRONG_HOST = "wrong-host"
    # what is asked for
    INVALID = "invalid"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    NO_SUCH_PAGE = "no-such-page"
    REQUEST_NOT_FOUND = "request-not-found"
    PHOTO_NOT_FOUND = "photo-not-found"
    NO_PORTRAITS = "no-portraits"
    NO_PHOTOS = "no-photos"
    NOT_AT_REST = "not-at-rest"
    NAME_TAKEN = "name-taken"
    NOT_A_PHOTO = "not-a-photo"
    PHOTO_TOO_LARGE = "photo-too-large"
    # how much of it
    TOO_MANY_PHOTOS = "too-many-photos"
    TOO_MANY_CHANGES = "too-many-changes"
    TOO_MANY_DRAFTS = "too-many-drafts"
    TOO_MANY_BYTES = "too-many-bytes"
    TOO_MANY_ACTIVE = "too-many-active"
    TOO_MANY_REQUESTS = "too-many-requests"
    TOO_MANY_STREAMS = "too-many-streams"
    QUOTA = "quota"
    # what the visitor cannot help
    CLUSTER_REFUSED = "cluster-refused"
    CLUSTER_AWAY = "cluster-away"
    STORE_AWAY = "store-away"
    INTERNAL = "internal"


STATUS: dict[Code, int] = {
    Code.NOT_SIGNED_IN: 401,
    Code.DOUBLED_IDENTITY: 400,
    Code.UNREADABLE_IDENTITY: 400,
    Code.NO_NAMESPACE: 403,
    Code.NOT_FROM_PAGE: 403,
    Code.WRONG_HOST: 421,
    Code.INVALID: 422,
    Code.TOO_LARGE: 413,
    Code.TOO_SLOW: 408,
    Code.NO_SUCH_PAGE: NOT_FOUND,
    Code.REQUEST_NOT_FOUND: NOT_FOUND,
    Code.PHOTO_NOT_FOUND: NOT_FOUND,
    Code.NO_PORTRAITS: NOT_FOUND,
    Code.NO_PHOTOS: 422,
    Code.NOT_AT_REST: 409,
    Code.NAME_TAKEN: 409,
    Code.NOT_A_PHOTO: 422,
    Code.PHOTO_TOO_LARGE: 422,
    Code.TOO_MANY_PHOTOS: 422,
    Code.TOO_MANY_CHANGES: 429,
    Code.TOO_MANY_DRAFTS: 429,
    Code.TOO_MANY_BYTES: 429,
    Code.TOO_MANY_ACTIVE: 429,
    Code.TOO_MANY_REQUESTS: 429,
    Code.TOO_MANY_STREAMS: 429,
    Code.QUOTA: 429,
    Code.CLUSTER_REFUSED: 502,
    Code.CLUSTER_AWAY: 503,
    Code.STORE_AWAY: 503,
    Code.INTERNAL: 500,
}


class Problem(Exception):
    """Told to the visitor. `values` are figures and names that the visitor sent or may know, for the text's places."""

    def __init__(self, code: Code, **values: str | int) -> None:
        super().__init__(f"{code.value} {values}" if values else code.value)
        self.code, self.values = code, values

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]
