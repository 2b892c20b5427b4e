"""A server that speaks a model hub's protocol, as far as huggingface_hub asks: a model's files, and parts of them."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 2_000


@dataclass
class Hub:
    """Its repositories (owner/name -> path -> content), and how it misbehaves."""

    url: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    # Path -> what is sent instead; path -> after how many bytes the line is cut, once.
    damaged: dict[str, bytes] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    ignores_ranges: bool = False
    status: int = 0
    # (path, Range header or "") of every file that was asked for.
    asked: list[tuple[str, str]] = field(default_factory=list)

    def described(self, repository: str) -> bytes:
        """What the hub says of a model."""
        siblings = []
        for path, content in self.repositories[repository].items():
            blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
            file = {"rfilename": path, "size": len(content), "blobId": blob}
            if len(content) >= LARGE:
                sha256 = hashlib.sha256(content).hexdigest()
                file["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
            siblings.append(file)
        document = {"id": repository, "sha": COMMIT, "siblings": siblings, "tags": ["license:openrail++", "x"]}
        return json.dumps(document).encode()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        model = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        match = model or file
        if self.hub.status:
            return self._say(self.hub.status)
        if match is None or match[1] not in self.hub.repositories:
            return self._say(404, headers={"X-Error-Code": "RepoNotFound"})
        if match[1] in self.hub.gated:
            return self._say(403, headers={"X-Error-Code": "GatedRepo"})
        if match[2] not in (None, "main", COMMIT):
            return self._say(404, headers={"X-Error-Code": "RevisionNotFound"})
        if model is not None:
            return self._say(200, self.hub.described(match[1]))
        return self._send(match[3], self.hub.repositories[match[1]][match[3]])

    def _send(self, path: str, content: bytes) -> None:
        asked = self.headers.get("Range", "")
        self.hub.asked.append((path, asked))
        content = self.hub.damaged.get(path, content)
        begin = int(asked.removeprefix("bytes=").split("-")[0]) if asked and not self.hub.ignores_ranges else 0
        rest, headers = content[begin:], {}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        if path in self.hub.cut:
            after = self.hub.cut.pop(path)
            self._say(206 if begin else 200, rest, after, headers)
            self.close_connection = True
            return
        self._say(206 if begin else 200, rest, headers=headers)

    def _say(
        self, status: int, content: bytes = b"{}", most: int | None = None, headers: Mapping[str, str] = {}
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:most])

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def hub_server() -> Iterator[Hub]:
    """A hub on this machine, while the context lasts."""
    hub = Hub()

    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
