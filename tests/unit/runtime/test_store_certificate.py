"""A store whose certificate is of an authority of its own: taken where SSL_CERT_FILE names that authority."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from urllib3 import ProxyManager

from profile_draw.errors import Unavailable
from profile_operator.clients.store import THREADS
from profile_predictor.server.grants import StoreGrants
from profile_runtime.store.opening import open_store
from profile_runtime.store.s3 import StoreUrl, pool_for
from profile_sandbox.certificates import Authority, Holder

CONTENT = b"adapter"


class Store(BaseHTTPRequestHandler):
    """Gives every key the same content."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.send_header("ETag", '"e"')
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_: object, **__: object) -> None:
        """Says nothing."""


@pytest.mark.parametrize("proxy", ["", "http://proxy:3128"])
def test_every_thread_of_the_operator_has_a_connection_that_is_kept(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    pool = pool_for(StoreUrl.parse("s3://profiles?endpoint=store:9000&secure=false"), read_seconds=5)
    assert isinstance(pool, ProxyManager) == bool(proxy)
    assert pool.connection_pool_kw["maxsize"] >= THREADS


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """HOST:PORT of a store with a certificate that only the authority in tmp_path/ca.crt vouches for."""
    authority = Authority(tmp_path)
    authority.issue("store", Holder("localhost", hosts=("localhost",)))
    server = HTTPServer(("localhost", 0), Store)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "store.crt", tmp_path / "store.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    yield f"localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_stages_operator_and_page(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    assert open_store(f"s3://bucket?endpoint={store}&secure=true").read("hr/a") == CONTENT


def test_the_predictor(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = f"https://{store}/bucket/hr/a"
    with pytest.raises(Unavailable):
        StoreGrants([store]).read(link, 100)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    assert StoreGrants([store]).read(link, 100).content == CONTENT
