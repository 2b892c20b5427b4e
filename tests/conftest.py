"""What tests on a cluster share. Nothing here runs unless a test asks for it.

The cluster is this clone's sandbox (the one that stands, else one that is started for the tests and ended after
them), or the one that KUBECONFIG names: then PROFILE_VALUES names the chart's values for it, and PROFILE_STORE and
AWS_* its store as reached from this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from profile_contract.artifacts import request_prefix, uploads_prefix
from profile_contract.store import S3Store, content_type_of
from profile_sandbox import Sandbox, SandboxError
from profile_sandbox.kubectl import Kubectl
from profile_sandbox.paths import CLONE

if TYPE_CHECKING:
    from profile_cli.demo.target import Target

T = TypeVar("T")
Upload = Callable[..., list[str]]
WaitFor = Callable[..., Any]
STATE = Path(os.environ.get("PROFILE_SANDBOX_STATE", CLONE / ".sandbox"))
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


def _own_kubeconfig() -> Path | None:
    """Somebody's own cluster, where KUBECONFIG names one that is not this sandbox."""
    given = os.environ.get("KUBECONFIG")
    if not given or Path(given).resolve() == (STATE / "kubeconfig").resolve():
        return None
    return Path(given)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The sandbox; left standing if it stood before."""
    if _own_kubeconfig() is not None:
        pytest.skip("KUBECONFIG names another cluster; this test is about the sandbox")
    sandbox = Sandbox(STATE, print)
    stood = sandbox.running
    sandbox.up()
    yield sandbox
    if not stood:
        sandbox.down()


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Target:
    """The cluster under test: kubeconfig, the chart's values for it, and its store."""
    from profile_cli.demo.target import own_target, sandbox_target
    from profile_cli.terminal import Terminal

    own = _own_kubeconfig()
    if own is not None:
        values = os.environ.get("PROFILE_VALUES")
        return own_target(own, Path(values) if values else None, os.environ.get("PROFILE_STORE", ""))
    request.getfixturevalue("sandbox")
    return sandbox_target(STATE, Terminal())


@pytest.fixture(scope="session")
def kubectl(request: pytest.FixtureRequest) -> Kubectl:
    """kubectl as the administrator of the cluster under test."""
    own = _own_kubeconfig()
    if own is not None:
        return Kubectl(own)
    sandbox: Sandbox = request.getfixturevalue("sandbox")
    return sandbox.kubectl


@pytest.fixture(scope="session")
def store(target: Target) -> S3Store:
    """The cluster's store, with the operator's account."""
    return target.store()


@pytest.fixture(scope="session")
def chart(target: Target) -> str:
    """The product, installed once from its chart: operator and predictor are ready. Gives the release's namespace."""
    from profile_cli.cluster import Cluster
    from profile_cli.demo import release
    from profile_cli.terminal import Terminal

    terminal = Terminal()
    release.install(target, terminal)
    release.wait_ready(Cluster(target.kubeconfig), terminal)
    return release.NAMESPACE


@pytest.fixture
def namespace(chart: str, kubectl: Kubectl, store: S3Store) -> Iterator[str]:
    """A fresh namespace under the restricted Pod Security Standard; it goes with its requests and its photos."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}))
    yield name
    # Requests first: the operator's finalizer purges what they made.
    with contextlib.suppress(SandboxError):
        kubectl.run("-n", name, "delete", "preq", "--all", "--timeout=60s")
    kubectl.run("delete", "namespace", name, "--wait=false")
    store.delete(f"{name}/")


@pytest.fixture
def upload(store: S3Store, namespace: str) -> Upload:
    """upload(files, prefix="uploads/person/"): a folder's pictures, or the given files, into the namespace's area.

    Gives the keys.
    """

    def put(files: Path | list[Path], prefix: str = "uploads/person/", *, limit: int | None = None) -> list[str]:
        listed = sorted(files.iterdir()) if isinstance(files, Path) else files
        pictures = [file for file in listed if not isinstance(files, Path) or file.suffix.lower() in PICTURES][:limit]
        keys = [uploads_prefix(namespace, prefix) + file.name for file in pictures]
        for key, file in zip(keys, pictures, strict=True):
            store.write(key, file.read_bytes(), content_type_of(key))
        return keys

    return put


@pytest.fixture
def made(store: S3Store, namespace: str) -> Callable[[str], list[str]]:
    """made(request): the keys of everything that a request has in the store."""
    return lambda name: [found.key for found in store.list(request_prefix(namespace, name))]


@pytest.fixture(scope="session")
def wait_for() -> WaitFor:
    """wait_for(look, seconds, what): the first true value that `look()` gives; fails with `what` and the last value."""

    def wait(look: Callable[[], T], seconds: float = 120.0, what: str = "what was waited for") -> T:
        deadline = time.monotonic() + seconds
        while True:
            value = look()
            if value:
                return value
            if time.monotonic() > deadline:
                pytest.fail(f"{what}: not within {seconds:.0f} s; last seen: {value!r}")
            time.sleep(0.5)

    return wait


@pytest.fixture
def people() -> Path:
    """The rendered people of the repository, one folder each."""
    return CLONE / "models" / "people"
