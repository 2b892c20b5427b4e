"""Namespaced mode: the operator serves the namespaces that it was given and has no right in any other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from product import Product, Space, run, wait_for
from profile_cli.demo import release
from profile_cli.demo.cluster import DemoCluster
from profile_cli.terminal import Terminal
from profile_sandbox.kubectl import find_kubectl

if TYPE_CHECKING:
    from profile_cli.demo.target import Target

pytestmark = pytest.mark.cluster
ACCOUNT = "system:serviceaccount:profile-system:profile-studio"
# Longer than the operator needs for a request that it does see.
UNSEEN_SECONDS = 20


@pytest.fixture(scope="module")
def watched(product: Product, target: Target) -> Iterator[Space]:
    """The one namespace that the release watches meanwhile."""
    terminal, cluster = Terminal(), DemoCluster(target.kubeconfig)
    with product.space() as space:
        values = {**target.values, "watchNamespaces": [space.name], "clusterWide": False}
        try:
            release.install(replace(target, values=values), terminal)
            release.wait_ready(cluster, terminal)
            yield space
        finally:
            release.install(target, terminal)
            release.wait_ready(cluster, terminal, page=bool(target.page), history=target.history)


def _may(target: Target, verb: str, resource: str, namespace: str) -> bool:
    arguments = ("auth", "can-i", verb, resource, "-n", namespace, f"--as={ACCOUNT}")
    return run(target, str(find_kubectl()), *arguments).stdout.strip() == "yes"


def test_a_request_there_is_seen_and_one_elsewhere_is_not(
    product: Product, target: Target, watched: Space, space: Space
) -> None:
    elsewhere, there = space.request(), watched.request()
    there.wait("Stalled", reason="NoPhotos", seconds=60)
    later = watched.request("later")
    later.wait("Stalled", reason="NoPhotos", seconds=UNSEEN_SECONDS)
    assert elsewhere.status.observed_generation == -1
    for verb, resource in (("create", "secrets"), ("create", "jobs"), ("get", "pods")):
        assert _may(target, verb, resource, watched.name)
        assert not _may(target, verb, resource, space.name)


def test_helms_test_asks_there(product: Product, target: Target, watched: Space) -> None:
    result = run(target, target.helm, "test", release.RELEASE, "-n", product.release_namespace, "--logs")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "passed: the operator says NoPhotos" in result.stdout


def test_a_watched_namespace_that_is_deleted_ends(target: Target, watched: Space) -> None:
    """Its RoleBinding goes with everything else, and most often before its last request."""
    held = watched.request("held")
    held.wait("Stalled", reason="NoPhotos", seconds=60)
    watched.kubectl.run("-n", watched.name, "delete", "rolebinding", "profile-studio-requests")
    wait_for(lambda: not _may(target, "create", "jobs", watched.name), 20, "the binding is gone")
    watched.kubectl.run("delete", "namespace", watched.name, "--timeout=120s")
    for verb, resource in (("delete", "jobs"), ("create", "secrets"), ("delete", "profilerequests.profilestudio.io")):
        assert not _may(target, verb, resource, "default")
