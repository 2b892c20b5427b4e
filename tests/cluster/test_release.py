"""The release on a real cluster: what the API server takes, what its account may do, and what uninstalling keeps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import yaml

from product import Product, Request, Space, run, wait_for
from profile_sandbox.kubectl import find_kubectl
from profile_sandbox.paths import CLONE

if TYPE_CHECKING:
    from profile_cli.demo.target import Target
    from profile_sandbox import Sandbox

pytestmark = pytest.mark.cluster
CHART = CLONE / "charts" / "profile-studio"
ACCOUNT = "system:serviceaccount:profile-system:profile-studio"


@pytest.mark.parametrize("extra", [(), ("--set", "models.existingClaim=weights")], ids=["defaults", "claim"])
def test_the_api_server_takes_what_production_installs(
    product: Product, target: Target, extra: tuple[str, ...]
) -> None:
    rendered = run(
        target,
        target.helm,
        *("template", "other", str(CHART), "-n", product.release_namespace, "--no-hooks"),
        *("--set", "predictor.name=other", *extra),
    )
    assert rendered.returncode == 0, rendered.stderr
    product.kubectl.run(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", stdin=rendered.stdout
    )


def test_examples_are_taken(product: Product, space: Space) -> None:
    for name in ("request.yaml", "request-two-styles.yaml", "style.yaml"):
        file = str(CLONE / "examples" / name)
        product.kubectl.run("-n", space.name, "apply", "--dry-run=server", "-f", file)


def test_the_release_would_run_in_a_restricted_namespace(product: Product, target: Target) -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    arguments = ("label", "namespace", product.release_namespace, label, "--overwrite", "--dry-run=server")
    result = run(target, str(find_kubectl()), *arguments)
    assert result.returncode == 0, result.stderr
    assert "violate" not in result.stderr, result.stderr


@pytest.mark.parametrize(
    ("verb", "resource", "allowed"),
    [
        ("patch", "profilerequests.profilestudio.io", True),
        ("update", "profilerequests.profilestudio.io/status", True),
        ("create", "jobs.batch", True),
        ("create", "secrets", True),
        ("create", "events", True),
        ("list", "pods", True),
        ("get", "secrets", False),
        ("list", "secrets", False),
        ("delete", "secrets", False),
        ("create", "pods", False),
        ("delete", "profilerequests.profilestudio.io", False),
        ("patch", "profilestyles.profilestudio.io", False),
        ("create", "pods/exec", False),
        ("get", "nodes", False),
    ],
)
def test_what_the_operators_account_may_do(
    product: Product, target: Target, verb: str, resource: str, allowed: bool
) -> None:
    resource, _, part = resource.partition("/")
    subresource = (f"--subresource={part}",) if part else ()
    result = run(
        target, str(find_kubectl()), "auth", "can-i", verb, resource, *subresource, f"--as={ACCOUNT}", "-n", "default"
    )
    assert result.stdout.strip() == ("yes" if allowed else "no"), result.stderr


def test_prometheus_scrapes_operator_and_predictor(product: Product, sandbox: Sandbox) -> None:
    def scraped() -> set[str]:
        query = {"query": f'up{{namespace="{product.release_namespace}"}} == 1'}
        answer = httpx.get(f"http://{sandbox.address('prometheus')}/api/v1/query", params=query, timeout=10).json()
        found = {result["metric"]["pod"] for result in answer["data"]["result"]}
        return {name for name in ("operator", "predictor") if any(name in pod for pod in found)}

    assert wait_for(lambda: scraped() == {"operator", "predictor"}, 90, "both are scraped")


def test_uninstalling_keeps_requests_and_installing_again_finds_them(
    product: Product, target: Target, space: Space
) -> None:
    from profile_cli.cluster import Cluster
    from profile_cli.demo import release
    from profile_cli.terminal import Terminal

    request = space.request()
    request.wait("Stalled", reason="NoPhotos")
    uid = request.document()["metadata"]["uid"]
    try:
        gone = run(target, target.helm, "uninstall", release.RELEASE, "-n", product.release_namespace, "--wait")
        assert gone.returncode == 0, gone.stderr
        assert request.document()["metadata"]["uid"] == uid
        assert product.kubectl.get("-n", product.release_namespace, "isvc")["items"] == []
    finally:
        release.install(target, Terminal())
        release.wait_ready(Cluster(target.kubeconfig), Terminal())
    styles = {found["metadata"]["name"] for found in product.kubectl.get("pstyle")["items"]}
    assert {"studio-warm", "studio-cool", "business-neutral", "campus"} <= styles
    request.patch({"photos": {"prefix": "uploads/other/"}})
    wait_for(lambda: "uploads/other/" in request.wait("Stalled", reason="NoPhotos").message, 60, "the operator's eye")


def test_helms_own_test_passes(product: Product, target: Target) -> None:
    result = run(target, target.helm, "test", "profile-studio", "-n", product.release_namespace, "--logs")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "passed: the operator says NoPhotos" in result.stdout


def test_kustomize_applies_requests_and_prunes_them(product: Product, space: Space, tmp_path: Path) -> None:
    """`kubectl apply -k` with the example, in a namespace of our own."""
    shutil.copytree(CLONE / "examples" / "gitops", tmp_path / "base")
    namespace = {"$patch": "delete", "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "hr"}}
    overlay = {"resources": ["base"], "namespace": space.name, "patches": [{"patch": json.dumps(namespace)}]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    product.kubectl.run("apply", "-k", str(tmp_path))
    requests = [Request(product.kubectl, space.name, name) for name in ("minji", "junho")]
    for request in requests:
        request.wait("Stalled", reason="NoPhotos", seconds=60)
    product.kubectl.run("delete", "-k", str(tmp_path), "--timeout=60s")
    assert product.kubectl.get("-n", space.name, "preq")["items"] == []
