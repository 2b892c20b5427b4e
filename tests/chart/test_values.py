"""The Helm chart's values: what they refuse, and the operator's configuration that comes of them."""

from __future__ import annotations

import functools

import pytest
import yaml

from chart import (
    CHART,
    CLUSTER,
    CPU,
    config_of,
    render,
    run,
    the,
)
from profile_contract.recipe import Recipe
from profile_contract.stages.preprocess import Captions, PreprocessParameters
from profile_contract.stages.train import TrainParameters
from profile_contract.style import SamplerName
from profile_operator.config import FinishConfig, GenerationConfig, OperatorConfig
from profile_operator.job_settings import StageJob
from profile_runtime.recipes import read_recipe_file

# --- what Helm says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [(), CPU], ids=["defaults", "cpu"])
def test_lint_is_clean(values: tuple[str, ...]) -> None:
    result = run("lint", "--strict", str(CHART), *values)
    assert result.returncode == 0, result.stdout
    assert "[WARNING]" not in result.stdout


REFUSED = [
    ("store.endpoint=http://minio:9000", "at '/store/endpoint'"),
    ("store.endpoint=minio", "at '/store/endpoint'"),
    ("store.existingSecret=", "at '/store/existingSecret'"),
    ("store.password=abc", "at '/store': additional properties 'password'"),
    ("images.pullPolicy=Sometimes", "at '/images/pullPolicy'"),
    ("images.digests.train=abc", "at '/images/digests/train'"),
    ("images.digests.web=abc", "at '/images/digests/web'"),
    ("training.rank=0", "at '/training/rank'"),
    ("training.steps=many", "at '/training/steps'"),
    ("training.learnigRate=1", "at '/training': additional properties 'learnigRate'"),
    ("generation.width=100", "at '/generation/width'"),
    ("generation.batch=9", "at '/generation/batch'"),
    ("jobs.credentialsSeconds=60", "at '/jobs/credentialsSeconds'"),
    ("jobs.train.image=x", "at '/jobs/train': additional properties 'image'"),
    ("jobs.train.resources.requests.memory=lots", "at '/jobs/train/resources/requests/memory'"),
    ("predictor.name=Bad_Name", "at '/predictor/name'"),
    ("predictor.slots=0", "at '/predictor/slots'"),
    ("watchNamespaces={Bad_Name}", "at '/watchNamespaces/0'"),
    ("operator.replicas=6", "at '/operator/replicas'"),
    ("crds.enabled=true", "at '/crds': additional properties 'enabled'"),
    ("gpus=1", "at '': additional properties 'gpus'"),
    ("jobs.train.activeDeadlineSeconds=999999", "at '/jobs/train/activeDeadlineSeconds'"),
    ("training.resolution=100", "at '/training/resolution'"),
    ("training.resolution=32", "at '/training/resolution'"),
    ("preprocess.resolution=100", "at '/preprocess/resolution'"),
    ("store.endpoint=fd00::1:9000", "at '/store/endpoint'"),
    ("store.endpoint=[minio]:9000", "at '/store/endpoint'"),
    ("store.endpoint=-minio:9000", "at '/store/endpoint'"),
    ("uninstall.check=maybe", "at '/uninstall/check'"),
    ("rbac.aggregate=edit", "at '/rbac/aggregate'"),
    ("revisionHistoryLimit=-1", "at '/revisionHistoryLimit'"),
    ("global.imageRegistry=mirror.internal/images", "at '/global/imageRegistry'"),
]


def batches() -> list[dict[str, str]]:
    """The settings in few calls of Helm, which names all that the schema refuses, where each value has one text."""
    calls: list[dict[str, str]] = []
    for setting, complaint in REFUSED:
        free = (call for call in calls if complaint not in call.values())
        call = next(free, None)
        if call is None:
            calls.append(call := {})
        call[setting] = complaint
    return calls


@functools.cache
def refusals(settings: tuple[str, ...]) -> str:
    """What Helm says of settings that are all wrong."""
    result = run(
        "template", "profile-studio", str(CHART), *(text for setting in settings for text in ("--set", setting))
    )
    assert result.returncode != 0, f"{settings} were accepted"
    return result.stderr


@pytest.mark.parametrize(("setting", "complaint"), REFUSED)
def test_schema_names_the_value_it_refuses(setting: str, complaint: str) -> None:
    call = next(call for call in batches() if setting in call)
    assert complaint in refusals(tuple(call))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("jobs.train.activeDeadlineSeconds=86400", "jobs.credentialsSeconds is 21600: it must be at least 87000"),
        ("jobs.preprocess.activeDeadlineSeconds=21001", "it must be at least 21601, jobs.preprocess.activeDeadline"),
        ("jobs.credentialsSeconds=900", "jobs.credentialsSeconds is 900: it must be at least 2400"),
        ("gpu.enabled=false,jobs.train.gpus=2", "jobs.train.gpus is 2, but gpu.enabled is false"),
        ("gpu.enabled=false,jobs.finish.gpus=1", "jobs.finish.gpus is 1, but gpu.enabled is false"),
        ("gpu.enabled=false,predictor.gpus=2", "predictor.gpus is 2, but gpu.enabled is false"),
        ("training.rank=128", "training.rank is 128, but the predictor takes adapters up to predictor.maximumRank 64"),
        ("predictor.maximumRank=16", "training.rank is 32, but the predictor takes adapters up to"),
        ("preprocess.minimumPhotos=30", "preprocess.minimumPhotos is 30 and preprocess.maximumPhotos 20"),
        ("preprocess.maximumPhotos=4", "preprocess.minimumPhotos is 5 and preprocess.maximumPhotos 4"),
        ("generation.callSeconds=3600", "generation.grantSeconds is 660 and generation.callSeconds 3600"),
        (
            "web.enabled=true,web.store.publicUrl=https://s.example.com,web.limits.mostPhotos=4",
            "web.limits.fewestPhotos is 5 and web.limits.mostPhotos 4",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused_in_a_sentence(settings: str, sentence: str) -> None:
    result = run("template", "profile-studio", str(CHART), "--set", settings)
    assert result.returncode != 0, f"{settings} was accepted"
    assert sentence in result.stderr


@pytest.mark.parametrize(
    "settings",
    [
        "gpu.enabled=false",
        "jobs.train.activeDeadlineSeconds=21000",
        "jobs.train.activeDeadlineSeconds=604200,jobs.credentialsSeconds=604800",
        "training.rank=64",
        "training.rank=128,predictor.enabled=false",
        "preprocess.minimumPhotos=20",
        "generation.callSeconds=660",
    ],
)
def test_values_at_the_edge_are_taken_by_chart_and_operator(settings: str) -> None:
    OperatorConfig.model_validate(config_of("--set", settings))


@pytest.mark.parametrize(
    "endpoint", ["minio.data.svc:9000", "s3.example.com:443", "[fd00::1]:9000", "[::ffff:10.0.0.1]:80", "10.0.0.1:9000"]
)
def test_a_store_is_named_by_name_or_by_address(endpoint: str) -> None:
    assert config_of("--set-string", f"store.endpoint={endpoint}")["store"]["endpoint"] == endpoint
    policy = the("NetworkPolicy", "profile-studio-predictor", "--set-string", f"store.endpoint={endpoint}")
    assert policy["spec"]["egress"][1]["ports"] == [{"port": int(endpoint.rpartition(":")[2]), "protocol": "TCP"}]


# --- the operator's configuration --------------------------------------------------------------------------------


def test_config_in_the_sandbox(sandbox_values: tuple[str, ...]) -> None:
    config = OperatorConfig.model_validate(config_of(*sandbox_values))
    common = {"imagePullPolicy": "Never", "gpus": 0, "gpuResource": "nvidia.com/gpu"}
    assert config.document()["store"] == {
        "endpoint": "minio.profile-services.svc:9000",
        "bucket": "profiles",
        "region": "us-east-1",
        "secure": False,
        "prefix": "",
        "ownEndpoint": "",
    }
    assert config.jobs.train == StageJob.model_validate(
        {
            **common,
            "image": "localhost/profile-studio/train:dev",
            "resources": {"requests": {"cpu": "200m", "memory": "768Mi"}, "limits": {"memory": "4Gi"}},
            "activeDeadlineSeconds": 14400,
            "backoffLimit": 3,
            "scratchSize": "2Gi",
            "env": {"OMP_NUM_THREADS": "1"},
        }
    )
    assert config.jobs.preprocess.image == "localhost/profile-studio/preprocess:dev"
    assert config.jobs.finish.image == "localhost/profile-studio/finish:dev"
    assert (config.training.base_model, config.training.control_model) == (
        "studio-random",
        "studio-random-controlnet",
    )
    assert (config.training.resolution, config.preprocess.resolution, config.generation.width) == (128, 128, 128)
    assert config.generation.url("profile-predictor") == "http://profile-predictor-predictor.profile-system.svc"
    assert (config.metrics_port, config.health_port) == (9090, 8080)


def test_config_by_default_asks_for_gpus_and_real_weights() -> None:
    config = OperatorConfig.model_validate(config_of())
    assert (config.jobs.train.gpus, config.jobs.preprocess.gpus, config.jobs.finish.gpus) == (1, 0, 0)
    assert [taint.key for taint in config.jobs.train.tolerations] == ["nvidia.com/gpu"]
    assert config.training == TrainParameters(
        base_model="stable-diffusion-xl-base-1.0", control_model="controlnet-openpose-sdxl-1.0", token="ohwx"
    )
    assert config.preprocess == PreprocessParameters(captions=Captions.DESCRIBED)
    assert config.generation == GenerationConfig(
        namespace="profile-system", sampler=SamplerName.EULER, pose_line_thousandths=21
    )
    assert config.finish == FinishConfig()


MINI = ("--set", "training.baseModel=studio-mini")
RECIPE = read_recipe_file(CHART / "recipes" / "studio-mini.yaml")


def test_naming_a_base_model_is_all_that_has_to_be_said() -> None:
    config = OperatorConfig.model_validate(config_of(*MINI))
    assert config.recipe == RECIPE
    assert (config.training.control_model, config.training.token) == ("studio-mini-controlnet", "sks")
    for name in RECIPE.training.model_fields_set:
        assert getattr(config.training, name) == getattr(RECIPE.training, name), name
    assert config.preprocess.face_percent == RECIPE.preprocess.face_percent
    assert config.preprocess.resolution == RECIPE.training.resolution
    for name in RECIPE.generation.model_fields_set:
        assert getattr(config.generation, name) == getattr(RECIPE.generation, name), name
    assert config.finish.toy
    (container,) = the("InferenceService", "profile-predictor", *MINI)["spec"]["predictor"]["containers"]
    predictor = {row["name"]: row.get("value") for row in container["env"]}
    assert predictor["PROFILE_ADAPTER_LAYERS"] == "everything"
    assert predictor["PROFILE_CONTROL_MODEL"] == "studio-mini-controlnet"
    assert Recipe.model_validate_json(str(predictor["PROFILE_RECIPE"])) == RECIPE


@pytest.mark.parametrize(
    ("said", "place", "value"),
    [
        ("training.rank=8", "training.rank", 8),
        ("training.validationImages=0", "training.validation_images", 0),
        ("training.controlModel=", "training.control_model", ""),
        ("training.noiseOffset=0", "training.noise_offset", 0),
        ("generation.controlEndPercent=0", "generation.control_end_percent", 0),
        ("generation.width=192", "generation.width", 192),
        ("preprocess.facePercent=30", "preprocess.face_percent", 30),
        ("preprocess.resolution=192", "preprocess.resolution", 192),
        ("finish.toy=false", "finish.toy", False),
        ("training.steps=null", "training.steps", RECIPE.training.steps),
    ],
)
def test_values_win_over_the_recipe_field_by_field_and_nothing_is_a_value_too(
    said: str, place: str, value: object
) -> None:
    config = OperatorConfig.model_validate(config_of(*MINI, "--set", said))
    section, name = place.split(".")
    assert getattr(getattr(config, section), name) == value
    # The rest stays.
    assert (config.training.learning_rate, config.generation.steps) == (1.5e-3, 20)


def test_a_strangers_model_brings_its_recipe_in_the_values() -> None:
    own = "recipe.training.rank=12,recipe.token=zwx,recipe.toy=A toy.,recipe.controlModel=poses"
    config = OperatorConfig.model_validate(config_of("--set", f"training.baseModel=mine,{own}"))
    assert (config.training.base_model, config.training.rank, config.training.token) == ("mine", 12, "zwx")
    assert (config.training.control_model, config.training.resolution, config.finish.toy) == ("poses", 1024, True)


def test_a_model_that_the_chart_does_not_know_gets_sdxls_recipe_and_the_notes_say_so() -> None:
    named = ("--set", "training.baseModel=tuned-by-us")
    config = OperatorConfig.model_validate(config_of(*named))
    assert (config.training.base_model, config.training.token) == ("tuned-by-us", "ohwx")
    assert config.training.control_model == "controlnet-openpose-sdxl-1.0"
    notes = (CHART / "templates" / "NOTES.txt").read_text()
    assert 'include "profile-studio.recipeOfAnother"' in notes


def test_a_wrong_recipe_in_the_values_is_refused_by_its_field() -> None:
    result = run("template", "profile-studio", str(CHART), "--set", "recipe.training.rnak=8")
    assert result.returncode != 0
    assert "/recipe/training" in result.stderr
    assert "rnak" in result.stderr


def test_config_takes_what_the_values_say() -> None:
    arguments = ["--set", "watchNamespaces={hr,campus}", "--set", "models.existingClaim=weights"]
    arguments += ["--set", "operator.config.workers=3", "--set", "images.pullSecrets={registry}"]
    arguments += ["--set", "jobs.credentialsSeconds=28800"]
    config = OperatorConfig.model_validate(config_of(*arguments))
    assert config.watch_namespaces == ["hr", "campus"]
    assert config.jobs.credentials_seconds == 28800
    assert (config.jobs.models_claim, config.jobs.image_pull_secrets, config.workers) == ("weights", ["registry"], 3)


def test_a_changed_configuration_restarts_the_operator() -> None:
    def checksum(*arguments: str) -> str:
        deployment = the("Deployment", "profile-studio-operator", *arguments)
        text: str = deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        return text

    assert checksum() == checksum("--set", "images.pullPolicy=IfNotPresent")
    assert checksum() != checksum("--set", "training.rank=16")


@pytest.mark.parametrize("prefix", ["/", "profile", "a.b/", "../", "A/", "a//", "a/*/", "a" * 40 + "/"])
def test_a_prefix_that_would_not_be_taken_apart_is_refused(prefix: str) -> None:
    refused = run("template", "profile-studio", str(CHART), "--set-json", f'store.prefix="{prefix}"')
    assert refused.returncode != 0
    assert "prefix" in refused.stderr


def test_the_stores_prefix_reaches_operator_page_and_history() -> None:
    places = "web.enabled=true,web.store.publicUrl=https://store.example.com,web.namespaces.default=hr"
    arguments = ("--set", f"store.prefix=profile/cluster-a/,database.existingSecret=database,{places}")
    assert config_of(*arguments)["store"]["prefix"] == "profile/cluster-a/"
    page = yaml.safe_load(the("ConfigMap", "profile-studio-web", *arguments)["data"]["config.yaml"])
    assert page["store"]["prefix"] == "profile/cluster-a/"
    (container,) = the("Deployment", "profile-studio-history", *arguments)["spec"]["template"]["spec"]["containers"]
    told = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert told["PROFILE_STORE_PREFIX"] == "profile/cluster-a/"


def bindings(*arguments: str) -> set[tuple[str, str]]:
    """Kind and namespace of what binds the operator to requests."""
    return {
        (document["kind"], document["metadata"].get("namespace", ""))
        for document in render(*arguments)
        if document["kind"].endswith("RoleBinding") and document["roleRef"]["name"] == f"{CLUSTER}-requests"
    }


def test_the_release_serves_its_own_namespace_until_others_are_named() -> None:
    assert config_of()["watchNamespaces"] == ["profile-system"]
    assert bindings() == {("RoleBinding", "profile-system")}
    named = ("--set", "watchNamespaces={hr,art}")
    assert config_of(*named)["watchNamespaces"] == ["hr", "art"]
    assert bindings(*named) == {("RoleBinding", "hr"), ("RoleBinding", "art")}


def test_the_whole_cluster_is_a_choice() -> None:
    assert config_of("--set", "clusterWide=true")["watchNamespaces"] == []
    assert bindings("--set", "clusterWide=true") == {("ClusterRoleBinding", "")}
    both = run("template", "profile-studio", str(CHART), "--set", "clusterWide=true,watchNamespaces={hr}")
    assert both.returncode != 0
    assert "choose one of the two" in both.stderr


def test_a_release_is_an_installation_and_may_go_on_for_others() -> None:
    assert config_of()["installation"] == "profile-system/profile-studio"
    config = OperatorConfig.model_validate(config_of("--set", "installation.formerly={lab/old},limits.steps=800"))
    assert config.formerly == ["lab/old"]
    assert config.limits.steps == 800
    refused = run("template", "profile-studio", str(CHART), "--set", "limits.steps=9000")
    assert refused.returncode != 0
    assert "steps" in refused.stderr
