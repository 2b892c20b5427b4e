"""The schema of the chart's values: what the models say, whole, and closed everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from chart import CHART
from profile_contract import kubernetes
from profile_contract.stages.preprocess import PreprocessParameters
from profile_contract.stages.train import TrainParameters
from profile_operator.config import GenerationConfig, StoreConfig, WatchNamespaces
from profile_operator.job_settings import StageJob, Toleration
from profile_predictor.server.settings import PredictorSettings
from profile_values.chart import ChartValues
from profile_values.schema import schema, text
from profile_web.config import Namespaces, SignIn

STORE = {"endpoint": "minio:9000", "bucket": "profiles"}


def test_the_file_is_what_the_models_say() -> None:
    assert (CHART / "values.schema.json").read_text() == text(), "run `make crds`"


def test_values_yaml_says_everything_that_the_chart_alone_reads() -> None:
    """A Section's fields have no defaults: one that values.yaml leaves out is missing here."""
    ChartValues.model_validate(yaml.safe_load((CHART / "values.yaml").read_text()))


def _nodes(node: Any, place: str = "values") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        yield place, node
    for name, part in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from _nodes(part, f"{place}.{name}")


def test_nothing_unknown_is_taken_anywhere_but_in_what_parent_charts_say_to_all() -> None:
    objects = {place: node for place, node in _nodes(schema()) if isinstance(node.get("properties"), dict)}
    assert len(objects) > 40
    assert [place for place, node in objects.items() if node.get("additionalProperties") is not False] == [
        "values.$defs.Parents"
    ]


def test_every_definition_says_what_it_is() -> None:
    definitions = schema()["$defs"]
    assert [name for name, node in definitions.items() if not node.get("description", "").strip()] == []


def test_the_schema_is_written_in_words_that_helm_knows() -> None:
    known = {
        "$ref", "$schema", "$defs", "additionalProperties", "anyOf", "const", "default", "description", "enum",
        "exclusiveMinimum", "items", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum",
        "multipleOf", "pattern", "patternProperties", "properties", "propertyNames", "required", "title", "type",
        "uniqueItems",
    }  # fmt: skip
    words = {
        word
        for place, node in _nodes(schema())
        if not place.endswith((".properties", ".$defs", ".patternProperties"))
        and not re.search(r"\.default(\.|$)", place)
        for word in node
    }
    assert words <= known


# Bounds that once stood in the chart alone: a configuration that came another way was not checked.
@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        (TrainParameters, {"baseModel": "b", "rank": -3}),
        (TrainParameters, {"baseModel": "b", "batch": 0}),
        (TrainParameters, {"baseModel": "b", "learningRate": -1}),
        (TrainParameters, {"baseModel": "b", "validationSamplerSteps": 151}),
        (PreprocessParameters, {"maximumPhotos": 41}),
        (PreprocessParameters, {"resolution": 100}),
        (StageJob, {"image": "i", "gpus": 17}),
        (StageJob, {"image": "i", "activeDeadlineSeconds": 604_201}),
        (StageJob, {"image": "i", "scratchSize": "lots"}),
        (StageJob, {"image": "i", "runtimeClassName": "Bad_Name"}),
        (StageJob, {"image": "i", "priorityClassName": "Bad_Name"}),
        (StageJob, {"image": "i", "resources": {"requests": {"memory": "lots"}}}),
        (StageJob, {"image": "i", "env": {"A=B": "c"}}),
        (Toleration, {"effect": "NoEntry"}),
        (Toleration, {"tolerationSeconds": -1}),
        (GenerationConfig, {"namespace": "Bad_Name"}),
        (GenerationConfig, {"urlTemplate": "ftp://x"}),
        (GenerationConfig, {"width": 100}),
        (StoreConfig, {**STORE, "endpoint": "http://minio:9000"}),
        (StoreConfig, {**STORE, "endpoint": "minio"}),
        (StoreConfig, {**STORE, "bucket": "Bad_Bucket"}),
        (StoreConfig, {**STORE, "region": ""}),
        (SignIn, {"userHeader": ""}),
        (SignIn, {"groupsHeader": ""}),
        (SignIn, {"hosts": [""]}),
        (Namespaces, {"default": "n" * 64}),
        (PredictorSettings, {"base_model": "b", "slots": 65}),
        (PredictorSettings, {"base_model": "b", "maximum_rank": 129}),
        (PredictorSettings, {"base_model": "b", "queue": 1001}),
    ],
)
def test_the_models_hold_the_bounds_themselves(model: Any, wrong: dict[str, Any]) -> None:
    field = list(wrong)[-1]
    with pytest.raises(ValidationError) as refusal:
        model(**wrong)
    assert {error["loc"][0] for error in refusal.value.errors()} & {field, *wrong}


def test_namespaces_to_watch_are_names() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(WatchNamespaces).validate_python(["Bad_Name"])


@pytest.mark.parametrize(
    ("kind", "taken", "refused"),
    [
        (kubernetes.LabelName, "hr-1", "hr.1"),
        (kubernetes.LabelNameOrNone, "", "-a"),
        (kubernetes.ObjectName, "store.v1", "store_v1"),
        (kubernetes.ObjectNameOrNone, "", "a-"),
        (kubernetes.Amount, "1.5Gi", "1.5GB"),
        (kubernetes.Size, "4Gi", "4"),
        (kubernetes.EnvironmentName, "_A1", "1A"),
        (kubernetes.Port, 65535, 0),
    ],
)
def test_kubernetes_own_forms(kind: Any, taken: object, refused: object) -> None:
    assert TypeAdapter(kind).validate_python(taken) == taken
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(refused)
