"""`kubectl profile refresh`: which numbers are raised, and by how much."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_api import FakeApi, serving
from profile_cli.plugin.__main__ import main


@pytest.fixture
def api(tmp_path: Path) -> Iterator[FakeApi]:
    api = FakeApi()
    styles = [{"name": "warm"}, {"name": "cool", "kind": "ProfileStyle", "refresh": 4}]
    spec: dict[str, Any] = {"photos": {"prefix": "uploads/minji/", "revision": 1}, "styles": styles}
    metadata = {"namespace": "hr", "name": "minji", "uid": "u", "generation": 1}
    api.requests["hr", "minji"] = {"metadata": metadata, "spec": spec}
    with serving(api, tmp_path / "kubeconfig"):
        yield api


def refresh(tmp_path: Path, *words: str) -> int:
    return main(["--kubeconfig", str(tmp_path / "kubeconfig"), "refresh", "minji", *words])


def raised(api: FakeApi) -> list[int]:
    spec = api.requests["hr", "minji"]["spec"]
    return [spec.get("refresh", 0), *(style.get("refresh", 0) for style in spec["styles"])]


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ((), [0, 1, 5]),
        (("--style", "warm"), [0, 1, 4]),
        (("--style", "pstyle/cool"), [0, 0, 5]),
        (("--style", "warm", "--style", "pstyle/cool"), [0, 1, 5]),
        (("--all",), [1, 0, 4]),
    ],
)
def test_only_what_is_named_is_raised(api: FakeApi, tmp_path: Path, words: tuple[str, ...], numbers: list[int]) -> None:
    assert refresh(tmp_path, *words) == 0
    assert raised(api) == numbers
    assert [style["name"] for style in api.requests["hr", "minji"]["spec"]["styles"]] == ["warm", "cool"]


def test_raised_twice_is_two(api: FakeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refresh(tmp_path, "--all") == refresh(tmp_path, "--all", "-o", "json") == 0
    assert raised(api)[0] == 2
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"namespace": "hr", "name": "minji", "refresh": 2}


def test_a_style_that_the_request_has_not_is_an_error_that_changes_nothing(
    api: FakeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refresh(tmp_path, "--style", "cool") != 0
    assert "its styles are warm, pstyle/cool" in "".join(capsys.readouterr())
    assert raised(api) == [0, 0, 4]
