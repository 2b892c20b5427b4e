"""What every call passes before the page looks at it: whether it came to the right host, from the page itself, from
somebody who is signed in, with a body of bounded size; and what every answer says to browsers.

Sign-in is asked before a body is read: nobody from outside can fill the memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import metrics
from .answers import problem_answer
from .config import SignInKeys, WebConfig
from .problems import Code, Problem
from .visitor import host_is_allowed, visitor_of

log = logging.getLogger(__name__)

# Sent by the page's own script with everything that changes something: a form of another site cannot set it, and a
# script of another site would have to ask first (and is refused).
PAGE_HEADER = "x-profile-studio"
SAFE_METHODS = ("GET", "HEAD")
PROBES, API = ("/healthz", "/readyz"), "/api/"
MOST_BODY_BYTES = 64_000
BODY_SECONDS = 10.0


class Door:
    """ASGI middleware; the visitor of a call under /api/ is left in its state as `visitor`."""

    def __init__(self, app: ASGIApp, config: WebConfig, keys: SignInKeys) -> None:
        self._app, self._config, self._keys = app, config, keys
        self._policy = content_policy(config.store.public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a call in, or say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send, self._policy)
        try:
            self._admit(scope)
            body = receive if scope["method"] in SAFE_METHODS else await _bounded(scope, receive)
            await self._app(scope, body, answer)
        except Problem as problem:
            await problem_answer(problem)(scope, receive, answer)
        except Exception:
            log.exception("a call of %r failed", scope.get("path", "")[:200])
            if answer.started:
                raise
            await problem_answer(Problem(Code.INTERNAL))(scope, receive, answer)

    def _admit(self, scope: Scope) -> None:
        """Raises Problem."""
        headers, path = scope["headers"], scope["path"]
        # Kubernetes asks by the pod's address.
        if path in PROBES:
            return
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not host_is_allowed(hosts[0].decode("latin-1"), self._config.sign_in):
            raise Problem(Code.WRONG_HOST)
        if scope["method"] not in SAFE_METHODS and not _has(headers, PAGE_HEADER):
            raise Problem(Code.NOT_FROM_PAGE)
        if path.startswith(API):
            visitor = visitor_of(headers, self._config.sign_in, self._config.namespaces, self._keys)
            scope.setdefault("state", {})["visitor"] = visitor


def content_policy(store_origin: str) -> str:
    """What a browser may load, and that nobody may frame the page."""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: {store_origin}; "
        f"connect-src 'self' {store_origin}; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


class _Answer:
    """Sends an answer with the headers that all of them have."""

    def __init__(self, scope: Scope, send: Send, policy: str) -> None:
        self._scope, self._send, self._policy = scope, send, policy
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            route = getattr(self._scope.get("route"), "path", "other")
            metrics.ANSWERS.labels(route=route, status=f"{message['status'] // 100}xx").inc()
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = self._policy
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            headers["Cache-Control"] = "private, no-store" if self._scope["path"].startswith(API) else "no-cache"
        await self._send(message)


async def _bounded(scope: Scope, receive: Receive) -> Receive:
    """The call's body, read whole. Raises Problem for one that is too large, or comes too slowly."""
    declared = [value for name, value in scope["headers"] if name == b"content-length"]
    # Of a number that is too long to be read the first digits say enough.
    if any(not value.isdigit() or int(value[:20]) > MOST_BODY_BYTES for value in declared):
        raise Problem(Code.TOO_LARGE)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _whole(receive)
    except TimeoutError:
        raise Problem(Code.TOO_SLOW) from None
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += message.get("body", b"")
        if len(body) > MOST_BODY_BYTES:
            raise Problem(Code.TOO_LARGE)
        if not message.get("more_body", False):
            return body


def _has(headers: Sequence[tuple[bytes, bytes]], name: str) -> bool:
    return any(known == name.encode() for known, _ in headers)
