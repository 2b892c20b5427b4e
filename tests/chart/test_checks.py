"""What others' programs say of the chart's objects: kubeconform of their fields, kube-score of their manners."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

import schemas
from chart import CPU, RARELY_COLLECTED, STYLES_KNOWN, Object, render, sandbox_arguments
from profile_sandbox import add_ons, build
from profile_sandbox.programs import KUBERNETES

MONITORING = ("--api-versions", "monitoring.coreos.com/v1")
EVERYTHING = (
    *MONITORING,
    *STYLES_KNOWN,
    *("--set", "web.enabled=true,web.replicas=2,web.store.publicUrl=https://store.example.com"),
    *("--set", "web.namespaces.default=hr,web.ingress.enabled=true,web.ingress.host=portraits.example.com"),
    *("--set", "web.signIn.proxySecret=proxy"),
    *("--set", "web.ingress.tlsSecret=page,predictor.podDisruptionBudget.enabled=true,predictor.replicas=2"),
    *("--set", "redis.existingSecret=profile-redis,database.existingSecret=profile-database"),
    *("--set", "models.existingClaim=profile-models,watchNamespaces={hr}"),
    *("--set", "networkPolicies.requestNamespaces={hr},networkPolicies.egress.enabled=true"),
    *("--set", "operator.priorityClassName=high,web.priorityClassName=high,predictor.priorityClassName=high"),
    *("--set", "predictor.runtimeClassName=nvidia,web.podDisruptionBudget.minAvailable=1"),
)
# What kube-score asks for and we leave out.
LEFT_OUT = (
    # A limit on cpu slows down what nobody waits behind.
    "--ignore-container-cpu-limit",
    # Tags are versions, and digests can be given: to pull at every start makes a registry's outage ours.
    "--ignore-test=container-image-pull-policy",
)
CRITICAL = 1
VARIANTS = {"defaults": (), "everything": EVERYTHING, "cpu": CPU}


def checks() -> Path:
    folder = add_ons.CHECKS.folder
    if not add_ons.CHECKS.manifests.exists():
        pytest.fail("kubeconform and kube-score are not compiled: run `make checks`")
    return folder


def check(program: str, *arguments: str, objects: tuple[Object, ...]) -> subprocess.CompletedProcess[str]:
    text = yaml.safe_dump_all(objects)
    command = [str(checks() / program), *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, env=RARELY_COLLECTED)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> str:
    """kubeconform's template for the schemas of every kind that the chart makes."""
    manifests, kserve = checks() / add_ons.MANIFESTS, build.manifests_folder()
    others = [
        *manifests.glob("crd-*.yaml"),
        *(kserve / f"crd-{name}s.yaml" for name in ("inferenceservice", "servingruntime")),
    ]
    own = (Path(__file__).parents[2] / "crds").glob("*.yaml")
    return schemas.write(
        tmp_path_factory.mktemp("schemas"), manifests / add_ons.KUBERNETES_DEFINITIONS, [*others, *own]
    )


def conform(known: str, objects: tuple[Object, ...]) -> list[Object]:
    """What kubeconform refuses."""
    version = f"-kubernetes-version={KUBERNETES}"
    said = check("kubeconform", "-strict", "-output=json", "-schema-location", known, version, "-", objects=objects)
    return list(json.loads(said.stdout)["resources"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_kubeconform_knows_every_field(variant: str, known: str) -> None:
    assert conform(known, render(*VARIANTS[variant])) == []


def test_kubeconform_knows_what_the_sandbox_installs(known: str, tmp_path: Path) -> None:
    assert conform(known, render(*sandbox_arguments(tmp_path))) == []


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Deployment", ("spec", "template", "spec", "containers", 0)),
        ("InferenceService", ("spec", "predictor")),
        ("PodMonitor", ("spec",)),
        ("ClusterProfileStyle", ("spec",)),
    ],
)
def test_kubeconform_refuses_a_field_that_there_is_not(kind: str, path: tuple[str | int, ...], known: str) -> None:
    """The schemas are ours: they must refuse something."""
    object_ = json.loads(json.dumps(next(found for found in render(*EVERYTHING) if found["kind"] == kind)))
    place = object_
    for step in path:
        place = place[step]
    place["imagePolicyPull"] = "Never"
    (refused,) = conform(known, (object_,))
    assert "imagePolicyPull" in refused["msg"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_kube_score_finds_nothing_critical(variant: str) -> None:
    said = check("kube-score", "score", "--output-format=json", *LEFT_OUT, "-", objects=render(*VARIANTS[variant]))
    critical = {
        f"{found['object_name']}: {result['check']['id']}: {comment['summary']}"
        for found in json.loads(said.stdout)
        for result in found["checks"]
        if not result["skipped"] and result["grade"] == CRITICAL
        for comment in result["comments"] or []
    }
    assert critical == set()
