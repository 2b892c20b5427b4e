"""The history's own deployment: there where a database is named, with rights of its own and few of them."""

from __future__ import annotations

import pytest

from chart import CHART, CLUSTER, NAMES, Object, of_kind, render, run, the

DATABASE = ("--set", "database.existingSecret=profile-database")
PROMETHEUS_OPERATOR = ("--api-versions", "monitoring.coreos.com/v1")
NAME = "profile-studio-history"


def container(*arguments: str) -> Object:
    (found,) = the("Deployment", NAME, *DATABASE, *arguments)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def told(variables: list[Object]) -> dict[str, str]:
    """What the environment says, Secrets as NAME/KEY."""
    return {
        one["name"]: one["value"] if "value" in one else "/".join(one["valueFrom"]["secretKeyRef"].values())
        for one in variables
    }


def test_without_a_database_nothing_of_it_is_there() -> None:
    assert not [one for one in render(*PROMETHEUS_OPERATOR) if "history" in one["metadata"]["name"]]


def test_one_pod_alone_watches() -> None:
    spec = the("Deployment", NAME, *DATABASE)["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert spec["selector"] == {"matchLabels": {**NAMES, "app.kubernetes.io/component": "history"}}
    assert container()["image"] == "registry.example.com/profile-studio/history:0.2.0"
    for probe in ("startupProbe", "livenessProbe"):
        assert container()[probe]["httpGet"] == {"path": "/healthz", "port": "metrics"}


def test_it_is_told_store_database_and_namespaces() -> None:
    variables = told(container("--set", "watchNamespaces={hr,campus}", "--set", "store.secure=true")["env"])
    assert variables == {
        "PROFILE_STORE": "s3://profile-studio?endpoint=minio.minio.svc%3A9000&secure=true&region=us-east-1",
        "PROFILE_NAMESPACES": "hr,campus",
        "PROFILE_RESYNC_SECONDS": "3600",
        "AWS_ACCESS_KEY_ID": "profile-store/accessKey",
        "AWS_SECRET_ACCESS_KEY": "profile-store/secretKey",
        "PROFILE_DATABASE": "profile-database/dsn",
    }


def test_it_takes_an_account_of_its_own_in_the_store() -> None:
    variables = told(container("--set", "history.store.existingSecret=profile-history-store")["env"])
    assert variables["AWS_ACCESS_KEY_ID"] == "profile-history-store/accessKey"
    assert variables["AWS_SECRET_ACCESS_KEY"] == "profile-history-store/secretKey"


def test_nobody_but_the_history_knows_the_database() -> None:
    knowing = [one["metadata"]["name"] for one in render(*DATABASE) if "profile-database" in str(one)]
    assert knowing == [NAME]


def test_it_reads_requests_and_nothing_else_everywhere_or_where_it_is_told() -> None:
    rules = the("ClusterRole", f"{CLUSTER}-history", *DATABASE)["rules"]
    assert rules == [
        {"apiGroups": ["profilestudio.io"], "resources": ["profilerequests"], "verbs": ["get", "list", "watch"]}
    ]
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": "profile-system"}
    everywhere = (*DATABASE, "--set", "clusterWide=true")
    binding = the("ClusterRoleBinding", f"{CLUSTER}-history", *everywhere)
    assert (binding["roleRef"]["name"], binding["subjects"]) == (f"{CLUSTER}-history", [subject])
    named = (*DATABASE, "--set", "watchNamespaces={hr,campus}")
    assert f"{CLUSTER}-history" not in of_kind("ClusterRoleBinding", *named)
    bindings = [one for one in render(*named) if one["kind"] == "RoleBinding" and one["metadata"]["name"] == NAME]
    assert [one["metadata"]["namespace"] for one in bindings] == ["hr", "campus"]
    assert all(one["subjects"] == [subject] for one in bindings)


def test_it_runs_as_an_account_of_its_own() -> None:
    annotations = ("--set-json", 'history.serviceAccount.annotations={"eks.amazonaws.com/role-arn":"arn:aws:iam::1:r"}')
    account = the("ServiceAccount", NAME, *DATABASE, *annotations)
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:r"}
    pod = the("Deployment", NAME, *DATABASE)["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == NAME
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    assert container()["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_only_who_reads_metrics_may_call_it() -> None:
    (rule,) = the("NetworkPolicy", NAME, *DATABASE)["spec"]["ingress"]
    assert rule["ports"] == [{"port": "metrics", "protocol": "TCP"}]
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert rule["from"] == [monitoring]
    assert NAME not in of_kind("NetworkPolicy", *DATABASE, "--set", "networkPolicies.enabled=false")


def test_it_is_scraped() -> None:
    monitor = the("PodMonitor", NAME, *DATABASE, *PROMETHEUS_OPERATOR)["spec"]
    template = the("Deployment", NAME, *DATABASE)["spec"]["template"]
    assert monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert monitor["podMetricsEndpoints"][0]["port"] == container()["ports"][0]["name"]
    assert template["metadata"]["annotations"]["prometheus.io/port"] == "9090"
    off = the("Deployment", NAME, *DATABASE, "--set", "metrics.annotations=false")["spec"]["template"]
    assert "annotations" not in off["metadata"]


@pytest.mark.parametrize("seconds", ["0", "often", "100000"])
def test_a_resync_that_makes_no_sense_is_refused(seconds: str) -> None:
    result = run("template", "profile-studio", str(CHART), *DATABASE, "--set", f"history.resyncSeconds={seconds}")
    assert result.returncode != 0
    assert "history/resyncSeconds" in result.stderr
