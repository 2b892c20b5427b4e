"""The list of small bugs fits the sources as they are; what the unit tests say of each is told by `make mutants`."""

import ast
from collections import Counter

import pytest

from mutants.mutant import ROOT, Mutant, all_mutants

MUTANTS = all_mutants()


def test_every_bug_can_be_planted() -> None:
    assert [f"{mutant.id} {mutant.file}" for mutant in MUTANTS if not mutant.fits()] == []


def test_a_bug_is_no_syntax_error() -> None:
    for mutant in MUTANTS:
        if mutant.file.endswith(".py"):
            ast.parse(mutant.mutated(), mutant.file)


def test_ids_are_unique() -> None:
    assert [name for name, count in Counter(mutant.id for mutant in MUTANTS).items() if count > 1] == []


def test_a_test_that_is_named_exists() -> None:
    named = {mutant.elsewhere.split(" ")[0].split("::")[0] for mutant in MUTANTS if mutant.elsewhere}
    assert [file for file in sorted(named) if not (ROOT / file).is_file()] == []


def test_lines_are_those_of_the_old_text() -> None:
    mutant = Mutant("X", "tests/unit/test_mutants.py", "def test_every_bug_can_be_planted() -> None:\n", "", "none")
    (line,) = mutant.lines()
    assert (ROOT / mutant.file).read_text().splitlines()[line - 1].startswith("def test_every")
    with pytest.raises(ValueError, match="exactly once"):
        Mutant("X", "README.md", "this does not stand there", "", "none").mutated()
