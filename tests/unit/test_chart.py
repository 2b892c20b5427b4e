"""The Helm chart, rendered by Helm itself: what it makes, and what it refuses."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from profile_contract.model import Contract
from profile_contract.orders import PreprocessParameters, TrainParameters
from profile_contract.style import ProfileStyleSpec
from profile_operator.config import FinishConfig, GenerationConfig, OperatorConfig, StageJob
from profile_sandbox.build import programs_folder
from profile_sandbox.values import chart_values

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "profile-studio"
CPU = ("--values", str(CHART / "values-cpu.yaml"))
STYLES_KNOWN = ("--api-versions", "profilestudio.io/v1alpha1/ProfileStyle")
NAMES = {"app.kubernetes.io/name": "profile-studio", "app.kubernetes.io/instance": "profile-studio"}
STYLES = {"studio-warm", "studio-cool", "business-neutral", "campus"}

Object = dict[str, Any]


@functools.cache
def helm() -> str:
    found = programs_folder() / "helm"
    program = str(found) if found.exists() else shutil.which("helm")
    if program is None:
        pytest.skip("helm is neither compiled (`make binaries`) nor on the PATH")
    return program


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([helm(), *arguments], capture_output=True, text=True, check=False)


@functools.cache
def render(*arguments: str) -> tuple[Object, ...]:
    result = run("template", "profile-studio", str(CHART), "--namespace", "profile-system", *arguments)
    assert result.returncode == 0, result.stderr
    return tuple(document for document in yaml.safe_load_all(result.stdout) if document)


def of_kind(kind: str, *arguments: str) -> dict[str, Object]:
    return {found["metadata"]["name"]: found for found in render(*arguments) if found["kind"] == kind}


def the(kind: str, name: str, *arguments: str) -> Object:
    return of_kind(kind, *arguments)[name]


def config_of(*arguments: str) -> Object:
    text = the("ConfigMap", "profile-studio-operator", *arguments)["data"]["config.yaml"]
    document: Object = yaml.safe_load(text)
    return document


@pytest.fixture(scope="module")
def sandbox_values(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The arguments with which the chart runs in the sandbox."""
    file = tmp_path_factory.mktemp("chart") / "values.yaml"
    file.write_text(yaml.safe_dump(chart_values()))
    return (*CPU, "--values", str(file))


# --- what Helm says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [(), CPU], ids=["defaults", "cpu"])
def test_lint_is_clean(values: tuple[str, ...]) -> None:
    result = run("lint", "--strict", str(CHART), *values)
    assert result.returncode == 0, result.stdout
    assert "[WARNING]" not in result.stdout


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("store.endpoint=http://minio:9000", "store/endpoint"),
        ("store.endpoint=minio", "store/endpoint"),
        ("store.existingSecret=", "store/existingSecret"),
        ("store.password=abc", "password"),
        ("images.pullPolicy=Sometimes", "images/pullPolicy"),
        ("images.digests.trainer=abc", "images/digests/trainer"),
        ("images.digests.web=abc", "web"),
        ("training.rank=0", "training/rank"),
        ("training.steps=many", "training/steps"),
        ("training.learnigRate=1", "learnigRate"),
        ("generation.width=100", "generation/width"),
        ("generation.batch=9", "generation/batch"),
        ("jobs.credentialsSeconds=60", "jobs/credentialsSeconds"),
        ("jobs.train.image=x", "image"),
        ("jobs.train.resources.requests.memory=lots", "memory"),
        ("predictor.name=Bad_Name", "predictor/name"),
        ("predictor.slots=0", "predictor/slots"),
        ("watchNamespaces={Bad_Name}", "watchNamespaces/0"),
        ("operator.replicas=2", "replicas"),
        ("crds.enabled=true", "enabled"),
        ("gpus=1", "gpus"),
    ],
)
def test_schema_names_the_value_it_refuses(setting: str, complaint: str) -> None:
    result = run("template", "profile-studio", str(CHART), "--set", setting)
    assert result.returncode != 0, f"{setting} was accepted"
    assert complaint in result.stderr


def test_a_training_size_that_sdxl_cannot_have_is_refused() -> None:
    assert run("template", "x", str(CHART), "--set", "training.resolution=32").returncode != 0


# --- the operator's configuration --------------------------------------------------------------------------------


def test_config_in_the_sandbox(sandbox_values: tuple[str, ...]) -> None:
    config = OperatorConfig.model_validate(config_of(*sandbox_values))
    common = {"imagePullPolicy": "Never", "gpus": 0, "gpuResource": "nvidia.com/gpu"}
    assert config.document()["store"] == {
        "endpoint": "minio.profile-services.svc:9000",
        "bucket": "profiles",
        "region": "us-east-1",
        "secure": False,
        "ownEndpoint": "",
    }
    assert config.jobs.train == StageJob.model_validate(
        {
            **common,
            "image": "localhost/profile-studio/trainer:dev",
            "resources": {"requests": {"cpu": "200m", "memory": "768Mi"}, "limits": {"memory": "4Gi"}},
            "activeDeadlineSeconds": 14400,
            "backoffLimit": 3,
            "scratchSize": "2Gi",
            "env": {"OMP_NUM_THREADS": "1"},
        }
    )
    assert config.jobs.preprocess.image == "localhost/profile-studio/preprocess:dev"
    assert config.jobs.finish.image == "localhost/profile-studio/finisher:dev"
    assert (config.training.base_model, config.training.control_model) == (
        "studio-random",
        "studio-random-controlnet",
    )
    assert (config.training.resolution, config.preprocess.resolution, config.generation.width) == (128, 128, 128)
    assert config.generation.url("profile-predictor") == (
        "http://profile-predictor-predictor.profile-system.svc.cluster.local"
    )
    assert (config.metrics_port, config.health_port) == (9090, 8080)


def test_config_by_default_asks_for_gpus_and_real_weights() -> None:
    config = OperatorConfig.model_validate(config_of())
    assert (config.jobs.train.gpus, config.jobs.preprocess.gpus, config.jobs.finish.gpus) == (1, 0, 0)
    assert [taint.key for taint in config.jobs.train.tolerations] == ["nvidia.com/gpu"]
    assert config.training == TrainParameters(
        base_model="stable-diffusion-xl-base-1.0", control_model="controlnet-openpose-sdxl-1.0"
    )
    assert config.preprocess == PreprocessParameters()
    assert config.generation == GenerationConfig(namespace="profile-system")
    assert config.finish == FinishConfig()


def test_config_takes_what_the_values_say() -> None:
    arguments = ["--set", "watchNamespaces={hr,campus}", "--set", "models.existingClaim=weights"]
    arguments += ["--set", "operator.config.workers=3", "--set", "images.pullSecrets={registry}"]
    config = OperatorConfig.model_validate(config_of(*arguments))
    assert config.watch_namespaces == ["hr", "campus"]
    assert (config.jobs.models_claim, config.jobs.image_pull_secrets, config.workers) == ("weights", ["registry"], 3)


@pytest.mark.parametrize(
    ("section", "model"),
    [
        ("training", TrainParameters),
        ("preprocess", PreprocessParameters),
        ("generation", GenerationConfig),
        ("finish", FinishConfig),
    ],
)
def test_schema_knows_every_field_of_the_configuration(section: str, model: type[Contract]) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"][section]
    assert set(schema["properties"]) == {field.alias for field in model.model_fields.values()}


def test_schema_knows_every_field_of_a_job() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())["$defs"]["job"]
    made_by_the_chart = {"image", "imagePullPolicy", "gpuResource"}
    assert set(schema["properties"]) == {field.alias for field in StageJob.model_fields.values()} - made_by_the_chart


def test_a_changed_configuration_restarts_the_operator() -> None:
    def checksum(*arguments: str) -> str:
        deployment = the("Deployment", "profile-studio-operator", *arguments)
        text: str = deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        return text

    assert checksum() == checksum("--set", "images.pullPolicy=IfNotPresent")
    assert checksum() != checksum("--set", "training.rank=16")


# --- objects -----------------------------------------------------------------------------------------------------


def test_everything_that_is_made(sandbox_values: tuple[str, ...]) -> None:
    made = {(found["kind"], found["metadata"]["name"]) for found in render(*sandbox_values)}
    assert made == {
        ("CustomResourceDefinition", "profilerequests.profilestudio.io"),
        ("CustomResourceDefinition", "profilestyles.profilestudio.io"),
        ("ServiceAccount", "profile-studio"),
        *(("ClusterRole", f"profile-studio-{role}") for role in ("cluster", "requests", "edit", "view")),
        ("ClusterRoleBinding", "profile-studio-cluster"),
        ("ClusterRoleBinding", "profile-studio-requests"),
        ("ConfigMap", "profile-studio-operator"),
        ("Deployment", "profile-studio-operator"),
        ("Service", "profile-studio-operator"),
        ("ServingRuntime", "profile-studio-sdxl"),
        ("InferenceService", "profile-predictor"),
        ("NetworkPolicy", "profile-studio-operator"),
        ("NetworkPolicy", "profile-studio-predictor"),
        *(("ProfileStyle", style) for style in STYLES),
    }


def test_operator_container(sandbox_values: tuple[str, ...]) -> None:
    spec = the("Deployment", "profile-studio-operator", *sandbox_values)["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
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
        secret("PROFILE_DATABASE", "profile-database", "dsn"),
        secret("PROFILE_REDIS", "profile-redis", "url"),
    ]
    assert (container["image"], container["imagePullPolicy"]) == ("localhost/profile-studio/operator:dev", "Never")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "health"}
    assert container["resources"] == {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
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
    assert the("ClusterRole", "profile-studio-requests")["rules"] == [
        {"apiGroups": [group], "resources": ["profilerequests"], "verbs": ["get", "list", "watch", "patch"]},
        {"apiGroups": [group], "resources": ["profilerequests/status"], "verbs": ["update", "patch"]},
        {"apiGroups": [group], "resources": ["profilerequests/finalizers"], "verbs": ["update"]},
        {
            "apiGroups": ["batch"],
            "resources": ["jobs"],
            "verbs": ["get", "list", "watch", "create", "patch", "delete"],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "patch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
    ]
    assert the("ClusterRole", "profile-studio-cluster")["rules"] == [
        {"apiGroups": [group], "resources": ["profilestyles"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": ["list", "watch"]},
    ]


def test_namespaced_mode_binds_in_the_named_namespaces_only() -> None:
    arguments = ("--set", "watchNamespaces={hr,campus}")
    assert set(of_kind("ClusterRoleBinding", *arguments)) == {"profile-studio-cluster"}
    bindings = [found for found in render(*arguments) if found["kind"] == "RoleBinding"]
    assert [found["metadata"]["namespace"] for found in bindings] == ["hr", "campus"]
    for binding in bindings:
        assert binding["roleRef"] == {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "profile-studio-requests",
        }
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": "profile-studio", "namespace": "profile-system"}
        ]
    rules = the("ClusterRole", "profile-studio-cluster", *arguments)["rules"]
    assert {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]} in rules


def test_predictor_container(sandbox_values: tuple[str, ...]) -> None:
    service = the("InferenceService", "profile-predictor", *sandbox_values)
    annotations = service["metadata"]["annotations"]
    assert annotations["serving.kserve.io/deploymentMode"] == "Standard"
    predictor = service["spec"]["predictor"]
    assert "model" not in predictor
    (container,) = predictor["containers"]
    assert container["name"] == "kserve-container"
    assert container["env"] == [
        {"name": "PROFILE_MODELS", "value": "/models"},
        {"name": "PROFILE_MODEL_NAME", "value": "profile-predictor"},
        {"name": "PROFILE_BASE_MODEL", "value": "studio-random"},
        {"name": "PROFILE_CONTROL_MODEL", "value": "studio-random-controlnet"},
        {"name": "PROFILE_SLOTS", "value": "4"},
        {"name": "PROFILE_MAXIMUM_RANK", "value": "64"},
        {"name": "PROFILE_QUEUE", "value": "16"},
        {"name": "PROFILE_GRACE_SECONDS", "value": "25"},
        {"name": "PROFILE_STORE_HOSTS", "value": "minio.profile-services.svc:9000"},
        {"name": "HOME", "value": "/tmp"},
        {"name": "OMP_NUM_THREADS", "value": "1"},
    ]
    # /v2/health/ready is always true.
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/v2/models/profile-predictor/ready", "port": 8080}
    assert container["resources"] == {"requests": {"cpu": "200m", "memory": "1Gi"}, "limits": {"memory": "4Gi"}}


def test_the_predictor_holds_no_secret(sandbox_values: tuple[str, ...]) -> None:
    for kind, name in (("InferenceService", "profile-predictor"), ("ServingRuntime", "profile-studio-sdxl")):
        text = json.dumps(the(kind, name, *sandbox_values))
        assert "secret" not in text.lower()
        assert "AWS_" not in text


def test_weights_on_a_claim_are_served_by_the_runtime() -> None:
    predictor = the("InferenceService", "profile-predictor", "--set", "models.existingClaim=weights")["spec"][
        "predictor"
    ]
    assert "containers" not in predictor
    assert predictor["model"]["runtime"] == "profile-studio-sdxl"
    assert predictor["model"]["storageUri"] == "pvc://weights"
    (container,) = the("ServingRuntime", "profile-studio-sdxl")["spec"]["containers"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    # KServe puts the service's name in, and mounts the claim there.
    assert (variables["PROFILE_MODEL_NAME"], variables["PROFILE_MODELS"]) == ("{{.Name}}", "/mnt/models")
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/models/{{.Name}}/ready"


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
    config = config_of("--set", f"images.digests.trainer={digest}", "--set", "images.tag=1.2.3")
    assert config["jobs"]["train"]["image"] == f"registry.example.com/profile-studio/trainer@{digest}"
    assert config["jobs"]["finish"]["image"] == "registry.example.com/profile-studio/finisher:1.2.3"


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
    assert {**wanted, "prometheus.io/port": "8080"}.items() <= predictor["annotations"].items()
    plain = ("--set", "metrics.annotations=false")
    assert "annotations" not in the("Service", "profile-studio-operator", *plain)["metadata"]


def test_the_predictor_is_reached_by_the_operator_and_reaches_the_store(sandbox_values: tuple[str, ...]) -> None:
    spec = the("NetworkPolicy", "profile-studio-predictor", *sandbox_values)["spec"]
    assert spec["podSelector"] == {"matchLabels": {"serving.kserve.io/inferenceservice": "profile-predictor"}}
    assert spec["ingress"] == [
        {
            "from": [
                {"podSelector": {"matchLabels": {**NAMES, "app.kubernetes.io/component": "operator"}}},
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "profile-services"}}},
            ],
            "ports": [{"port": 8080, "protocol": "TCP"}],
        }
    ]
    assert spec["egress"] == [
        {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
        {"ports": [{"port": 9000, "protocol": "TCP"}]},
    ]
    assert not of_kind("NetworkPolicy", "--set", "networkPolicies.enabled=false")


def test_disruption_budget_is_optional() -> None:
    assert not of_kind("PodDisruptionBudget")
    budget = the("PodDisruptionBudget", "profile-predictor", "--set", "predictor.podDisruptionBudget.enabled=true")
    assert budget["spec"]["maxUnavailable"] == 1


def test_predictor_can_be_left_out() -> None:
    kinds = {found["kind"] for found in render("--set", "predictor.enabled=false")}
    assert not kinds & {"InferenceService", "ServingRuntime"}


# --- custom resources --------------------------------------------------------------------------------------------


def test_the_chart_holds_the_generated_definitions() -> None:
    files = {file.name: file.read_text() for file in (ROOT / "crds").glob("*.yaml")}
    copies = {file.name: file.read_text() for file in (CHART / "files" / "crds").glob("*.yaml")}
    assert copies == files, "the chart's copy is old: run `make crds`"


def test_definitions_are_kept_unless_told_otherwise() -> None:
    for found in of_kind("CustomResourceDefinition").values():
        assert found["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    for found in of_kind("CustomResourceDefinition", "--set", "crds.keep=false").values():
        assert "annotations" not in found["metadata"]
    assert not of_kind("CustomResourceDefinition", "--set", "crds.install=false")


def test_styles_are_complete() -> None:
    styles = of_kind("ProfileStyle", *STYLES_KNOWN)
    assert set(styles) == STYLES
    for style in styles.values():
        spec = ProfileStyleSpec.model_validate(style["spec"])
        assert spec.title.en
        assert spec.title.ko
        assert "{subject}" in spec.prompt
        assert "{tone}" in spec.prompt
        assert spec.negative_prompt
    tones = {name: style["spec"]["tone"] for name, style in styles.items()}
    assert (tones["studio-warm"], tones["studio-cool"]) == ("Warm", "Cool")


def test_warm_and_cool_differ_in_light_and_nothing_of_the_person() -> None:
    warm, cool = (
        the("ProfileStyle", f"studio-{tone}", *STYLES_KNOWN)["spec"]["prompt"].split(", ") for tone in ("warm", "cool")
    )
    assert [(a, b) for a, b in zip(warm, cool, strict=True) if a != b] == [
        ("seamless cream paper backdrop", "seamless pale blue-grey paper backdrop")
    ]


def test_styles_come_by_a_hook_only_while_the_cluster_does_not_know_them() -> None:
    for style in of_kind("ProfileStyle").values():
        assert style["metadata"]["annotations"] == {
            "helm.sh/hook": "post-install,post-upgrade",
            "meta.helm.sh/release-name": "profile-studio",
            "meta.helm.sh/release-namespace": "profile-system",
        }
    for style in of_kind("ProfileStyle", *STYLES_KNOWN).values():
        assert "annotations" not in style["metadata"]
        assert style["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert not of_kind("ProfileStyle", "--set", "styles.install=false")


def test_the_install_page_shows_values_that_render(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    (shown,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "values.yaml"
    file.write_text(shown)
    pod = the("Deployment", "profile-studio-operator", "--values", str(file))["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "registry.example.com/profile-studio/operator:0.1.0"
    (binding,) = of_kind("RoleBinding", "--values", str(file)).values()
    assert binding["metadata"]["namespace"] == "hr"
