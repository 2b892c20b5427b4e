"""An API server and its etcd, and nothing else: what Helm needs, in seconds. No pod ever runs there."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import yaml

from profile_sandbox.build import programs_folder
from profile_sandbox.certificates import service_account_key

TOKEN = "administrator"
START_SECONDS = 60


@contextlib.contextmanager
def bare_cluster(folder: Path) -> Iterator[Path]:
    """The kubeconfig of an API server that ends with the block."""
    etcd, peer, api = (_free_port() for _ in range(3))
    service_account_key(folder)
    (folder / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
    programs, store = programs_folder(), f"http://127.0.0.1:{etcd}"
    commands = (
        (
            str(programs / "etcd"),
            *("--data-dir", str(folder / "etcd"), "--unsafe-no-fsync", "--log-level", "error"),
            *("--listen-client-urls", store, "--advertise-client-urls", store),
            *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
        ),
        (
            str(programs / "kube-apiserver"),
            *("--etcd-servers", store, "--secure-port", str(api), "--bind-address", "127.0.0.1"),
            *("--cert-dir", str(folder / "certificates"), "--token-auth-file", str(folder / "tokens.csv")),
            *("--service-account-key-file", str(folder / "sa.pub")),
            *("--service-account-signing-key-file", str(folder / "sa.key")),
            *("--service-account-issuer", "https://kubernetes.default.svc"),
            *("--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16"),
            # Nobody makes the default account that it would wait for.
            *("--disable-admission-plugins", "ServiceAccount"),
        ),
    )
    processes = []
    with (folder / "log").open("wb") as log:
        try:
            processes = [subprocess.Popen(command, stdout=log, stderr=log) for command in commands]
            _wait(api, folder / "log")
            yield _kubeconfig(folder, api)
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int, log: Path) -> None:
    import ssl

    context = ssl._create_unverified_context()  # noqa: S323 - its certificate is made as it starts
    request = urllib.request.Request(f"https://127.0.0.1:{port}/readyz", headers={"Authorization": f"Bearer {TOKEN}"})
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(request, context=context, timeout=5)  # noqa: S310 - the same
            return
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.3)


def _kubeconfig(folder: Path, port: int) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bare",
        "clusters": [
            {
                "name": "bare",
                "cluster": {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True},
            }
        ],
        "users": [{"name": "admin", "user": {"token": TOKEN}}],
        "contexts": [{"name": "bare", "context": {"cluster": "bare", "user": "admin"}}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return file
