"""The Helm chart's values: what they refuse, and the operator's configuration that comes of them."""

from __future__ import annotations

import json

import pytest

from chart import (
    CHART,
    CPU,
    config_of,
    run,
    sandbox_arguments,
    the,
)
from profile_contract.model import Contract
from profile_contract.orders import PreprocessParameters, TrainParameters
from profile_operator.config import FinishConfig, GenerationConfig, OperatorConfig, StageJob


@pytest.fixture(scope="module")
def sandbox_values(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The arguments with which the chart runs in the sandbox."""
    return sandbox_arguments(tmp_path_factory.mktemp("chart"))


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
    assert config.generation.url("profile-predictor") == "http://profile-predictor-predictor.profile-system.svc"
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
