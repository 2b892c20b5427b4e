"""Errors and answers of the Kubernetes API, as every program meets them: by status, and in whose words."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from kubernetes import client
from kubernetes.aio import client as aio_client

from profile_contract.resource import Key
from profile_runtime.kubernetes import errors
from profile_runtime.kubernetes.aio import AsyncApi, connect, decoded, without_proxy
from profile_runtime.kubernetes.errors import ApiError, ApiUnavailable, Forbidden, refusal
from profile_runtime.kubernetes.resources import Document, request_path, requests_path
from profile_runtime.kubernetes.sync import Api

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
    assert (error.status, str(error)) == (
        0,
        "the API server cannot be reached: nothing listens there (connection refused)",
    )


def test_paths_of_requests() -> None:
    assert requests_path() == "/apis/profilestudio.io/v1alpha1/profilerequests"
    assert request_path(Key("hr", "minji")) == "/apis/profilestudio.io/v1alpha1/namespaces/hr/profilerequests/minji"


# --- over HTTP -----------------------------------------------------------------------------------------------------


@contextmanager
def answering(code: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    """A server that answers every call so: its address, and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def api(address: str) -> Api:
    return Api(client.ApiClient(client.Configuration(host=address)), seconds=5, manager="tester")


def test_a_write_names_who_manages_its_fields_and_a_read_does_not() -> None:
    with answering(200, b'{"kind": "Status"}') as (address, asked):
        assert api(address).call("GET", "/a") == {"kind": "Status"}
        api(address).call("PATCH", "/a", {"b": 1}, [("force", "true")])
        api(address).call("DELETE", "/a")
    assert asked == ["GET /a", "PATCH /a?force=true&fieldManager=tester", "DELETE /a"]


def test_an_answer_without_a_body_is_an_empty_object() -> None:
    with answering(200, b"") as (address, _):
        assert api(address).call("DELETE", "/a") == {}


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b"[]"])
def test_a_proxys_own_page_is_an_error_and_no_surprise(body: bytes) -> None:
    with answering(200, body) as (address, _), pytest.raises(ApiError, match="no JSON"):
        api(address).call("GET", "/a")


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """One that leads to an address where nothing listens."""
    file = tmp_path / "kubeconfig"
    file.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "a",
                "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
                "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "a", "user": {"token": "t"}}],
            }
        )
    )
    return file


async def test_outside_a_cluster_kubeconfig_leads_to_it(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    connected = AsyncApi(await connect(), seconds=5)
    with pytest.raises(ApiUnavailable, match="cannot be reached") as away:
        await connected.call("GET", "/a")
    assert away.value.status == 0
    await connected.close()


async def test_without_any_cluster_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ApiError, match="no cluster is configured"):
        await connect()


async def test_in_a_cluster_no_proxy_of_the_environment_stands_before_the_api_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The library's own session would take the environment's."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with answering(200, b'{"kind": "Status"}') as (address, _):
        asking = AsyncApi(aio_client.ApiClient(without_proxy(aio_client.Configuration(host=address))), seconds=5)
        assert await asking.call("GET", "/a") == {"kind": "Status"}
        await asking.close()
