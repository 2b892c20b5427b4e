"""The predictor's edge: settings, which links are followed, what a client may send."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from kserve import InferInput, InferRequest
from kserve.errors import InvalidInput

from predictor_world import TinyPipeline, tiny_engine
from profile_contract.generation import EvictionOrder, GenerationOrder
from profile_contract.stages.train import AdapterLayers
from profile_draw.config import EngineConfig
from profile_predictor.server.links import allowed
from profile_predictor.server.settings import BadSettings, PredictorSettings, from_environment
from profile_predictor.server.tensors import is_plain, order_of, plain_order
from profile_sandbox.paths import CLONE

STORE = ("minio.profile-services.svc:9000", "store.example.com")


@pytest.mark.parametrize(
    "url",
    [
        "http://minio.profile-services.svc:9000/profiles/a/adapter.safetensors?X-Amz-Signature=1",
        "http://MINIO.profile-services.svc:9000/x",
        "https://store.example.com/x",
        "https://store.example.com:443/x",
    ],
)
def test_links_of_the_stores_are_followed(url: str) -> None:
    assert allowed(httpx2.URL(url), STORE)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://minio.profile-services.svc/x",
        "http://minio.profile-services.svc:9001/x",
        "https://store.example.com:8443/x",
        "http://store.example.com/x",
        "http://store.example.com:80/x",
        "http://store.example.com:443/x",
        "https://store.example.com./x",
        "https://user@store.example.com/x",
        "https://:secret@store.example.com/x",
        "http://store.example.com.evil.org/x",
        "http://evil.org/store.example.com",
        "http://store.example.com@evil.org/x",
        "http://user:secret@store.example.com/x",
        "file:///etc/passwd",
        "ftp://store.example.com/x",
        "/x",
        "",
    ],
)
def test_no_other_link_is_followed(url: str) -> None:
    assert not allowed(httpx2.URL(url), STORE)


@pytest.mark.parametrize(
    ("entry", "followed", "refused"),
    [
        ("http://store", ["http://store/x", "http://store:80/x"], ["https://store/x", "http://store:9000/x"]),
        ("https://store:9000", ["https://store:9000/x"], ["http://store:9000/x", "https://store/x"]),
        ("store:80", ["http://store/x", "https://store:80/x"], ["https://store/x"]),
        ("STORE", ["https://store/x"], ["http://store/x", "http://store:443/x"]),
        ("[fd00::1]:9000", ["http://[fd00::1]:9000/x"], ["http://[fd00::1]/x", "http://[fd00::2]:9000/x"]),
        ("", [], ["https:///x", "http://store/x"]),
        ("ftp://store", [], ["ftp://store/x", "https://store/x"]),
    ],
)
def test_a_store_is_reached_as_it_is_written_down(entry: str, followed: list[str], refused: list[str]) -> None:
    """Without a port and a scheme that is HTTPS: what faces are sent by must be asked for to be plain."""
    assert [url for url in [*followed, *refused] if allowed(httpx2.URL(url), [entry])] == followed


def test_without_stores_nothing_is_followed() -> None:
    assert not allowed(httpx2.URL("http://store.example.com/x"), ())


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., PredictorSettings]:
    """PredictorSettings of an environment that holds PROFILE_* as the keywords say, and no other of them."""
    for name in [name for name in os.environ if name.startswith("PROFILE_")]:
        monkeypatch.delenv(name)

    def read(**variables: str) -> PredictorSettings:
        for name, value in variables.items():
            monkeypatch.setenv(f"PROFILE_{name}", value)
        return from_environment()

    return read


def test_settings_of_the_chart(environment: Callable[..., PredictorSettings]) -> None:
    settings = environment(
        MODELS="/mnt/models",
        MODEL_NAME="profile-sdxl",
        BASE_MODEL="studio-random",
        CONTROL_MODEL="studio-random-controlnet",
        SLOTS="8",
        ADAPTER_LAYERS="transformer",
        DTYPE="bfloat16",
        HOST_CACHE_MB="7",
        GRANT_SECONDS="60",
        COMPILE="1",
        STORE_HOSTS="minio.minio.svc:9000, store.example.com,",
        STORE_BUCKET="profiles",
        QUEUE="3",
        METRICS_PORT="9090",
        TOKEN=" secret\n",
    )
    assert settings.engine == EngineConfig(
        models=Path("/mnt/models"),
        base_model="studio-random",
        control_model="studio-random-controlnet",
        slots=8,
        adapter_layers=AdapterLayers.TRANSFORMER,
        dtype="bfloat16",
        host_cache_megabytes=7,
        grant_seconds=60,
        compile=True,
    )
    assert settings.store_hosts == ("minio.minio.svc:9000", "store.example.com")
    assert (settings.model_name, settings.store_bucket, settings.queue) == ("profile-sdxl", "profiles", 3)
    assert (settings.metrics_port, settings.token) == (9090, "secret")
    assert "secret" not in repr(settings)


def test_what_is_empty_is_as_documented(environment: Callable[..., PredictorSettings]) -> None:
    """Each default of the table in the predictor's README."""
    page = (CLONE / "inference" / "README.md").read_text()
    rows = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| `PROFILE_")]
    defaults = {name: cell.strip(" `") for names, cell in rows for name in re.findall(r"`PROFILE_(\w+)`", names)}
    defaults.pop("WEIGHTS_SHA256")  # read where weights are, by all programs
    settings = environment(**{**dict.fromkeys(defaults, ""), "BASE_MODEL": "m"})
    values = {name: getattr(settings, name.lower()) for name in defaults} | {"BASE_MODEL": ""}
    assert values.keys() == {name.upper() for name in PredictorSettings.model_fields}
    assert {name: "" if value in ((), None) else str(value) for name, value in values.items()} == defaults


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, "PROFILE_BASE_MODEL must name a folder below PROFILE_MODELS"),
        ({"SLOTS": "none"}, "PROFILE_SLOTS='none' must be a whole number, at least 1"),
        ({"QUEUE": "0"}, "PROFILE_QUEUE='0' must be a whole number, at least 1"),
        ({"THREADS": "-1"}, "PROFILE_THREADS='-1' must be a whole number, at least 0"),
        ({"BATCH": " 4"}, "PROFILE_BATCH=' 4' must be a whole number, at least 1"),
        ({"BATCH": "4.0"}, "PROFILE_BATCH='4.0' must be a whole number, at least 1"),
        ({"PORT": "9" * 5000}, f"PROFILE_PORT='{'9' * 5000}' must be a whole number, at least 1"),
        ({"DTYPE": "int4"}, "PROFILE_DTYPE='int4' must be one of auto, float32, bfloat16, float16"),
        (
            {"ADAPTER_LAYERS": "all"},
            "PROFILE_ADAPTER_LAYERS='all' must be one of attention, transformer, everything",
        ),
        (
            {"ADAPTER_LAYERS": "look"},
            "PROFILE_ADAPTER_LAYERS='look' is of looks alone, which every predictor draws beside people: name the "
            "layers that people's adapters change, as training.adapterLayers does, one of attention, "
            "transformer, everything",
        ),
        ({"RECIPE": "{"}, "PROFILE_RECIPE='{' is no recipe as JSON"),
        ({"RECIPE": '{"a": 1}'}, """PROFILE_RECIPE='{"a": 1}' is no recipe: a: Extra inputs are not permitted"""),
        ({"BASE_MODEL": "../m"}, "model '../m' must be a folder below the models folder"),
        ({"CONTROL_MODEL": "/m"}, "model '/m' must be a folder below the models folder"),
    ],
)
def test_bad_settings_name_the_variable(
    environment: Callable[..., PredictorSettings], variables: dict[str, str], says: str
) -> None:
    with pytest.raises(BadSettings) as refused:
        environment(**({"BASE_MODEL": "m"} | variables if variables else {}))
    assert str(refused.value) == says


def request(*inputs: InferInput) -> InferRequest:
    return InferRequest("profile-predictor", list(inputs))


def text(name: str, value: object) -> InferInput:
    return InferInput(name, [1], "BYTES", [value if isinstance(value, str) else json.dumps(value)])


def number(name: str, value: float, datatype: str = "INT64") -> InferInput:
    return InferInput(name, [1], datatype, [value])


ORDER: dict[str, Any] = {
    "request": {"namespace": "team", "name": "minji"},
    "items": [{"seed": 1, "prompt": "a person", "putUrl": "http://store/secret-signature"}],
    "width": 128,
    "height": 128,
}


def test_an_order_is_read_from_json_and_from_binary() -> None:
    found = order_of(request(text("order", ORDER)))
    assert isinstance(found, GenerationOrder)
    assert found.items[0].prompt == "a person"
    binary = InferInput("order", [1], "BYTES")
    binary.set_data_from_numpy(np.array([json.dumps(ORDER)], dtype=object), binary_data=True)
    assert order_of(request(binary)) == found
    assert order_of(request(text("evict", {"sha256": ["a"]}))) == EvictionOrder(sha256=["a"])


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ([text("order", "{")], "cannot be read"),
        ([text("order", ORDER | {"width": 100_000})], "width"),
        ([text("order", ORDER | {"items": []})], "items"),
        ([text("order", ORDER | {"pickle": "x"})], "pickle"),
        ([InferInput("order", [2], "BYTES", ["{}", "{}"])], "exactly one"),
        ([number("order", 1)], "BYTES"),
        ([text("prompts", "x")], "no input is named"),
    ],
)
def test_what_is_wrong_with_an_order_is_said_without_its_values(inputs: list[InferInput], says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        order_of(request(*inputs))
    assert "secret-signature" not in str(caught.value)


def test_plain_tensors_make_an_order_of_one_picture() -> None:
    # A float would stand for the next one too.
    seed = 2**53 + 1
    asked = request(
        text("prompt", "a person"), number("seed", seed), number("steps", 4), number("guidance", 4.5, "FP32")
    )
    assert is_plain(asked)
    order = plain_order(asked, 128, 136)
    assert (order.items[0].prompt, order.items[0].seed) == ("a person", seed)
    assert (order.steps, order.guidance, order.width, order.height) == (4, 4.5, 128, 136)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (text("strength", "1"), "unknown inputs: strength"),
        (number("seed", -1), "seed"),
        (number("width", 100), "width"),
        (text("steps", "many"), "number"),
    ],
)
def test_wrong_plain_tensors_are_refused(extra: InferInput, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        plain_order(request(text("prompt", "x"), extra), 128, 128)


def test_a_warm_up_draws_one_step_at_the_models_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    real = TinyPipeline.draw

    def draw(self: TinyPipeline, shape: Any, rows: Any, wanted: Any) -> Any:
        drawn.append((shape.width, shape.height, shape.steps, shape.guided, len(rows)))
        return real(self, shape, rows, wanted)

    monkeypatch.setattr(TinyPipeline, "draw", draw)
    engine = tiny_engine()
    engine.warm_up()
    engine.close()
    assert drawn == [(64, 64, 1, True, 1)]


def test_a_warm_up_of_compiled_blocks_draws_people_too(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[str]] = []
    real = TinyPipeline.draw

    def draw(self: TinyPipeline, shape: Any, rows: Any, wanted: Any) -> Any:
        drawn.append([adapter.sha256 for row in rows for adapter, _ in row.adapters])
        return real(self, shape, rows, wanted)

    monkeypatch.setattr(TinyPipeline, "draw", draw)
    engine = tiny_engine(compile=True, slots=2, batch=4)
    engine.warm_up()
    engine.close()
    assert drawn == [[], ["nobody-0"], ["nobody-0", "nobody-1"]]
    assert engine.clear(["nobody-0", "nobody-1"]) == 0, "nobody stands in a slot"
