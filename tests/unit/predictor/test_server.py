"""The predictor's edge: settings, which links are followed, what a client may send."""

import json
from typing import Any

import httpx
import numpy as np
import pytest
from kserve import InferInput, InferRequest
from kserve.errors import InvalidInput

from profile_contract.generation import EvictionOrder, GenerationOrder
from profile_predictor.server.grants import allowed
from profile_predictor.server.settings import BadSettings, from_environment
from profile_predictor.server.tensors import is_plain, order_of, plain_order

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
    assert allowed(httpx.URL(url), STORE)


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
    assert not allowed(httpx.URL(url), STORE)


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
    assert [url for url in [*followed, *refused] if allowed(httpx.URL(url), [entry])] == followed


def test_without_stores_nothing_is_followed() -> None:
    assert not allowed(httpx.URL("http://store.example.com/x"), ())


def test_settings_of_the_chart() -> None:
    settings = from_environment(
        {
            "PROFILE_MODELS": "/mnt/models",
            "PROFILE_MODEL_NAME": "profile-predictor",
            "PROFILE_BASE_MODEL": "studio-random",
            "PROFILE_CONTROL_MODEL": "studio-random-controlnet",
            "PROFILE_SLOTS": "8",
            "PROFILE_STORE_HOSTS": "minio.minio.svc:9000, store.example.com",
        }
    )
    assert str(settings.engine.models / settings.engine.base_model) == "/mnt/models/studio-random"
    assert settings.engine.slots == 8
    assert settings.hosts == ("minio.minio.svc:9000", "store.example.com")


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "PROFILE_BASE_MODEL"),
        ({"PROFILE_BASE_MODEL": "m", "PROFILE_SLOTS": "none"}, "PROFILE_SLOTS"),
        ({"PROFILE_BASE_MODEL": "m", "PROFILE_QUEUE": "0"}, "PROFILE_QUEUE"),
        ({"PROFILE_BASE_MODEL": "m", "PROFILE_DTYPE": "int4"}, "PROFILE_DTYPE"),
        ({"PROFILE_BASE_MODEL": "m", "PROFILE_ADAPTER_LAYERS": "all"}, "attention, transformer"),
        ({"PROFILE_BASE_MODEL": "../m"}, "below the models folder"),
    ],
)
def test_bad_settings_name_the_variable(environment: dict[str, str], says: str) -> None:
    with pytest.raises(BadSettings, match=says):
        from_environment(environment)


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
    asked = request(text("prompt", "a person"), number("seed", 7), number("steps", 4), number("guidance", 4.5, "FP32"))
    assert is_plain(asked)
    order = plain_order(asked, 128, 136)
    assert (order.items[0].prompt, order.items[0].seed) == ("a person", 7)
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
