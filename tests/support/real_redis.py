"""A Redis of its own, as a process on loopback that keeps nothing, and may be made to stand still."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis

PASSWORD = "secret"
START_SECONDS = 10.0


@dataclass(frozen=True)
class RedisServer:
    """Where it answers, with its password."""

    url: str
    pid: int

    def stand_still(self) -> None:
        """It takes connections, and answers nobody."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """It answers again."""
        os.kill(self.pid, signal.SIGCONT)


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    """Start one, and end it with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with subprocess.Popen([*program, "--requirepass", PASSWORD], stdout=subprocess.DEVNULL) as process:
        server = RedisServer(f"redis://:{PASSWORD}@127.0.0.1:{port}/1", process.pid)
        try:
            _wait(server.url)
            yield server
        finally:
            server.go_on()
            process.terminate()


def _wait(url: str) -> None:
    """Until it answers. Raises ConnectionError after a while."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            redis.Redis.from_url(url).ping()
        except redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
