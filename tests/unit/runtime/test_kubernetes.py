"""Errors and answers of the Kubernetes API, as every program meets them: by status, and in whose words."""

from __future__ import annotations

import json

import pytest

from profile_contract.resource import Key
from profile_runtime.kubernetes import errors
from profile_runtime.kubernetes.aio import decoded
from profile_runtime.kubernetes.errors import ApiError, ApiUnavailable, Forbidden, refusal
from profile_runtime.kubernetes.resources import Document, request_path, requests_path

BETWEEN = [b"<html>a proxy</html>", b"[" * 100_000, b"null", b"[]", b"\xff\xfe", b'{"items": [', b'{"a": "\xff"}']


def status(code: int, message: str) -> bytes:
    return json.dumps({"kind": "Status", "code": code, "message": message}).encode()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, "ApiError"),
        (401, "ApiError"),
        (403, "Forbidden"),
        (404, "ResourceNotFound"),
        (409, "ResourceConflict"),
        (422, "ResourceInvalid"),
        (429, "ApiUnavailable"),
        (500, "ApiUnavailable"),
        (503, "ApiUnavailable"),
    ],
)
def test_each_status_is_one_kind_of_error(code: int, kind: str) -> None:
    error = refusal(code, status(code, "why"), "Reason")
    assert type(error) is getattr(errors, kind)
    assert (error.status, error.message, str(error)) == (code, "why", f"the API server answered {code}: why")


def test_a_long_message_is_kept_whole_beside_a_short_text() -> None:
    error = refusal(422, status(422, "x" * 5000))
    assert error.message == "x" * 5000
    assert len(str(error)) < 400


def test_a_quota_is_told_from_a_right() -> None:
    used_up = refusal(403, status(403, "jobs.batch is forbidden: exceeded quota: team"))
    denied = refusal(403, status(403, "jobs.batch is forbidden: User cannot create"))
    assert isinstance(used_up, Forbidden)
    assert isinstance(denied, Forbidden)
    assert (used_up.exceeds_quota, denied.exceeds_quota) == (True, False)


@pytest.mark.parametrize("answer", BETWEEN)
def test_an_answer_of_somebody_between_is_a_failure_of_the_api_server(answer: bytes) -> None:
    with pytest.raises(ApiError, match="no JSON"):
        decoded(answer, Document)
    error = refusal(500, answer, "Internal Server Error")
    assert (str(error), error.message) == ("the API server answered 500", "Internal Server Error")


def test_no_answer_has_no_status() -> None:
    error = errors.unreachable(ConnectionRefusedError("10.0.0.9"))
    assert isinstance(error, ApiUnavailable)
    assert (error.status, str(error)) == (0, "the API server cannot be reached: ConnectionRefusedError")


def test_paths_of_requests() -> None:
    assert requests_path() == "/apis/profilestudio.io/v1alpha1/profilerequests"
    assert request_path(Key("hr", "minji")) == "/apis/profilestudio.io/v1alpha1/namespaces/hr/profilerequests/minji"
