"""The floors that docs/development.md shows are those that the import contract keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from floors import PAGE, drawn, picture

PYPROJECT = (Path(__file__).resolve().parents[3] / "pyproject.toml").read_text()


def test_the_picture_is_the_contracts() -> None:
    assert drawn(PAGE.read_text(), PYPROJECT) == PAGE.read_text(), "run `make floors`"


def test_the_contract_is_the_ground() -> None:
    *_, ground, fence, _, _ = picture(PYPROJECT).split("\n")
    assert (ground, fence) == ("contract", "```")


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="one place"):
        drawn("# A page\n", PYPROJECT)
