"""What people are told of a document that a model refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from profile_contract.model import Contract
from profile_contract.problems import problems_of


class Inner(Contract):
    depth: int = 0


class Outer(Contract):
    inner: Inner = Inner()
    numbers: list[int] = []


def refusal(document: object) -> ValidationError:
    with pytest.raises(ValidationError) as refused:
        Outer.model_validate(document)
    return refused.value


def test_fields_are_named_and_values_are_not() -> None:
    text = problems_of(refusal({"inner": {"depth": "secret"}, "numbers": ["hidden"]}), below="spec.")
    first, second = text.split("; ")
    assert first.startswith("spec.inner.depth: Input should be a valid integer")
    assert second.startswith("spec.numbers.0: ")
    assert "secret" not in text
    assert "hidden" not in text


def test_five_at_most_are_named() -> None:
    wrong = refusal({"numbers": list("abcdefgh")})
    assert (problems_of(wrong).count("numbers."), problems_of(wrong, most=3).count("numbers.")) == (5, 3)


def test_the_whole_document_has_a_name() -> None:
    assert problems_of(refusal("text"), whole="order").startswith("order: ")
