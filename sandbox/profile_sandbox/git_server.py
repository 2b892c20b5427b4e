"""Serves Git repositories over HTTP to whoever pushes and fetches: each request is answered by Git's own http-backend.

Runs in a pod, beside Flux. It asks nobody who he is: it is for one machine's tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from email.parser import BytesParser
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

PORT = 8080


def make(repository: Path) -> None:
    """Make an empty repository that may be pushed to; its parent folders too."""
    git = ("git", "init", "--quiet", "--bare", "--initial-branch=main", str(repository))
    subprocess.run(git, check=True)
    subprocess.run(("git", "-C", str(repository), "config", "http.receivepack", "true"), check=True)


def serve(root: Path, address: tuple[str, int]) -> ThreadingHTTPServer:
    """A server, listening but not yet answering, of the repositories below `root`."""

    class Handler(_GitHandler):
        folder = root

    return ThreadingHTTPServer(address, Handler)


class _GitHandler(BaseHTTPRequestHandler):
    folder: ClassVar[Path]

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length")
        if length is None:
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
            return
        self._answer(self.rfile.read(int(length)))

    def _answer(self, body: bytes) -> None:
        command = ("git", "http-backend")
        done = subprocess.run(command, input=body, env=self._environment(len(body)), capture_output=True, check=False)
        sys.stderr.write(done.stderr.decode(errors="replace"))
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = BytesParser().parsebytes(head)
        self.send_response(int(fields.get("Status", "200").split()[0]) if head else HTTPStatus.INTERNAL_SERVER_ERROR)
        for name, value in fields.items():
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _environment(self, length: int) -> dict[str, str]:
        """What the Common Gateway Interface (RFC 3875) and Git's manual ask for."""
        path, _, query = self.path.partition("?")
        return {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_ADDR": self.client_address[0],
        }


def main() -> None:
    """The arguments: a folder, and the repositories to make in it."""
    root = Path(sys.argv[1])
    for name in sys.argv[2:]:
        make(root / name)
    serve(root, ("", PORT)).serve_forever()


if __name__ == "__main__":
    main()
