"""What is handed through the Helm chart to pods as it stands: every such value of every workload arrives."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

from chart import CHART, Object, config_of, of_kind, render, run, the
from profile_operator.config import OperatorConfig

WEB = (
    *("--set", "web.enabled=true,web.store.publicUrl=https://store.example.com,web.replicas=2"),
    *("--set", "database.existingSecret=profile-database"),
)
TOLERATION = {"key": "spot", "operator": "Exists", "effect": "NoSchedule"}
SPREAD = {
    "maxSkew": 1,
    "topologyKey": "topology.kubernetes.io/zone",
    "whenUnsatisfiable": "ScheduleAnyway",
    "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "profile-studio"}},
}
AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]
        }
    }
}
WORKLOADS = ("operator", "history", "web", "predictor")
# Every workload has values of its own, so that one render tells whose arrived where.
PASSED: list[tuple[str, str, Any]] = [
    *((component, "nodeSelector", {"pool": component}) for component in WORKLOADS),
    *((component, "tolerations", [{**TOLERATION, "key": component}]) for component in WORKLOADS),
    *((component, "affinity", {**AFFINITY, component: {}}) for component in ("operator", "history", "web")),
    ("predictor", "affinity", AFFINITY),
    *(
        (component, "topologySpreadConstraints", [{**SPREAD, "maxSkew": 2 + place}])
        for place, component in enumerate(WORKLOADS)
    ),
    *((component, "priorityClassName", f"for-{component}") for component in WORKLOADS),
    ("predictor", "runtimeClassName", "nvidia"),
]
# Their schemas know their items.
REFUSED = [
    ("topologySpreadConstraints", "spread"),
    ("priorityClassName", "Bad_Name"),
    ("nodeSelector", ["a"]),
    ("tolerations", [{"taint": "spot"}]),
    ("affinity", "here"),
    ("podLabels", {"a": 1}),
    ("podAnnotations", ["a"]),
    ("extraVolumes", {"name": "a"}),
]


def told(path: str, value: object) -> tuple[str, ...]:
    """The arguments that set a value, with the page on."""
    return (*WEB, "--set-json", f"{path}={json.dumps(value)}")


@functools.cache
def complaints(settings: tuple[str, ...]) -> str:
    """What Helm says where all of these are given at once: it names every one that the schema refuses."""
    result = run("template", "profile-studio", str(CHART), *settings)
    assert result.returncode != 0
    return result.stderr


def pod_of(component: str, *arguments: str) -> Object:
    """A workload's pod spec; KServe's predictor is one with fields of its own."""
    if component == "predictor":
        found: Object = the("InferenceService", "profile-predictor", *arguments)["spec"]["predictor"]
        return found
    template: Object = the("Deployment", f"profile-studio-{component}", *arguments)["spec"]["template"]["spec"]
    return template


def metadata_of(component: str, *arguments: str) -> Object:
    """Labels and annotations of a workload's pods."""
    if component == "predictor":
        return pod_of(component, *arguments)
    found: Object = the("Deployment", f"profile-studio-{component}", *arguments)["spec"]["template"]["metadata"]
    return found


@pytest.mark.parametrize(("component", "field", "value"), PASSED)
def test_it_reaches_the_pod_and_is_left_out_otherwise(component: str, field: str, value: object) -> None:
    everything = [argument for name, key, given in PASSED for argument in told(f"{name}.{key}", given)]
    assert pod_of(component, *everything)[field] == value
    if (component, field) not in (("predictor", "tolerations"), ("operator", "topologySpreadConstraints")):
        assert field not in pod_of(component, *WEB)


@pytest.mark.parametrize("component", WORKLOADS)
@pytest.mark.parametrize(("field", "value"), REFUSED)
def test_the_schema_refuses_another_shape(component: str, field: str, value: object) -> None:
    wrong = ((f"{name}.{key}", given) for name in WORKLOADS for key, given in REFUSED)
    assert f"{component}/{field}" in complaints(tuple(text for setting in wrong for text in told(*setting)))


@pytest.mark.parametrize("component", WORKLOADS)
def test_labels_and_annotations_of_pods(component: str) -> None:
    labels = [argument for name in WORKLOADS for argument in told(f"{name}.podLabels", {"team": name})]
    annotations = [argument for name in WORKLOADS for argument in told(f"{name}.podAnnotations", {"note": name})]
    metadata = metadata_of(component, *labels, *annotations)
    assert metadata["labels"]["team"] == component
    assert metadata["annotations"]["note"] == component


@pytest.mark.parametrize("component", WORKLOADS)
def test_pull_secrets(component: str) -> None:
    assert pod_of(component, *told("images.pullSecrets", ["registry"]))["imagePullSecrets"] == [{"name": "registry"}]


def test_common_labels_are_on_every_object_on_pods_and_on_the_stages_jobs() -> None:
    arguments = told("commonLabels", {"cost": "portraits"})
    page = "web.ingress.enabled=true,web.signIn.proxySecret=proxy"
    every = (*arguments, "--api-versions", "monitoring.coreos.com/v1", "--set", page)
    without = [
        (found["kind"], found["metadata"]["name"])
        for found in render(*every, "--set", "web.ingress.host=portraits.example.com")
        if found["metadata"].get("labels", {}).get("cost") != "portraits"
    ]
    assert without == []
    for component in ("operator", "history", "web"):
        assert metadata_of(component, *arguments)["labels"]["cost"] == "portraits"
    assert OperatorConfig.model_validate(config_of(*arguments)).jobs.labels == {"cost": "portraits"}
    assert "labels" not in config_of()["jobs"]


@pytest.mark.parametrize("stage", ["preprocess", "train", "finish"])
def test_what_a_stages_job_is_given_reaches_the_operator(stage: str) -> None:
    given = {
        "labels": {"team": "portraits"},
        "annotations": {"sidecar.istio.io/inject": "false"},
        "affinity": AFFINITY,
        "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/etc/store-ca/ca.crt"}],
        "extraVolumes": [{"name": "store-ca", "configMap": {"name": "store-ca"}}],
        "extraVolumeMounts": [{"name": "store-ca", "mountPath": "/etc/store-ca", "readOnly": True}],
        "nodeSelector": {"pool": "portraits"},
        "runtimeClassName": "nvidia",
        "priorityClassName": "low",
    }
    arguments = [argument for field, value in given.items() for argument in told(f"jobs.{stage}.{field}", value)]
    config = OperatorConfig.model_validate(config_of(*arguments))
    document = config.jobs.document()[stage]
    assert {field: document[field] for field in given} == given


OF_A_JOB = [
    ("labels", {"a": 1}),
    ("annotations", ["a"]),
    ("affinity", "here"),
    ("extraEnv", {"A": "b"}),
    ("extraEnvs", []),
]


@pytest.mark.parametrize(("field", "value"), OF_A_JOB)
def test_the_schema_refuses_another_shape_of_a_job(field: str, value: object) -> None:
    where = "'extraEnvs'" if field == "extraEnvs" else f"jobs/train/{field}"
    wrong = ((f"jobs.train.{key}", given) for key, given in OF_A_JOB)
    assert where in complaints(tuple(text for setting in wrong for text in told(*setting)))


def test_the_pages_account_can_be_annotated() -> None:
    annotations = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/page"}
    account = the("ServiceAccount", "profile-studio-web", *told("web.serviceAccount.annotations", annotations))
    assert account["metadata"]["annotations"] == annotations
    assert "annotations" not in the("ServiceAccount", "profile-studio-web", *WEB)["metadata"]


@pytest.mark.parametrize("component", ["web", "predictor"])
def test_a_disruption_budget_says_one_of_the_two(component: str) -> None:
    name = "profile-predictor" if component == "predictor" else "profile-studio-web"
    place = f"{component}.podDisruptionBudget"
    on = told(f"{place}.enabled", value=True)

    def said(*arguments: str) -> Object:
        spec = dict(the("PodDisruptionBudget", name, *on, *arguments)["spec"])
        del spec["selector"]
        return spec

    assert said() == {"maxUnavailable": 1}
    assert said(*told(f"{place}.maxUnavailable", "25%")) == {"maxUnavailable": "25%"}
    assert said(*told(f"{place}.minAvailable", 1)) == {"minAvailable": 1}
    assert said(*told(f"{place}.minAvailable", 0)) == {"minAvailable": 0}
    assert name not in of_kind("PodDisruptionBudget", *told(f"{place}.enabled", value=False))
    result = run("template", "profile-studio", str(CHART), *told(f"{place}.minAvailable", "many"))
    assert result.returncode != 0
    assert "minAvailable" in result.stderr
