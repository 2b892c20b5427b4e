"""The Helm chart: the objects that it makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from chart import (
    CHART,
    CLUSTER,
    CPU,
    NAMES,
    STYLES,
    Object,
    config_of,
    of_kind,
    render,
    run,
    the,
)
from profile_operator.config import OperatorConfig
from profile_runtime.weights import named_digests

# --- objects -----------------------------------------------------------------------------------------------------


def test_everything_that_is_made(sandbox_values: tuple[str, ...]) -> None:
    made = {(found["kind"], found["metadata"]["name"]) for found in render(*sandbox_values)}
    assert made == {
        ("CustomResourceDefinition", "profilerequests.profilestudio.io"),
        ("CustomResourceDefinition", "clusterprofilestyles.profilestudio.io"),
        ("CustomResourceDefinition", "profilestyles.profilestudio.io"),
        ("CustomResourceDefinition", "clusterstyleadapters.profilestudio.io"),
        ("CustomResourceDefinition", "styleadapters.profilestudio.io"),
        ("ServiceAccount", "profile-studio"),
        *(("ClusterRole", f"{CLUSTER}-{role}") for role in ("cluster", "requests", "edit", "view", "uninstall")),
        *(("ClusterRoleBinding", f"{CLUSTER}-{role}") for role in ("cluster", "requests", "uninstall")),
        ("ConfigMap", "profile-studio-operator"),
        ("Deployment", "profile-studio-operator"),
        *((kind, "profile-studio-history") for kind in ("ServiceAccount", "Deployment", "NetworkPolicy")),
        *((kind, f"{CLUSTER}-history") for kind in ("ClusterRole", "ClusterRoleBinding")),
        *((kind, "profile-studio-predictors") for kind in ("Role", "RoleBinding")),
        ("Service", "profile-studio-operator"),
        ("ServingRuntime", "profile-studio-sdxl"),
        ("InferenceService", "profile-predictor"),
        ("NetworkPolicy", "profile-studio-operator"),
        ("PodDisruptionBudget", "profile-studio-operator"),
        ("Role", "profile-studio-operator-lease"),
        ("RoleBinding", "profile-studio-operator-lease"),
        ("NetworkPolicy", "profile-studio-predictor"),
        ("NetworkPolicy", "profile-studio-test"),
        ("NetworkPolicy", "profile-studio-uninstall"),
        *(("ConfigMap", f"profile-studio-dashboard-{board}") for board in ("gpu", "likeness", "predictor", "requests")),
        *((kind, "profile-studio-test") for kind in ("ServiceAccount", "Role", "RoleBinding", "Pod")),
        *((kind, "profile-studio-uninstall") for kind in ("ServiceAccount", "Job")),
        *(("ClusterProfileStyle", style) for style in STYLES),
    }


def test_operator_container(sandbox_values: tuple[str, ...]) -> None:
    spec = the("Deployment", "profile-studio-operator", *sandbox_values)["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert spec["selector"] == {"matchLabels": {**NAMES, "app.kubernetes.io/component": "operator"}}
    pod = spec["template"]["spec"]
    assert (pod["serviceAccountName"], pod["enableServiceLinks"]) == ("profile-studio", False)
    (container,) = pod["containers"]

    def secret(variable: str, name: str, key: str) -> Object:
        return {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}

    assert container["env"] == [
        {"name": "PROFILE_CONFIG", "value": "/config/config.yaml"},
        secret("AWS_ACCESS_KEY_ID", "profile-store", "accessKey"),
        secret("AWS_SECRET_ACCESS_KEY", "profile-store", "secretKey"),
        secret("PROFILE_REDIS", "profile-redis", "url"),
        {
            "name": "PROFILE_STAGE_REDIS",
            "valueFrom": {"secretKeyRef": {"name": "profile-redis", "key": "stageUrl", "optional": True}},
        },
    ]
    assert (container["image"], container["imagePullPolicy"]) == ("localhost/profile-studio/operator:dev", "Never")
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "health"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/metrics", "port": "metrics"}
    assert container["resources"] == {
        "requests": {"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
        "limits": {"memory": "512Mi", "ephemeral-storage": "1Gi"},
    }
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/config", "/tmp"}


def test_without_database_and_redis_nothing_names_their_secrets() -> None:
    (container,) = the("Deployment", "profile-studio-operator")["spec"]["template"]["spec"]["containers"]
    assert {variable["name"] for variable in container["env"]} == {
        "PROFILE_CONFIG",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    }


def test_roles_allow_what_the_operator_does_and_nothing_else() -> None:
    group = "profilestudio.io"
    assert the("ClusterRole", f"{CLUSTER}-requests")["rules"] == [
        {"apiGroups": [group], "resources": ["profilerequests"], "verbs": ["get", "list", "watch", "patch"]},
        {"apiGroups": [group], "resources": ["profilestyles"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [group], "resources": ["profilestyles/status"], "verbs": ["patch"]},
        {"apiGroups": [group], "resources": ["styleadapters"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [group], "resources": ["styleadapters/status"], "verbs": ["patch"]},
        {"apiGroups": [group], "resources": ["profilerequests/status"], "verbs": ["update", "patch"]},
        {
            "apiGroups": [group],
            "resources": ["profilerequests/finalizers", "styleadapters/finalizers"],
            "verbs": ["update"],
        },
        {
            "apiGroups": ["batch"],
            "resources": ["jobs"],
            "verbs": ["get", "list", "watch", "create", "delete"],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "delete"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "list"]},
    ]
    kueue = ("--set", "admission.mode=Kueue,admission.queue=portraits")
    assert the("ClusterRole", f"{CLUSTER}-requests", *kueue)["rules"] == [
        *the("ClusterRole", f"{CLUSTER}-requests")["rules"],
        {"apiGroups": ["kueue.x-k8s.io"], "resources": ["localqueues"], "verbs": ["get"]},
    ]
    assert the("ClusterRole", f"{CLUSTER}-cluster")["rules"] == [
        {"apiGroups": [group], "resources": ["clusterprofilestyles"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [group], "resources": ["clusterprofilestyles/status"], "verbs": ["patch"]},
        {"apiGroups": [group], "resources": ["clusterstyleadapters"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [group], "resources": ["clusterstyleadapters/status"], "verbs": ["patch"]},
        {"apiGroups": [group], "resources": ["clusterstyleadapters/finalizers"], "verbs": ["update"]},
        {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": ["list", "watch"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]},
    ]


def test_namespaced_mode_binds_in_the_named_namespaces_only() -> None:
    arguments = ("--set", "watchNamespaces={hr,campus}")
    everywhere = {f"{CLUSTER}-{role}" for role in ("cluster", "drain", "uninstall")}
    assert set(of_kind("ClusterRoleBinding", *arguments)) == everywhere
    # A namespace that is going has lost its RoleBinding: requests alone, and nothing that could do harm elsewhere.
    assert the("ClusterRole", f"{CLUSTER}-drain", *arguments)["rules"] == [
        {
            "apiGroups": ["profilestudio.io"],
            "resources": ["profilerequests"],
            "verbs": ["get", "list", "watch", "patch"],
        },
        {"apiGroups": ["profilestudio.io"], "resources": ["profilerequests/status"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    ]
    bindings = [
        found
        for found in render(*arguments)
        if found["kind"] == "RoleBinding" and "helm.sh/hook" not in found["metadata"].get("annotations", {})
        # The operators' own lease is in the release's namespace.
        if found["metadata"]["name"] != "profile-studio-operator-lease"
        if found["roleRef"]["kind"] == "ClusterRole"
    ]
    # Where the predictors are, the operator may learn their addresses.
    assert the("Role", "profile-studio-predictors", *arguments)["rules"] == [
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]}
    ]
    assert [found["metadata"]["namespace"] for found in bindings] == ["hr", "campus"]
    for binding in bindings:
        assert binding["roleRef"] == {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": f"{CLUSTER}-requests",
        }
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": "profile-studio", "namespace": "profile-system"}
        ]
    rules = the("ClusterRole", f"{CLUSTER}-cluster", *arguments)["rules"]
    assert {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]} in rules


def test_the_digests_of_weights_reach_all_who_load_them(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"models": {"sha256": {"sdxl-1.0": "A" * 64, "face.onnx": "required"}}}))
    arguments = ("--values", str(values), "--set", "models.existingClaim=weights")
    said = f"face.onnx=required,sdxl-1.0={'A' * 64}"
    (container,) = the("ServingRuntime", "profile-studio-sdxl", *arguments)["spec"]["containers"]
    assert {"name": "PROFILE_WEIGHTS_SHA256", "value": said} in container["env"]
    jobs = config_of(*arguments)["jobs"]
    for stage in ("preprocess", "train", "finish"):
        assert jobs[stage]["env"]["PROFILE_WEIGHTS_SHA256"] == said
    assert named_digests({"PROFILE_WEIGHTS_SHA256": said}) == {"face.onnx": "required", "sdxl-1.0": "a" * 64}
    assert "PROFILE_WEIGHTS_SHA256" not in yaml.safe_dump_all(render())


def test_the_log_of_every_program_has_the_form_that_is_chosen() -> None:
    web = "web.enabled=true,web.store.publicUrl=https://store.example.com"
    arguments = ("--set", f"logging.format=json,{web}")
    deployments = of_kind("Deployment", *arguments)
    assert {"profile-studio-operator", "profile-studio-web"} <= deployments.keys()
    pods = [deployment["spec"]["template"]["spec"] for deployment in deployments.values()]
    for pod in [*pods, the("ServingRuntime", "profile-studio-sdxl", *arguments)["spec"]]:
        assert {"name": "PROFILE_LOG_FORMAT", "value": "json"} in pod["containers"][0]["env"]
    jobs = config_of(*arguments)["jobs"]
    assert [jobs[stage]["env"]["PROFILE_LOG_FORMAT"] for stage in ("preprocess", "train", "finish")] == 3 * ["json"]
    assert "PROFILE_LOG_FORMAT" not in yaml.safe_dump_all(render())
    # An upgrade that keeps the values of a release before this one.
    assert "PROFILE_LOG_FORMAT" not in yaml.safe_dump_all(render("--set", "logging=null"))


def test_operator_and_predictor_send_traces_where_a_collector_is_named() -> None:
    arguments = ("--set", "tracing.endpoint=http://collector.monitoring:4318,tracing.existingSecret=collector")
    operator = the("Deployment", "profile-studio-operator", *arguments)["spec"]["template"]["spec"]
    for pod in (operator, the("ServingRuntime", "profile-studio-sdxl", *arguments)["spec"]):
        env = {entry["name"]: entry for entry in pod["containers"][0]["env"]}
        assert env["OTEL_EXPORTER_OTLP_ENDPOINT"]["value"] == "http://collector.monitoring:4318"
        assert env["OTEL_EXPORTER_OTLP_HEADERS"]["valueFrom"] == {
            "secretKeyRef": {"name": "collector", "key": "headers"}
        }
    assert "OTEL_EXPORTER" not in yaml.safe_dump_all(render())
    # An upgrade that keeps the values of a release before this one.
    assert "OTEL_EXPORTER" not in yaml.safe_dump_all(render("--set", "tracing=null"))


@pytest.mark.parametrize("wrong", [{"sdxl": "abc"}, {"a=b": "required"}, {"a,b": "required"}, {"sdxl": ""}])
def test_what_is_no_digest_is_refused_by_the_chart(tmp_path: Path, wrong: Object) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"models": {"sha256": wrong}}))
    refused = run("template", "profile-studio", str(CHART), "--values", str(values))
    assert refused.returncode != 0
    assert "sha256" in refused.stderr


def test_gpus_are_asked_for_by_value() -> None:
    def limits(*arguments: str) -> Object:
        predictor = the("InferenceService", "profile-predictor", *arguments)["spec"]["predictor"]
        found: Object = predictor["containers"][0]["resources"]["limits"]
        return found

    assert limits()["nvidia.com/gpu"] == "1"
    assert limits("--set", "predictor.gpus=2", "--set", "gpu.resource=amd.com/gpu")["amd.com/gpu"] == "2"
    assert "nvidia.com/gpu" not in limits("--set", "gpu.enabled=false")
    assert OperatorConfig.model_validate(config_of("--set", "gpu.enabled=false")).jobs.train.gpus == 0


def test_images_by_digest_win_over_the_tag() -> None:
    digest = "sha256:" + "0" * 64
    config = config_of("--set", f"images.digests.train={digest}", "--set", "images.tag=1.2.3")
    assert config["jobs"]["train"]["image"] == f"registry.example.com/profile-studio/train@{digest}"
    assert config["jobs"]["finish"]["image"] == "registry.example.com/profile-studio/finish:1.2.3"


def test_a_parent_charts_registry_takes_the_place_of_the_host_of_every_image() -> None:
    told = (
        *("--set", "global.imageRegistry=mirror.internal:5000,global.others=1,web.enabled=true"),
        *("--set", "database.existingSecret=x,web.store.publicUrl=https://s.example.com"),
    )
    pods = [item["spec"]["template"]["spec"] for item in render(*told) if item["kind"] in ("Deployment", "Job")]
    images = {container["image"] for pod in pods for container in pod["containers"]}
    images |= {job["image"] for job in config_of(*told)["jobs"].values() if isinstance(job, dict) and "image" in job}
    images |= {item["spec"]["containers"][0]["image"] for item in render(*told) if item["kind"] == "Pod"}
    images |= {c["image"] for item in of_kind("ServingRuntime", *told).values() for c in item["spec"]["containers"]}
    places = {image.rpartition("/")[0] for image in images}
    names = {image.rpartition("/")[2].partition(":")[0] for image in images}
    assert places == {"mirror.internal:5000/profile-studio"}
    assert names == {"operator", "history", "web", "predictor", "preprocess", "train", "finish"}


@pytest.mark.parametrize(("said", "kept"), [((), 3), (("--set", "revisionHistoryLimit=0"), 0)])
def test_so_many_former_revisions_of_every_deployment_are_kept(said: tuple[str, ...], kept: int) -> None:
    on = ("--set", "database.existingSecret=x,web.enabled=true,web.store.publicUrl=https://s.example.com")
    deployments = of_kind("Deployment", *on, *said)
    assert [item["spec"]["revisionHistoryLimit"] for item in deployments.values()] == [kept] * 3


@pytest.mark.parametrize("arguments", [(), ("--set", "models.existingClaim=weights"), CPU], ids=["gpu", "claim", "cpu"])
def test_every_pod_meets_the_restricted_standard(arguments: tuple[str, ...]) -> None:
    pods = [the("Deployment", "profile-studio-operator", *arguments)["spec"]["template"]["spec"]]
    service = the("InferenceService", "profile-predictor", *arguments)["spec"]["predictor"]
    runtime = the("ServingRuntime", "profile-studio-sdxl", *arguments)["spec"]
    pods.append({**runtime, **service})
    for pod in pods:
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == 65532
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        for volume in pod["volumes"]:
            assert volume.keys() & {"configMap", "emptyDir"}
    assert service["automountServiceAccountToken"] is False


def test_metrics_are_annotated(sandbox_values: tuple[str, ...]) -> None:
    wanted = {"prometheus.io/scrape": "true", "prometheus.io/path": "/metrics"}
    operator = the("Deployment", "profile-studio-operator", *sandbox_values)["spec"]["template"]["metadata"]
    assert {**wanted, "prometheus.io/port": "9090"}.items() <= operator["annotations"].items()
    predictor = the("InferenceService", "profile-predictor", *sandbox_values)["spec"]["predictor"]
    assert {**wanted, "prometheus.io/port": "9090"}.items() <= predictor["annotations"].items()
    plain = ("--set", "metrics.annotations=false")
    assert "annotations" not in the("Service", "profile-studio-operator", *plain)["metadata"]


def test_disruption_budget_is_optional() -> None:
    assert set(of_kind("PodDisruptionBudget")) == {"profile-studio-operator"}
    budget = the("PodDisruptionBudget", "profile-predictor", "--set", "predictor.podDisruptionBudget.enabled=true")
    assert budget["spec"]["maxUnavailable"] == 1


def test_more_environment_and_volumes_reach_every_container() -> None:
    env = [{"name": "EXTRA", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    volumes, mounts = [{"name": "ca", "configMap": {"name": "ca"}}], [{"name": "ca", "mountPath": "/etc/ca"}]
    arguments: list[str] = ["--set", "web.enabled=true,web.store.publicUrl=https://store.example.com"]
    arguments += ["--set", "database.existingSecret=profile-database"]
    for component in ("operator", "history", "predictor", "web"):
        for field, value in (("extraEnv", env), ("extraVolumes", volumes), ("extraVolumeMounts", mounts)):
            arguments += ["--set-json", f"{component}.{field}={json.dumps(value)}"]
    pods = [
        the("Deployment", f"profile-studio-{component}", *arguments)["spec"]["template"]["spec"]
        for component in ("operator", "history", "web")
    ]
    pods += [the("InferenceService", "profile-predictor", *arguments)["spec"]["predictor"]]
    pods += [the("ServingRuntime", "profile-studio-sdxl", *arguments)["spec"]]
    for pod in pods:
        (container,) = pod["containers"]
        assert env[0] in container["env"]
        assert mounts[0] in container["volumeMounts"]
        assert volumes[0] in pod["volumes"]


def test_helms_test_asks_in_a_namespace_that_is_watched() -> None:
    def arguments(*values: str) -> list[str]:
        found: list[str] = the("Pod", "profile-studio-test", *values)["spec"]["containers"][0]["args"]
        return found

    assert arguments()[0] == "--namespace=profile-system"
    assert arguments("--set", "watchNamespaces={hr,campus}")[0] == "--namespace=hr"
    assert arguments("--set", "test.photos=uploads/test/")[2] == "--photos=uploads/test/"
    assert not [one for one in arguments() if "likeness" in one]
    assert "--minimum-likeness=0" in arguments("--set", "test.minimumLikeness=0")
