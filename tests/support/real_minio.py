"""A MinIO of its own: the sandbox's binary as a process on loopback, with the product's bucket and users."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from profile_runtime.store.s3 import S3Store, open_s3
from profile_sandbox import passwords, services
from profile_sandbox.build import programs_folder
from profile_sandbox.passwords import Passwords

START_SECONDS = 30


@dataclass(frozen=True)
class RealMinio:
    """Where it answers, and its users' keys."""

    address: str
    secret: Passwords
    pid: int = 0

    @property
    def url(self) -> str:
        return f"s3://{services.BUCKET}?endpoint={self.address}&secure=false&region={services.REGION}"

    @property
    def operator(self) -> dict[str, str]:
        """The operator's account, as its environment names it."""
        return {
            "AWS_ACCESS_KEY_ID": passwords.STORE_OPERATOR_USER,
            "AWS_SECRET_ACCESS_KEY": self.secret.store_operator,
        }

    @property
    def web(self) -> dict[str, str]:
        """The page's account."""
        return {"AWS_ACCESS_KEY_ID": passwords.STORE_WEB_USER, "AWS_SECRET_ACCESS_KEY": self.secret.store_web}

    def store(self) -> S3Store:
        """The bucket, as the operator opens it."""
        return open_s3(self.url, self.operator)


@contextlib.contextmanager
def real_minio(folder: Path) -> Iterator[RealMinio]:
    """Start one with an empty bucket, and end it. Skips the test where the binary was not compiled."""
    compiled = programs_folder() / "minio"
    program = str(compiled) if compiled.exists() else shutil.which("minio")
    if program is None:
        pytest.skip("minio is neither compiled (`make binaries`) nor on the PATH")
    secret = Passwords.random()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MINIO_ROOT_USER": passwords.STORE_ROOT_USER,
        "MINIO_ROOT_PASSWORD": secret.store_root,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        "MINIO_PROMETHEUS_AUTH_TYPE": "public",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "server", "--address", address, str(folder / "data")], env=environment, stdout=log, stderr=log
        )
    try:
        _wait(address, process)
        services.prepare_store(address, secret)
        yield RealMinio(address, secret, process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(f"http://{address}/minio/health/ready", timeout=2).close()
            return
        time.sleep(0.1)
    raise AssertionError("MinIO did not start")
