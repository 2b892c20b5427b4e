"""Every condition, reason and advice that a user may meet stands in the docs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import pytest

from profile_contract.conditions import ConditionType, Reason
from profile_contract.photos import PHOTO_ADVICE, PhotoReason

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "conditions.md").read_text()


@pytest.mark.parametrize("word", [*ConditionType, *Reason, *PhotoReason])
def test_it_is_documented(word: StrEnum) -> None:
    assert f"| `{word}` |" in PAGE


@pytest.mark.parametrize("reason", PhotoReason)
def test_the_advice_is_the_one_that_people_are_given(reason: PhotoReason) -> None:
    assert PHOTO_ADVICE[reason] in PAGE
