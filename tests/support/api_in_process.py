"""The library's client without a socket: its calls go to a server in the same process."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import parse_qsl, unquote, urlsplit

from kubernetes.aio import client

from api_documents import (
    Call,
)

if TYPE_CHECKING:
    from fake_kubernetes import FakeKubernetes


@contextmanager
def no_certificates() -> Iterator[None]:
    """A client made here knows no certificates: it speaks without TLS, and reading the machine's takes long."""
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with patch.object(ssl, "create_default_context", lambda **_: plain):
        yield


class InProcess(client.ApiClient):  # type: ignore[misc]
    """The library's client up to the socket, and the server behind it in the same process."""

    def __init__(self, server: FakeKubernetes) -> None:
        with no_certificates():
            super().__init__(client.Configuration(host="http://api"))
        self._server = server

    async def call_api(
        self, method: str, url: str, header_params: Any = None, body: Any = None, *_: Any, **__: Any
    ) -> Any:
        """An answer as the library gives it: status, reason, and the body to be read."""
        parts = urlsplit(url)
        sent = json.loads(json.dumps(body))
        content_type = (header_params or {}).get("Content-Type", "")
        call = Call(method, unquote(parts.path), dict(parse_qsl(parts.query)), content_type, sent)
        status, document = await self._server.answer(call)
        return Answer(status, json.dumps(document).encode())

    async def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Answer:
    """An answer that is read once."""

    status: int
    body: bytes
    reason: str = ""

    async def read(self) -> bytes:
        return self.body
