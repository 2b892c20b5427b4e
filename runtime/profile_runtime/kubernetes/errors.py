"""Errors of the Kubernetes API: one class for each thing that a program may do about a refusal.

Every one holds what the API server said, for the sentence that the program tells people.
"""

from __future__ import annotations

import json

from profile_runtime.network import network_trouble

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, GONE = 401, 403, 404, 409, 410
INVALID, TOO_MANY, SERVER_ERROR = 422, 429, 500
# Of what the API server says, so much stands in the error's own text.
TEXT_LENGTH = 300


class ApiError(Exception):
    """The API server could not be reached, or refused.

    Its text is short and holds no body. `status` is the HTTP status, 0 where there was no answer that could be read;
    `message` what the API server said, or the HTTP reason where it said nothing that can be read.
    """

    def __init__(self, text: str, status: int = 0, message: str = "") -> None:
        super().__init__(text)
        self.status, self.message = status, message


class ResourceNotFound(ApiError):
    """404: there is no such object, or its kind is not known."""


class ResourceConflict(ApiError):
    """409: it exists already, or something was changed since it was read (a quota's usage, too)."""


class Forbidden(ApiError):
    """403: the account may not do this, or a quota is used up."""

    @property
    def exceeds_quota(self) -> bool:
        """Whether a quota is used up."""
        return "exceeded quota" in self.message

    @property
    def namespace_ends(self) -> bool:
        """Whether nothing may be created any more, since the namespace is going."""
        return "is being terminated" in self.message


class ResourceInvalid(ApiError):
    """422: the object is none of its kind, or a patch's test failed."""


class ResourceExpired(ApiError):
    """410: the API server no longer knows what happened since a version, or the rest of a list."""


class ApiUnavailable(ApiError):
    """No answer, or 429 and 5xx: the same call may succeed later."""


_BY_STATUS: dict[int, type[ApiError]] = {
    FORBIDDEN: Forbidden,
    NOT_FOUND: ResourceNotFound,
    CONFLICT: ResourceConflict,
    GONE: ResourceExpired,
    INVALID: ResourceInvalid,
    TOO_MANY: ApiUnavailable,
}


def refusal(status: int, body: bytes, reason: str = "") -> ApiError:
    """The error for an answer of the API server. `body`: a Status object, or whatever somebody between answered."""
    said = _message(body)
    kind = ApiUnavailable if status >= SERVER_ERROR else _BY_STATUS.get(status, ApiError)
    return kind(f"the API server answered {status}{': ' + said[:TEXT_LENGTH] if said else ''}", status, said or reason)


def unreachable(error: BaseException) -> ApiUnavailable:
    """The error for an API server that does not answer, to be raised from `error`."""
    return ApiUnavailable(f"the API server cannot be reached: {network_trouble(error)}")


def _message(body: bytes) -> str:
    """What a Status object says; empty for what is none."""
    try:
        return str(json.loads(body).get("message", ""))
    except (ValueError, AttributeError, RecursionError):
        return ""
