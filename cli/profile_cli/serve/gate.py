"""Gate: lets in whoever has the token, before the page and the shelf look at a call."""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .shelf import SHELF

WORDS = "Open the address that profile-studio showed in its terminal: it holds the token that this page asks for.\n"


class Gate:
    """ASGI application. The address with `?token=` sets a cookie that lasts as long as the browser; a program sends
    `Authorization: Bearer`. No other site's page can send the cookie along."""

    def __init__(self, page: ASGIApp, shelf: ASGIApp, token: str, port: int) -> None:
        # Cookies know no ports: two of these pages on one machine must not take each other's.
        self._page, self._shelf, self._token, self._cookie = page, shelf, token, f"profile-studio-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, or say why not."""
        if scope["type"] != "http":
            await self._page(scope, receive, send)
            return
        request = Request(scope)
        answer = self._refusal_or_entry(request)
        if answer is not None:
            await answer(scope, receive, send)
        elif request.url.path.split("/")[1] == SHELF:
            await self._shelf(scope, receive, send)
        else:
            await self._page(scope, receive, send)

    def _refusal_or_entry(self, request: Request) -> Response | None:
        """The answer to somebody who enters, or may not; None for who is in."""
        asked = parse_qs(request.url.query)
        shown = asked.pop("token", [""])[-1]
        if self._is_token(shown):
            rest = urlencode(asked, doseq=True)
            entry = RedirectResponse(request.url.path + (f"?{rest}" if rest else ""), status_code=303)
            entry.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
            # Neither histories nor other sites learn it from here.
            entry.headers["Referrer-Policy"], entry.headers["Cache-Control"] = "no-referrer", "no-store"
            return entry
        if self._is_token(self._cookie_of(request)) or self._is_token(_bearer(request)):
            return None
        return PlainTextResponse(WORDS, status_code=401, headers={"Cache-Control": "no-store"})

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._token.encode())

    def _cookie_of(self, request: Request) -> str:
        """The token in the cookies; empty where there is none."""
        try:
            morsel = SimpleCookie(request.headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return morsel.value if morsel else ""


def _bearer(request: Request) -> str:
    """The token that a program sends; empty where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
