"""The release on a real cluster: what the API server takes, what its account may do, and what uninstalling keeps."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import yaml

from chart import STYLES_KNOWN, config_of, of_kind, the
from product import Product, Request, Space, pictures_in, run, wait_for
from profile_contract.resource import Key
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import PreprocessOrder, PreprocessParameters
from profile_contract.stages.table import Stage
from profile_operator.act import manifests
from profile_operator.config import OperatorConfig
from profile_operator.decide.plan import CreateJob
from profile_sandbox.kubectl import find_kubectl
from profile_sandbox.paths import CLONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from profile_cli.demo.target import Target
    from profile_sandbox import Sandbox

pytestmark = pytest.mark.cluster
CHART = CLONE / "charts" / "profile-studio"
EVERYTHING = (
    *STYLES_KNOWN,
    *("--set", "web.enabled=true,web.replicas=2,web.store.publicUrl=https://store.example.com"),
    *("--set", "web.ingress.enabled=true,web.ingress.host=portraits.example.com,web.namespaces.default=hr"),
    *("--set", "web.signIn.proxySecret=proxy"),
    *("--set", "predictor.podDisruptionBudget.enabled=true,networkPolicies.egress.enabled=true"),
    *("--set", "redis.existingSecret=profile-redis,database.existingSecret=profile-database"),
    *("--set-json", 'jobs.train.extraVolumes=[{"name":"ca","configMap":{"name":"ca"}}]'),
)
# What an InferenceService's predictor has beside a pod's own fields.
KSERVES = {"minReplicas", "maxReplicas", "deploymentStrategy", "annotations", "labels", "model"}
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


def _pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod of a release with everything on, by name: its own, KServe's both ways, and the stages'."""
    for name, deployment in of_kind("Deployment", *EVERYTHING).items():
        yield name, deployment["spec"]["template"]["spec"]
    yield "uninstall", the("Job", "profile-studio-uninstall", *EVERYTHING)["spec"]["template"]["spec"]
    yield "helm-test", the("Pod", "profile-studio-test", *EVERYTHING)["spec"]
    claim = (*EVERYTHING, "--set", "models.existingClaim=weights")
    for name, arguments in (("predictor", EVERYTHING), ("predictor-claim", claim)):
        service = the("InferenceService", "profile-predictor", *arguments)["spec"]["predictor"]
        runtime = the("ServingRuntime", "profile-studio-sdxl", *arguments)["spec"] if "model" in service else {}
        kept = {field: runtime[field] for field in ("containers", "volumes", "imagePullSecrets") if field in runtime}
        yield name, {**kept, **{field: value for field, value in service.items() if field not in KSERVES}}
    config = OperatorConfig.model_validate(config_of(*claim))
    request = RequestRef(namespace="hr", name="minji", uid="u1")
    order = PreprocessOrder(
        request=request,
        digest="d" * 16,
        output=f"hr.1a2b3c4d-5e6f/requests/minji/dataset/{'d' * 16}/",
        photos=[],
        parameters=PreprocessParameters(),
    )
    for stage in (Stage.PREPROCESS, Stage.TRAIN, Stage.FINISH):
        # The pod is the stage's; the order is but a text in it.
        job = manifests.job(CreateJob(stage, f"minji-{stage}", order, ()), Key("hr", "minji"), "u1", config, redis=True)
        yield str(stage.value), job["spec"]["template"]["spec"]


def _admitted(target: Target, namespace: str, name: str, spec: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """What the API server says of a pod, without keeping it. The account is left out: it is no part of the standard."""
    spec = {field: value for field, value in spec.items() if field != "serviceAccountName"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    arguments = ["create", "--dry-run=server", "-f", "-"]
    return subprocess.run(
        [str(find_kubectl()), *arguments],
        input=json.dumps(pod),
        env={**os.environ, "KUBECONFIG": str(target.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_pod_is_admitted_where_the_restricted_standard_is_enforced(target: Target, space: Space) -> None:
    pods = dict(_pods())
    assert set(pods) == {
        "profile-studio-operator",
        "profile-studio-history",
        "profile-studio-web",
        "uninstall",
        "helm-test",
        "predictor",
        "predictor-claim",
        "preprocess",
        "train",
        "finish",
    }
    for name, spec in pods.items():
        said = _admitted(target, space.name, name, spec)
        assert said.returncode == 0, f"{name}: {said.stderr}"
    bad = json.loads(json.dumps(pods["train"]))
    bad["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    refused = _admitted(target, space.name, "bad", bad)
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted' in refused.stderr


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
        ("delete", "secrets", True),
        ("create", "pods", False),
        ("delete", "profilerequests.profilestudio.io", False),
        ("patch", "clusterprofilestyles.profilestudio.io", False),
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


def test_prometheus_scrapes_operator_history_and_predictor(product: Product, sandbox: Sandbox) -> None:
    programs = {"operator", "history", "predictor"}

    def scraped() -> set[str]:
        query = {"query": f'up{{namespace="{product.release_namespace}"}} == 1'}
        answer = httpx2.get(f"http://{sandbox.address('prometheus')}/api/v1/query", params=query, timeout=10).json()
        found = {result["metric"]["pod"] for result in answer["data"]["result"]}
        return {name for name in programs if any(name in pod for pod in found)}

    assert wait_for(lambda: scraped() == programs, 90, "all are scraped")


def test_uninstalling_keeps_requests_and_installing_again_finds_them(
    product: Product, target: Target, space: Space, tmp_path: Path
) -> None:
    """It is installed again by the line of docs/install.md, as it stands there."""
    from profile_cli.demo import release
    from profile_cli.demo.cluster import DemoCluster
    from profile_cli.terminal import Terminal

    request = space.request()
    request.wait("Stalled", reason="NoPhotos")
    uid = request.document()["metadata"]["uid"]
    namespace = ("-n", product.release_namespace)
    values = run(target, target.helm, "get", "values", release.RELEASE, *namespace, "-o", "yaml").stdout
    (tmp_path / "values.yaml").write_text(values)
    (tmp_path / "charts").symlink_to(CLONE / "charts")
    (line,) = re.findall(r"^    helm (install .+)$", (CLONE / "docs" / "install.md").read_text(), re.MULTILINE)
    try:
        refused = run(target, target.helm, "uninstall", release.RELEASE, *namespace, "--wait")
        assert refused.returncode != 0
        assert f"{space.name}/person" in refused.stdout + refused.stderr
        assert "--no-hooks" in refused.stdout + refused.stderr
        product.kubectl.run(*namespace, "get", "deployment", release.OPERATOR)
        gone = run(target, target.helm, "uninstall", release.RELEASE, *namespace, "--wait", "--no-hooks")
        assert gone.returncode == 0, gone.stderr
        assert request.document()["metadata"]["uid"] == uid
        assert product.kubectl.get("-n", product.release_namespace, "isvc")["items"] == []
        environment = {**os.environ, "KUBECONFIG": str(target.kubeconfig)}
        installed = subprocess.run(
            [target.helm, *line.split()], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert installed.returncode == 0, installed.stderr
    finally:
        release.install(target, Terminal())
        release.wait_ready(DemoCluster(target.kubeconfig), Terminal())
    styles = {found["metadata"]["name"] for found in product.kubectl.get("cpstyle")["items"]}
    assert {"studio-warm", "studio-cool", "business-neutral", "campus"} <= styles
    request.patch({"photos": {"prefix": "uploads/other/"}})
    wait_for(lambda: "uploads/other/" in request.wait("Stalled", reason="NoPhotos").message, 60, "the operator's eye")


def test_helms_own_test_passes(product: Product, target: Target) -> None:
    result = run(target, target.helm, "test", "profile-studio", "-n", product.release_namespace, "--logs")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "passed: the operator says NoPhotos" in result.stdout


def test_helms_own_test_makes_portraits_of_photos(product: Product, target: Target, people: Path) -> None:
    from profile_cli.demo import release
    from profile_cli.demo.cluster import DemoCluster
    from profile_cli.terminal import Terminal

    space = Space(product.kubectl, product.store, product.release_namespace)
    folder = f"{space.area}uploads/helm-test/"
    for photo in pictures_in(people / "p00060"):
        product.store.write(folder + photo.name, photo.read_bytes(), "image/jpeg")
    namespace = ("-n", product.release_namespace)
    # The random model draws nobody.
    asked = ("--set", "test.photos=uploads/helm-test/,test.minimumLikeness=0,test.seconds=420")
    try:
        changed = run(
            target, target.helm, "upgrade", release.RELEASE, str(CHART), *namespace, "--reuse-values", *asked, "--wait"
        )
        assert changed.returncode == 0, changed.stderr
        result = run(target, target.helm, "test", release.RELEASE, *namespace, "--logs", "--timeout=8m")
        assert result.returncode == 0, result.stdout + result.stderr
        assert "passed: the operator says 1 portraits" in result.stdout
    finally:
        release.install(target, Terminal())
        release.wait_ready(DemoCluster(target.kubeconfig), Terminal(), page=bool(target.page), history=target.history)
        product.store.delete(folder)


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
