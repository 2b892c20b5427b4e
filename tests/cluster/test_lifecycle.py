"""A release's whole life by Helm, on an API server without nodes: rollback, another name, another team, the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bare_cluster import bare_cluster
from chart import CHART, STYLES, helm
from product import wait_for
from profile_sandbox.kubectl import Kubectl
from profile_sandbox.process import SandboxError

pytestmark = pytest.mark.cluster

CRDS = tuple(
    f"{kind}.profilestudio.io"
    for kind in ("profilerequests", "clusterprofilestyles", "profilestyles", "clusterstyleadapters", "styleadapters")
)
# There is no KServe.
SMALL = ("--set", "predictor.enabled=false")
FINALIZER = "profilestudio.io/purge"


class Cluster:
    """Helm and kubectl on one API server."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubectl = Kubectl(kubeconfig)
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def helm(self, *arguments: str) -> str:
        """Raises AssertionError with Helm's words."""
        done = self.run(helm(), *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def install(self, release: str, namespace: str, *more: str) -> str:
        command = ("install", release, str(CHART), "-n", namespace, "--create-namespace", *SMALL, *more)
        for _ in range(2):
            done = self.run(helm(), *command)
            if "no matches for kind" not in done.stderr:
                break
            # A crowded machine's API server does not know the new kinds yet; --wait would wait for pods, too.
            self.helm("uninstall", release, "-n", namespace, "--no-hooks", "--wait", "--timeout", "30s")
        else:
            return self.helm(*command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def names(self, kind: str) -> set[str]:
        """Raises SandboxError where the cluster does not know the kind."""
        return {found["metadata"]["name"] for found in self.kubectl.get(kind)["items"]}

    def owner(self, kind: str, name: str) -> str:
        """NAMESPACE/NAME of the release to which it belongs."""
        notes = self.kubectl.get(kind, name)["metadata"]["annotations"]
        return f"{notes['meta.helm.sh/release-namespace']}/{notes['meta.helm.sh/release-name']}"

    def request(self, namespace: str, name: str) -> None:
        """A request as the operator has seen it."""
        document = {
            "apiVersion": "profilestudio.io/v1alpha1",
            "kind": "ProfileRequest",
            "metadata": {"name": name, "namespace": namespace, "finalizers": [FINALIZER]},
            "spec": {"photos": {"prefix": "uploads/minji/"}, "styles": [{"name": "studio-warm"}]},
        }
        self.kubectl.apply(json.dumps(document))

    def before_the_end(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What the Job before an uninstall says; no node is there to run it."""
        return self.run(sys.executable, "-m", "profile_operator.release.end", *arguments)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with bare_cluster(tmp_path) as kubeconfig:
        yield Cluster(kubeconfig)


def everything_stands(cluster: Cluster) -> bool:
    return cluster.names("clusterprofilestyles") >= STYLES and cluster.names("crd") >= set(CRDS)


def test_a_rollback_to_the_first_revision_keeps_styles_and_definitions(cluster: Cluster) -> None:
    cluster.install("studio", "one")
    cluster.helm("upgrade", "studio", str(CHART), "-n", "one", *SMALL, "--set", "commonLabels.team=a")
    cluster.helm("upgrade", "studio", str(CHART), "-n", "one", *SMALL, "--set", "commonLabels.team=b")
    cluster.helm("rollback", "studio", "1", "-n", "one")
    assert everything_stands(cluster)
    # And they are the release's still. Helm writes what differs from the revision before: the first takes them over.
    for team in ("c", "d"):
        cluster.helm("upgrade", "studio", str(CHART), "-n", "one", *SMALL, "--set", f"commonLabels.team={team}")
    assert cluster.owner("clusterprofilestyle", "campus") == "one/studio"
    assert cluster.kubectl.get("clusterprofilestyle", "campus")["metadata"]["labels"]["team"] == "d"


def test_a_first_upgrade_that_fails_takes_nothing_along(cluster: Cluster) -> None:
    cluster.install("studio", "one")
    # Taken by the chart, and refused by the API server halfway.
    bad = ("--set-string", "operator.podLabels.team=no label!")
    failed = cluster.run(
        *(helm(), "upgrade", "studio", str(CHART), "-n", "one", *SMALL, *bad, "--atomic", "--timeout", "5s")
    )
    assert failed.returncode != 0
    assert "no label!" in failed.stderr
    assert everything_stands(cluster)


def test_a_release_of_another_name_finds_what_the_first_has_left(cluster: Cluster) -> None:
    cluster.install("studio", "one")
    cluster.helm("upgrade", "studio", str(CHART), "-n", "one", *SMALL)
    cluster.helm("uninstall", "studio", "-n", "one", "--no-hooks")
    assert everything_stands(cluster)
    said = cluster.install("portraits", "two")
    assert everything_stands(cluster)
    # What the notes tell makes them the new release's.
    told = [line.strip() for line in said.splitlines() if line.startswith("  kubectl label --overwrite ")]
    assert len(told) == len(CRDS) + len(STYLES)
    for line in told:
        for command in line.split(" && "):
            cluster.kubectl.run(*command.split()[1:])
    said = cluster.helm("upgrade", "portraits", str(CHART), "-n", "two", *SMALL)
    assert "kubectl label" not in said
    assert {cluster.owner("clusterprofilestyle", name) for name in STYLES} == {"two/portraits"}
    assert {cluster.owner("crd", name) for name in CRDS} == {"two/portraits"}


def test_definitions_that_somebody_applied_are_left_alone(cluster: Cluster) -> None:
    for file in sorted((CHART / "files" / "crds").glob("*.yaml")):
        cluster.kubectl.apply(file.read_text())
    assert "(somebody)" in cluster.install("studio", "one")
    assert cluster.names("clusterprofilestyles") == STYLES


def test_two_teams_run_the_product_side_by_side(cluster: Cluster) -> None:
    for team in ("a", "b"):
        cluster.kubectl.run("create", "namespace", f"requests-{team}")
        cluster.install("profile-studio", f"team-{team}", "--set", f"watchNamespaces={{requests-{team}}}")
    cluster.helm("uninstall", "profile-studio", "-n", "team-a", "--no-hooks")
    assert everything_stands(cluster)
    roles = cluster.names("clusterroles")
    assert "team-b-profile-studio-requests" in roles
    assert "team-a-profile-studio-requests" not in roles
    cluster.helm("upgrade", "profile-studio", str(CHART), "-n", "team-b", "--reuse-values")
    assert everything_stands(cluster)


def test_a_release_does_not_go_under_requests_that_wait_for_it(cluster: Cluster) -> None:
    cluster.install("studio", "one")
    wait = ("wait", "--for=condition=Established", "--timeout=20s", *(f"crd/{name}" for name in CRDS))
    cluster.kubectl.run(*wait)
    # The API server takes a moment to know how to keep them.
    wait_for(lambda: cluster.before_the_end("--release=one/studio").returncode == 0, 20, "no request stands")
    cluster.request("one", "minji")
    refused = cluster.before_the_end("--release=one/studio")
    assert refused.returncode == 1
    assert "one/minji" in refused.stderr
    assert cluster.before_the_end("--release=one/studio", "--namespace=hr").returncode == 0
    assert cluster.before_the_end("--release=one/studio", "--namespace=hr", "--definitions-go").returncode == 1
    # Helm goes on to delete nothing where the Job does not end well.
    slow = cluster.run(helm(), "uninstall", "studio", "-n", "one", "--timeout", "5s")
    assert slow.returncode != 0
    assert cluster.kubectl.get("-n", "one", "deployment", "studio-profile-studio-operator")


def test_definitions_go_where_they_shall_and_nothing_hangs(cluster: Cluster) -> None:
    cluster.install("studio", "one", "--set", "crds.keep=false")
    ask = ("--release=one/studio", "--definitions-go")
    wait_for(lambda: cluster.before_the_end(*ask).returncode == 0, 20, "no request stands")
    cluster.helm("uninstall", "studio", "-n", "one", "--no-hooks", "--wait", "--timeout", "90s")
    with pytest.raises(SandboxError):
        cluster.names("clusterprofilestyles")
    assert cluster.before_the_end("--release=one/studio").returncode == 0
