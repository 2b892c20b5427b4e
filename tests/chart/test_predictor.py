"""The predictor as the chart makes it: its container, its weights, whom it reaches and who reaches it."""

from __future__ import annotations

import json

from chart import (
    CHART,
    DNS,
    NAMES,
    config_of,
    of_kind,
    render,
    run,
    the,
)
from profile_contract.recipe import Recipe


def test_predictor_container(sandbox_values: tuple[str, ...]) -> None:
    service = the("InferenceService", "profile-predictor", *sandbox_values)
    annotations = service["metadata"]["annotations"]
    assert annotations["serving.kserve.io/deploymentMode"] == "Standard"
    # Without it KServe would make an Ingress or an HTTPRoute: a door for the whole world.
    assert service["metadata"]["labels"]["networking.kserve.io/visibility"] == "cluster-local"
    predictor = service["spec"]["predictor"]
    assert "model" not in predictor
    (container,) = predictor["containers"]
    assert container["name"] == "kserve-container"
    (recipe,) = (row["value"] for row in container["env"] if row["name"] == "PROFILE_RECIPE")
    assert "noise" in Recipe.model_validate_json(recipe).toy
    assert [row for row in container["env"] if row["name"] != "PROFILE_RECIPE"] == [
        {"name": "PROFILE_MODELS", "value": "/models"},
        {"name": "PROFILE_MODEL_NAME", "value": "profile-predictor"},
        {"name": "PROFILE_BASE_MODEL", "value": "studio-random"},
        {"name": "PROFILE_CONTROL_MODEL", "value": "studio-random-controlnet"},
        {"name": "PROFILE_SLOTS", "value": "4"},
        {"name": "PROFILE_MAXIMUM_RANK", "value": "64"},
        {"name": "PROFILE_ADAPTER_LAYERS", "value": "attention"},
        {"name": "PROFILE_QUEUE", "value": "16"},
        {"name": "PROFILE_GRACE_SECONDS", "value": "25"},
        {"name": "PROFILE_GRANT_SECONDS", "value": "1800"},
        {"name": "PROFILE_STORE_HOSTS", "value": "minio.profile-services.svc:9000"},
        {"name": "PROFILE_STORE_BUCKET", "value": "profiles"},
        {"name": "PROFILE_METRICS_PORT", "value": "9090"},
        {"name": "HOME", "value": "/tmp"},
        {"name": "OMP_NUM_THREADS", "value": "1"},
    ]
    assert container["ports"] == [
        {"name": "http1", "containerPort": 8080, "protocol": "TCP"},
        {"name": "metrics", "containerPort": 9090, "protocol": "TCP"},
    ]
    assert container["livenessProbe"]["httpGet"] == {"path": "/v2/health/live", "port": 8080}
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/v2/models/profile-predictor/ready", "port": 8080}
    assert container["resources"] == {"requests": {"cpu": "200m", "memory": "1Gi"}, "limits": {"memory": "4Gi"}}


def test_the_predictor_holds_no_secret(sandbox_values: tuple[str, ...]) -> None:
    for kind, name in (("InferenceService", "profile-predictor"), ("ServingRuntime", "profile-studio-sdxl")):
        text = json.dumps(the(kind, name, *sandbox_values))
        assert "secret" not in text.lower()
        assert "AWS_" not in text


def test_operator_and_predictor_share_a_token_where_one_is_named() -> None:
    named = ("--set", "predictor.existingSecret=predictor-token")
    wanted = {"secretKeyRef": {"name": "predictor-token", "key": "token"}}
    service = the("InferenceService", "profile-predictor", *named)["spec"]["predictor"]
    runtime = the("ServingRuntime", "profile-studio-sdxl", *named)["spec"]
    operator = the("Deployment", "profile-studio-operator", *named)["spec"]["template"]["spec"]
    for pod, variable in (
        (service, "PROFILE_TOKEN"),
        (runtime, "PROFILE_TOKEN"),
        (operator, "PROFILE_PREDICTOR_TOKEN"),
    ):
        (container,) = pod["containers"]
        assert [one["valueFrom"] for one in container["env"] if one["name"] == variable] == [wanted]


def test_weights_may_be_an_image_for_the_predictor_and_for_jobs() -> None:
    image = "registry.example.com/profile-models@sha256:" + "a" * 64
    predictor = the("InferenceService", "profile-predictor", "--set", f"models.image={image}")["spec"]["predictor"]
    (container,) = predictor["containers"]
    assert {"name": "models", "image": {"reference": image, "pullPolicy": "IfNotPresent"}} in predictor["volumes"]
    assert {"name": "models", "mountPath": "/models", "readOnly": True} in container["volumeMounts"]
    assert {"name": "PROFILE_MODELS", "value": "/models"} in container["env"]
    assert config_of("--set", f"models.image={image}")["jobs"]["modelsImage"] == image
    both = run("template", "p", str(CHART), "--set", f"models.image={image}", "--set", "models.existingClaim=weights")
    assert "models.existingClaim and models.image are both set" in both.stderr


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


def test_the_predictor_is_reached_by_the_operator_and_reaches_the_store(sandbox_values: tuple[str, ...]) -> None:
    spec = the("NetworkPolicy", "profile-studio-predictor", *sandbox_values)["spec"]
    assert spec["podSelector"] == {"matchLabels": {"serving.kserve.io/inferenceservice": "profile-predictor"}}
    assert spec["ingress"] == [
        {
            "from": [{"podSelector": {"matchLabels": {**NAMES, "app.kubernetes.io/component": "operator"}}}],
            "ports": [{"port": 8080, "protocol": "TCP"}],
        },
        {
            "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "profile-services"}}}],
            "ports": [{"port": 9090, "protocol": "TCP"}],
        },
    ]
    assert spec["egress"] == [
        DNS,
        {"ports": [{"port": 9000, "protocol": "TCP"}]},
    ]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert not of_kind("NetworkPolicy", "--set", "networkPolicies.enabled=false")


def test_the_predictor_is_told_the_stores_scheme_bucket_and_how_long_grants_live() -> None:
    said = (
        "--set",
        "store.secure=true,store.endpoint=s3.example.com:443,store.bucket=faces,generation.grantSeconds=600",
    )
    (container,) = the("InferenceService", "profile-predictor", *said)["spec"]["predictor"]["containers"]
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert variables["PROFILE_STORE_HOSTS"] == "https://s3.example.com:443"
    assert (variables["PROFILE_STORE_BUCKET"], variables["PROFILE_GRANT_SECONDS"]) == ("faces", "600")


def test_predictor_can_be_left_out() -> None:
    kinds = {found["kind"] for found in render("--set", "predictor.enabled=false")}
    assert not kinds & {"InferenceService", "ServingRuntime"}


def test_there_are_as_many_predictors_as_were_asked_for() -> None:
    predictor = the("InferenceService", "profile-predictor", "--set", "predictor.replicas=3")["spec"]["predictor"]
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (3, 3)


def test_networks_beside_the_base_model_are_named_where_the_platform_has_them() -> None:
    def named(*values: str) -> dict[str, str]:
        (container,) = the("InferenceService", "profile-predictor", *values)["spec"]["predictor"]["containers"]
        names = ("PROFILE_UPSCALER", "PROFILE_SAFETY_CHECKER")
        return {row["name"]: row["value"] for row in container["env"] if row["name"] in names}

    assert named() == {}
    values = ("--set", "predictor.upscaler=real-esrgan", "--set", "predictor.safetyChecker=checker")
    assert named(*values) == {"PROFILE_UPSCALER": "real-esrgan", "PROFILE_SAFETY_CHECKER": "checker"}
