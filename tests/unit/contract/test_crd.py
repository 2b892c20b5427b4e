"""The CRD manifests: generated, bounded, structural."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from profile_contract.schema import reference
from profile_contract.schema.crd import manifests, profile_request_crd, profile_style_crd
from profile_contract.style import ProfileStyleSpec, Title

CRDS = Path(__file__).resolve().parents[3] / "crds"


@pytest.mark.parametrize("name", sorted(manifests()))
def test_the_manifests_are_what_the_models_say(name: str) -> None:
    assert (CRDS / name).read_text() == manifests()[name], "run `make crds`"


def schema(crd: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, part in node.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if isinstance(node.get(word), dict):
            yield from nodes(node[word], f"{path}.{word}")


@pytest.mark.parametrize("crd", [profile_request_crd(), profile_style_crd()], ids=["request", "style"])
def test_every_string_list_and_map_is_bounded(crd: dict[str, Any]) -> None:
    for path, node in nodes(schema(crd)):
        if path in (".apiVersion", ".kind", ".metadata"):
            continue
        assert "type" in node, path
        assert node["type"] != "number", f"{path}: no floats in the API"
        if node["type"] == "string":
            assert "maxLength" in node or "enum" in node or "pattern" in node, path
        if node["type"] == "array":
            assert "maxItems" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path


def test_a_new_request_is_never_taken_as_ready() -> None:
    status = schema(profile_request_crd())["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert profile_request_crd()["spec"]["versions"][0]["subresources"] == {"status": {}}


def test_conditions_are_a_list_map() -> None:
    conditions = schema(profile_request_crd())["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


def test_the_columns_tell_the_story() -> None:
    columns = profile_request_crd()["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [c["name"] for c in columns if not c.get("priority")] == [
        "Ready", "Stage", "Progress", "Likeness", "Title", "Styles", "Age",
    ]  # fmt: skip


def test_the_api_page_is_that_of_the_models() -> None:
    file = Path(__file__).resolve().parents[3] / "docs" / "api.md"
    assert file.read_text() == reference.page(), "run `make crds`"


@pytest.mark.parametrize("colour", ["#1F3A5F", "#1f3a5f", "#1f3A5F"])
def test_a_colour_is_one_however_its_letters_are_written(colour: str) -> None:
    style = ProfileStyleSpec(title=Title(en="A"), prompt="{subject}", background_colour=colour)
    assert style.background_colour == "#1f3a5f"


@pytest.mark.parametrize("colour", ["1f3a5f", "#1f3a5", "#1f3a5g", "#1f3a5f0", "#1F3A5F\n", "red"])
def test_what_is_no_colour_is_refused(colour: str) -> None:
    with pytest.raises(ValidationError):
        ProfileStyleSpec(title=Title(en="A"), prompt="{subject}", background_colour=colour)


def test_styles_are_a_column_of_names_and_titles_one_of_their_own() -> None:
    columns = {
        one["name"]: one["jsonPath"] for one in profile_request_crd()["spec"]["versions"][0]["additionalPrinterColumns"]
    }
    assert columns["Styles"] == ".status.stylesText"
    assert columns["Title"] == r".metadata.annotations.profilestudio\.io/title"


@pytest.mark.parametrize("crd", [profile_request_crd(), profile_style_crd()], ids=["request", "style"])
def test_explain_has_words_for_every_field(crd: dict[str, Any]) -> None:
    parts = [schema(crd)["properties"].get(part, {}) for part in ("spec", "status")]
    fields = [(path, node) for part in parts for path, node in nodes(part) if path]
    assert [
        path
        for path, node in fields
        if not path.endswith((".items", ".additionalProperties")) and not node.get("description")
    ] == []
