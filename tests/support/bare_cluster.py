"""An API server and its etcd, and nothing else: what Helm needs, in seconds. No pod ever runs there.

`BareCluster` starts and ends each of them, so that a test can take the API server away and bring it back.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from profile_sandbox.build import programs_folder
from profile_sandbox.certificates import service_account_key

TOKEN = "administrator"
START_SECONDS = 180


class BareCluster:
    """etcd and an API server in a folder; `flags` are further ones of the API server."""

    def __init__(self, folder: Path, flags: Sequence[str] = ()) -> None:
        etcd, peer, api = (_free_port() for _ in range(3))
        service_account_key(folder)
        (folder / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
        programs, store = programs_folder(), f"http://127.0.0.1:{etcd}"
        self.kubeconfig, self._port, self._log = _kubeconfig(folder, api), api, folder / "log"
        self.url = f"https://127.0.0.1:{api}"
        self._etcd = (
            str(programs / "etcd"),
            *("--data-dir", str(folder / "etcd"), "--unsafe-no-fsync", "--log-level", "error"),
            *("--listen-client-urls", store, "--advertise-client-urls", store),
            *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
        )
        self._api_server = (
            str(programs / "kube-apiserver"),
            *("--etcd-servers", store, "--secure-port", str(api), "--bind-address", "127.0.0.1"),
            *("--cert-dir", str(folder / "certificates"), "--token-auth-file", str(folder / "tokens.csv")),
            *("--service-account-key-file", str(folder / "sa.pub")),
            *("--service-account-signing-key-file", str(folder / "sa.key")),
            *("--service-account-issuer", "https://kubernetes.default.svc"),
            *("--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16"),
            # Nobody makes the default account that it would wait for.
            *("--disable-admission-plugins", "ServiceAccount"),
            *flags,
        )
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start both and wait until the API server is ready."""
        self._run("etcd", self._etcd)
        self.start_api_server()

    def start_api_server(self) -> None:
        """Start the API server and wait until it is ready."""
        self._run("kube-apiserver", self._api_server)
        _wait(self._port, self._log)

    def stop_api_server(self) -> None:
        """Kill the API server; what it stored stays."""
        process = self._processes.pop("kube-apiserver")
        process.kill()
        process.wait()

    @property
    def api_server_stopped(self) -> bool:
        """Whether it was taken away."""
        return "etcd" in self._processes and "kube-apiserver" not in self._processes

    def stop(self) -> None:
        """End both."""
        for process in reversed(self._processes.values()):
            process.terminate()
            process.wait()

    def _run(self, name: str, command: Sequence[str]) -> None:
        with self._log.open("ab") as log:
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=log)


@contextlib.contextmanager
def bare_cluster(folder: Path) -> Iterator[Path]:
    """The kubeconfig of an API server that ends with the block."""
    cluster = BareCluster(folder)
    try:
        cluster.start()
        yield cluster.kubeconfig
    finally:
        cluster.stop()


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
