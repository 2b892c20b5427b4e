"""The cluster that cluster tests run on: the one that KUBECONFIG names, or this clone's sandbox."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from profile_sandbox import Sandbox
from profile_sandbox.kubectl import Kubectl
from profile_sandbox.paths import CLONE


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """This clone's sandbox: the one that stands, or one that is started for the tests and ended after them."""
    if "KUBECONFIG" in os.environ and not _is_ours(Path(os.environ["KUBECONFIG"])):
        pytest.skip("KUBECONFIG names another cluster; this test is about the sandbox")
    sandbox = Sandbox(CLONE / ".sandbox", print)
    stood = sandbox.running
    sandbox.up()
    yield sandbox
    if not stood:
        sandbox.down()


def _is_ours(kubeconfig: Path) -> bool:
    return kubeconfig.resolve() == (CLONE / ".sandbox" / "kubeconfig").resolve()


@pytest.fixture(scope="session")
def kubectl(request: pytest.FixtureRequest) -> Kubectl:
    """kubectl as the administrator of the cluster under test."""
    given = os.environ.get("KUBECONFIG")
    if given and not _is_ours(Path(given)):
        return Kubectl(Path(given))
    sandbox: Sandbox = request.getfixturevalue("sandbox")
    return sandbox.kubectl
