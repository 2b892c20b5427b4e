"""What every call to the page passes: host, origin, sign-in, body; and what every answer says to browsers."""

from __future__ import annotations

import json
import logging
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from page_world import AREA, KEYS, MINJI, NAMESPACE, PAGE, STORE, World, as_, world
from profile_runtime.configuration import ConfigError
from profile_web import door
from profile_web.config import Namespaces, SignIn, WebConfig, read_keys
from profile_web.problems import Code

LOCAL = WebConfig(
    sign_in=SignIn(mode="Local", user="you", hosts=["demo.internal"]),
    namespaces=Namespaces(default=NAMESPACE),
    store=STORE,
)


CHANGES = [
    ("POST", "/api/uploads"),
    ("POST", "/api/requests"),
    ("POST", "/api/requests/p-1/look-again"),
    ("DELETE", "/api/requests/p-1"),
    ("DELETE", "/api/uploads/p-1/0.jpg"),
    ("PUT", "/api/session"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_nothing_is_changed_that_the_pages_own_script_did_not_ask_for(page: World, method: str, path: str) -> None:
    page.made()
    headers = {name: value for name, value in as_(MINJI).items() if name not in PAGE}
    answer = page.client.request(method, path, headers=headers, json={})
    assert (answer.status_code, answer.json()["code"]) == (403, "not-from-page")
    assert len(page.api.requests) == 1
    assert len(page.store.objects) == 5


EVERYTHING = [
    ("GET", "/api/session"),
    ("GET", "/api/styles"),
    ("GET", "/api/requests"),
    ("GET", "/api/requests/p-1"),
    ("GET", "/api/requests/p-1/events"),
    ("GET", "/api/requests/p-1/comparisons"),
    ("GET", "/api/requests/p-1/checks"),
    ("GET", "/api/requests/p-1/portraits.zip"),
    ("GET", "/api/uploads/p-1"),
    ("GET", "/api/nothing"),
    *CHANGES,
]


@pytest.mark.parametrize(("method", "path"), EVERYTHING)
def test_nobody_is_let_in_who_is_not_signed_in(page: World, method: str, path: str) -> None:
    calls = list(page.api.calls)
    answer = page.client.request(method, path, headers=PAGE)
    assert (answer.status_code, answer.json()["code"]) == (401, "not-signed-in")
    assert page.api.calls == calls


@pytest.mark.parametrize("path", ["/", "/page.js", "/healthz", "/api/session", "/api/requests/nothing", "/nowhere"])
def test_every_answer_says_what_browsers_may_do(page: World, path: str) -> None:
    for answer in (page.get(path), page.client.get(path), page.client.post(path)):
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy["frame-ancestors"] == "'none'"
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert policy["connect-src"] == "'self' https://store.example.com"
        assert policy["form-action"] == policy["base-uri"] == "'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_what_is_somebodys_own_is_kept_by_no_cache(page: World) -> None:
    page.made(portraits=[], contactSheet=f"{AREA}requests/p-1/portraits/d/contact-sheet.jpg")
    page.store.write(f"{AREA}requests/p-1/portraits/d/contact-sheet.jpg", b"sheet")
    for path in ("/api/session", "/api/requests", "/api/requests/p-1", "/api/requests/p-1/portraits.zip", "/api/x"):
        assert page.get(path).headers["Cache-Control"] == "private, no-store", path
    assert page.client.get("/page.js").headers["Cache-Control"] == "no-cache"


# --- bodies ------------------------------------------------------------------------------------------------------


def _chunks(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b" " * 1_000_000


@pytest.mark.parametrize("headers", [PAGE, as_(MINJI)])
def test_a_large_body_is_refused_before_it_fills_the_memory(page: World, headers: dict[str, str]) -> None:
    tracemalloc.start()
    answer = page.client.post("/api/requests", headers=headers, content=_chunks(30))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_code == (401 if headers == PAGE else 413)
    # The test's own client collects the body it sends.
    assert peak < 120_000_000


class Asked:
    """A call by hand: which parts of its body the page asked for."""

    def __init__(self, *parts: bytes) -> None:
        self.parts, self.read = list(parts), 0

    async def receive(self) -> dict[str, Any]:
        self.read += 1
        return {"type": "http.request", "body": self.parts.pop(0), "more_body": bool(self.parts)}


async def _call(headers: dict[str, str], asked: Asked, path: str = "/api/requests") -> tuple[int, dict[str, Any]]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    config = WebConfig(namespaces=Namespaces(default=NAMESPACE), store=STORE)
    raw = [(name.lower().encode(), value.encode()) for name, value in {"host": "localhost", **headers}.items()]
    scope = {"type": "http", "method": "POST", "path": path, "headers": raw}
    await door.Door(app, config, KEYS)(scope, asked.receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def test_of_somebody_who_is_not_signed_in_no_body_is_read() -> None:
    asked = Asked(*[b" " * 1000] * 10)
    status, told = await _call(PAGE, asked)
    assert (status, told["code"]) == (401, "not-signed-in")
    assert asked.read == 0


async def test_a_body_is_read_up_to_its_bound_and_no_further() -> None:
    asked = Asked(*[b" " * 1000] * 1000)
    status, told = await _call(as_(MINJI), asked)
    assert (status, told["code"]) == (413, "too-large")
    assert asked.read == door.MOST_BODY_BYTES // 1000 + 1
    exact = Asked(*[b" " * 1000] * 64)
    assert (await _call(as_(MINJI), exact))[0] == 200


@pytest.mark.parametrize("length", ["64001", "-1", "many", "1e3"])
async def test_a_declared_length_is_believed_where_it_is_too_large_or_none(length: str) -> None:
    asked = Asked(b"{}")
    status, told = await _call({**as_(MINJI), "Content-Length": length}, asked)
    assert (status, told["code"], asked.read) == (413, "too-large", 0)


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    class Silent(Asked):
        async def receive(self) -> dict[str, Any]:
            await asyncio.sleep(60)
            return {}

    monkeypatch.setattr(door, "BODY_SECONDS", 0.01)
    assert (await _call(as_(MINJI), Silent()))[1]["code"] == "too-slow"


# --- hosts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True), ("localhost:8080", True), ("LOCALHOST", True), ("page.localhost", True),
        ("127.0.0.1:8080", True), ("127.3.2.1", True), ("[::1]:8080", True), ("demo.internal", True),
        ("Demo.Internal:80", True), ("evil.example", False), ("evil.example:8080", False), ("", False),
        ("localhost.evil.example", False), ("127.0.0.1.evil.example", False), ("10.0.0.7", False),
        ("demo.internal.evil.example", False), ("evil.example#localhost", False), ("localhost@evil.example", False),
        ("[::1", False), ("127.0.0.1, evil.example", False),
    ],
)  # fmt: skip
def test_on_one_machine_no_other_sites_name_leads_to_the_page(host: str, *, allowed: bool) -> None:
    with world(LOCAL) as page:
        for path in ("/", "/api/session"):
            answer = page.client.get(path, headers={"Host": host})
            assert (answer.status_code == 200) == allowed, answer.text
            if not allowed:
                assert (answer.status_code, answer.json()["code"]) == (421, "wrong-host")
        assert page.client.post("/api/uploads", headers={"Host": host, **PAGE}, json={}).status_code == (
            422 if allowed else 421
        )
        # Kubernetes asks by the pod's address.
        for probe in ("/healthz", "/readyz"):
            assert page.client.get(probe, headers={"Host": "10.0.0.7:8080"}).status_code == 200


def test_behind_a_proxy_the_host_is_the_proxys_matter_unless_some_are_named() -> None:
    with world() as page:
        assert page.get("/api/session", Host="portraits.example.com").status_code == 200
    named = WebConfig(
        sign_in=SignIn(hosts=["portraits.example.com"]), namespaces=Namespaces(default=NAMESPACE), store=STORE
    )
    with world(named) as page:
        assert page.get("/api/session", Host="portraits.example.com").status_code == 200
        assert page.get("/api/session", Host="localhost").status_code == 421


# --- the proxy's secret ------------------------------------------------------------------------------------------

SECRET = "what-the-proxy-knows"


@pytest.mark.parametrize(
    ("sent", "status"), [(SECRET, 200), ("", 401), (SECRET[:-1], 401), (SECRET + "x", 401), (SECRET.upper(), 401)]
)
def test_who_does_not_know_the_proxys_secret_is_not_the_proxy(sent: str, status: int) -> None:
    with world(PROFILE_WEB_PROXY_SECRET=SECRET) as page:
        assert page.get("/api/session", **{"X-Profile-Studio-Proxy": sent}).status_code == status
        assert page.get("/api/session").status_code == 401


def test_secrets_that_could_be_guessed_are_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="PROFILE_WEB_OWNER_KEY"):
        read_keys({}, SignIn())
    with pytest.raises(ConfigError, match="PROFILE_WEB_OWNER_KEY"):
        read_keys({"PROFILE_WEB_OWNER_KEY": "x" * 31}, SignIn())
    with pytest.raises(ConfigError, match="PROFILE_WEB_PROXY_SECRET"):
        read_keys({"PROFILE_WEB_OWNER_KEY": "x" * 32, "PROFILE_WEB_PROXY_SECRET": "short"}, SignIn())


# --- what fails --------------------------------------------------------------------------------------------------


def test_a_failure_is_told_as_one_and_nothing_else(page: World, caplog: pytest.LogCaptureFixture) -> None:
    page.api.failure = RuntimeError("secret detail")
    answer = page.get("/api/requests")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_what_a_visitor_sends_ends_no_line_of_the_log(page: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    page.api.styles = [{"metadata": {"name": "a\n2026 CRITICAL forged"}, "spec": {}}]
    page.api.failure = None
    assert page.get("/api/styles").status_code == 200
    page.api.failure = RuntimeError("x")
    page.get("/api/requests/p%0A2026 CRITICAL forged")
    page.get("/api/requests")
    ours = [record for record in caplog.records if record.name.startswith("profile_web")]
    assert ours
    assert all("\n" not in record.getMessage() for record in ours)


@pytest.mark.parametrize(
    ("path", "code"),
    [("/api/nothing", "no-such-page"), ("/nowhere.js", "no-such-page"), ("/api/requests/UPPER", "invalid")],
)
def test_what_the_framework_refuses_has_a_code_too(page: World, path: str, code: str) -> None:
    assert page.get(path).json()["code"] == code


def test_every_code_is_said_in_both_languages() -> None:
    folder = Path(door.__file__).parent / "static" / "texts"
    for file in ("en.json", "ko.json"):
        texts = json.loads((folder / file).read_text())
        missing = [code for code in Code if f"error.{code}" not in texts]
        assert missing == [], file


@pytest.mark.parametrize("told", ["9" * 5000, "9" * 21, "64001", "-1", "+5", "1e3", "\u0663"])
def test_a_length_that_is_none_or_too_large_is_refused_unread(page: World, told: str) -> None:
    headers = [(name.encode(), value.encode()) for name, value in {**as_(MINJI), "Content-Length": told}.items()]
    answer = page.client.post("/api/requests", headers=headers, content=b"{}")
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
