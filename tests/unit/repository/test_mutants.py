"""The list of small bugs fits the sources as they are; what the unit tests say of each is told by `make mutants`."""

import ast
from collections import Counter
from pathlib import Path

import pytest
from coverage import CoverageData

from mutants import reach
from mutants.mutant import ROOT, Mutant, all_mutants
from mutants.reach import Reach, folders_for, measure, near
from mutants.trial import Copy
from mutants.warm import first_failure

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
    mutant = Mutant(
        "X", "tests/unit/repository/test_mutants.py", "def test_every_bug_can_be_planted() -> None:\n", "", "none"
    )
    (line,) = mutant.lines()
    assert (ROOT / mutant.file).read_text().splitlines()[line - 1].startswith("def test_every")
    with pytest.raises(ValueError, match="exactly once"):
        Mutant("X", "README.md", "this does not stand there", "", "none").mutated()


class Told:
    """Tests that end as they are told to; what was asked is remembered."""

    def __init__(self, *ends: tuple[int, str]) -> None:
        self.ends, self.asked = list(ends), list[list[str]]()

    def run(self, tests: list[str], seconds: float) -> tuple[int, str]:
        self.asked.append(tests)
        return self.ends.pop(0)


HERE = "tests/unit/repository/test_mutants.py::test_ids_are_unique"


@pytest.mark.parametrize(
    ("ends", "killed", "asked"),
    [
        ([(1, "b")], True, [["a", "b"]]),
        ([(0, "")], False, [["a", "b"]]),
        # Late with the bug, and in time without it: it waits for ever. Late without it, too: the machine is busy.
        ([(124, ""), (0, "")], True, [["a", "b"]] * 2),
        ([(124, ""), (124, "")], False, [["a", "b"]] * 2),
        # pytest was asked for a test that is not there, or found none: nobody saw anything.
        ([(4, "")], False, [["a", "b"]]),
        ([(5, "")], False, [["a", "b"]]),
    ],
)
def test_a_verdict_needs_a_test_that_ran(
    tmp_path: Path, ends: list[tuple[int, str]], killed: bool, asked: list[list[str]]
) -> None:
    file = tmp_path / "tests/unit/repository/test_mutants.py"
    file.parent.mkdir(parents=True)
    file.write_text("def test_ids_are_unique(): pass\n")
    mutant = Mutant("X", "tests/unit/repository/test_mutants.py", "pass", "fail", "a bug")
    told = Told(*ends)
    copy = Copy(tmp_path)
    copy.__dict__["warm"] = told
    verdict = copy.try_out(mutant, ["a", "b"])
    assert (verdict.killed, told.asked) == (killed, asked)


@pytest.mark.parametrize(
    ("seer", "ends", "by", "asked"),
    [
        # The one that saw it the last time is asked first, and believed if it is that one that fails.
        (HERE, [(1, HERE)], HERE, [[HERE]]),
        (HERE, [(0, ""), (1, "b::x")], "b::x", [[HERE], ["b"]]),
        (HERE, [(1, "b::y"), (1, "b::x")], "b::x", [[HERE], ["b"]]),
        # One that is gone, or was renamed, has seen nothing.
        (HERE, [(4, ""), (0, "")], None, [[HERE], ["b"]]),
        ("tests/unit/test_gone.py::test_x", [(1, "b::x")], "b::x", [["b"]]),
        # Late, or cut by a signal: no verdict yet.
        ("", [(124, "")], None, [["b"]]),
    ],
)
def test_a_glance_asks_who_saw_it_and_then_who_is_near(
    tmp_path: Path, seer: str, ends: list[tuple[int, str]], by: str | None, asked: list[list[str]]
) -> None:
    file = tmp_path / HERE.partition("::")[0]
    file.parent.mkdir(parents=True)
    file.write_text("pass\n")
    told = Told(*ends)
    copy = Copy(tmp_path)
    copy.__dict__["warm"] = told
    verdict = copy.glance(Mutant("X", HERE.partition("::")[0], "pass", "fail", "a bug"), seer, ["b"])
    assert (verdict.by if verdict else None, told.asked) == (by, asked)


def test_near_are_the_files_of_its_package_that_name_the_module_the_narrowest_first(tmp_path: Path) -> None:
    for name, text in {
        "web/test_a.py": "import re\nfrom profile_web.views import x\n",
        "web/test_b.py": "from profile_web.views import x\n",
        "web/test_c.py": "from profile_web.routes import x\n",
        "cli/test_d.py": "from profile_web.views import x\n",
        "../networks/test_0.py": "from profile_web.views import x\n",
    }.items():
        (tmp_path / "tests/unit" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tests/unit" / name).write_text(text)
    bug = Mutant("X", "images/web/profile_web/views.py", "a", "b", "")
    assert near(tmp_path, bug) == [
        "tests/unit/web/test_b.py",
        "tests/unit/web/test_a.py",
        "tests/networks/test_0.py",
    ]
    assert near(tmp_path, Mutant("Y", "charts/profile-studio/values.yaml", "a", "b", "")) == []


@pytest.mark.parametrize("first_pass", [(0, ""), (4, "")])
def test_what_the_tests_of_its_lines_do_not_see_the_tests_of_its_room_may(
    tmp_path: Path, first_pass: tuple[int, str]
) -> None:
    file = tmp_path / HERE.partition("::")[0]
    file.parent.mkdir(parents=True)
    file.write_text("pass\n")
    told = Told(first_pass, (1, "tests/c.py::d"))
    copy = Copy(tmp_path)
    copy.__dict__["warm"] = told
    verdict = copy.try_out(Mutant("X", HERE.partition("::")[0], "pass", "fail", "a bug"), ["a"], wider=["tests/c.py"])
    assert (verdict.killed, verdict.by, told.asked) == (True, "tests/c.py::d", [["a"], ["tests/c.py"]])


def test_what_failed_first_is_read_from_the_summary() -> None:
    assert first_failure("...\nFAILED tests/a.py::b[c] - assert 1\nFAILED tests/d.py::e") == "tests/a.py::b[c]"
    assert first_failure("ERROR tests/a.py - ImportError") == "tests/a.py"
    assert first_failure("FAILED tests/a.py::b[c d] - assert 1 - 2") == "tests/a.py::b[c d]"
    assert (
        first_failure("ERROR    profile_web.door:door.py:64 a call failed\nFAILED tests/a.py::b - x") == "tests/a.py::b"
    )
    assert first_failure("3 passed") == ""


@pytest.mark.parametrize(
    ("end", "broken"),
    [
        ((0, ""), ""),
        ((1, "tests/a.py::c"), "tests/a.py::c"),
        ((124, ""), "tests/a.py::b"),
        ((4, ""), ""),
        ((5, ""), ""),
    ],
)
def test_a_test_that_cannot_be_run_alone_is_not_broken(tmp_path: Path, end: tuple[int, str], broken: str) -> None:
    copy = Copy(tmp_path)
    copy.__dict__["warm"] = Told(end)
    assert copy.first_that_fails(["tests/a.py::b", "tests/a.py::c"]) == broken


def test_only_folders_that_name_a_bugs_package_are_run(tmp_path: Path) -> None:
    for folder, text in {
        "unit/web": "profile_web",
        "unit/cli": "profile_web",
        "unit/draw": "",
        "chart": "",
        "networks": "",
    }.items():
        file = tmp_path / "tests" / folder / "test_x.py"
        file.parent.mkdir(parents=True)
        file.write_text(f"import {text or 'os'}\n")
    bugs = [
        Mutant("X", "images/web/profile_web/views.py", "a", "b", ""),
        Mutant("Y", "charts/values.yaml", "a", "b", ""),
    ]
    assert folders_for(tmp_path, bugs) == ["tests/unit/cli", "tests/unit/web"]
    assert folders_for(tmp_path, bugs[1:]) == []


def test_what_was_recorded_of_a_folder_stands_until_its_tests_or_the_sources_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, kept, runs = tmp_path / "copy", tmp_path / "kept", list[str]()
    for file in ("tests/unit/web/test_x.py", "tests/chart/c.py", "tests/networks/n.py", "images/profile_web/views.py"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("import profile_web\n" if "web" in file else "")

    def record(_: Path, __: object, folder: str, file: Path, ___: object) -> None:
        runs.append(folder)
        data = CoverageData(str(file))
        data.set_context("tests/unit/web/test_x.py::test_y|run")
        data.add_lines({str(root / "images/profile_web/views.py"): [1]})
        data.write()

    monkeypatch.setattr(reach, "_record", record)
    bug = Mutant("X", "images/profile_web/views.py", "import profile_web\n", "pass\n", "")
    for change, count in (
        ("", 1),
        ("", 1),
        ("tests/unit/web/test_x.py", 2),
        ("images/profile_web/views.py", 3),
        ("tests/chart/c.py", 3),
    ):
        if change:
            (root / change).write_text((root / change).read_text() + "# changed\n")
        assert measure(root, {}, [bug], kept).tests(bug) == ["tests/unit/web/test_x.py::test_y"]
        assert len(runs) == count


def test_a_parameter_of_a_test_may_hold_a_bar(tmp_path: Path) -> None:
    file = tmp_path / "product.py"
    file.write_text("x = 1\n")
    data = CoverageData(no_disk=True)
    data.set_context("tests/unit/x/test_y.py::test_z[a|b]|run")
    data.add_lines({str(file): [1]})
    mutant = Mutant("X", "product.py", "x = 1\n", "x = 2\n", "a number")
    assert Reach(data, tmp_path).tests(mutant) == ["tests/unit/x/test_y.py::test_z[a|b]"]
