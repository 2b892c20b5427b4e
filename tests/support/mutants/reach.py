"""Which unit tests reach which line: one run of all of them under coverage, in a copy of the sources without a bug."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from coverage import CoverageData

from .mutant import Mutant

# The tests that need no cluster.
FLOORS = ("tests/unit", "tests/chart", "tests/networks")
# What coverage cannot follow is looked at by these.
BY_FOLDER = {
    "charts/": "tests/chart/test_*.py",
    "images/web/profile_web/static/": "tests/unit/web/test_*.py",
    "sandbox/services/": "tests/unit/sandbox/test_*.py",
}


class Reach:
    """The record of one run of the unit tests."""

    def __init__(self, data: CoverageData, root: Path) -> None:
        self._data, self._root = data, root

    def tests(self, mutant: Mutant) -> list[str]:
        """Node ids of the tests that may see a mutant; those that run its lines, else those that touch its file."""
        for folder, pattern in BY_FOLDER.items():
            if mutant.file.startswith(folder) and not mutant.file.endswith(".py"):
                return sorted(str(path.relative_to(self._root)) for path in self._root.glob(pattern))
        contexts = self._data.contexts_by_lineno(str(self._root / mutant.file))
        ran = {name for line in mutant.lines(self._root) for name in contexts.get(line, ()) if name}
        if ran:
            return sorted({_test(name) for name in ran})
        # A line that runs at import: whoever uses anything of the file may see it, and whoever names it.
        using = {_test(name) for names in contexts.values() for name in names if name}
        return sorted(using | set(self._named(mutant)))

    def files(self, mutant: Mutant) -> list[str]:
        """Whole files of tests that may see what the tests of its lines do not: what runs in a process of its own is
        not followed, and a bug may change the parameters by which a test is named."""
        room = mutant.file.rpartition("profile_")[2].split("/")[0]
        mirror = (self._root / "tests" / "unit" / room).glob("test_*.py")
        known = {test.partition("::")[0] for test in self.tests(mutant)}
        return sorted(known | set(self._named(mutant)) | {str(file.relative_to(self._root)) for file in mirror})

    def _named(self, mutant: Mutant) -> list[str]:
        """Test files that name the module, else those of its package: of what is but declared nothing runs after the
        import, and what runs in a process of its own (the decoder of pictures) leaves no trace here."""
        module = mutant.file.removesuffix(".py").rpartition("profile_")
        name = f"profile_{module[2]}".replace("/", ".")
        files = sorted(file for floor in FLOORS for file in (self._root / floor).rglob("test_*.py"))
        room = module[2].split("/")[0]
        named = [file for file in files if name in file.read_text()] or [f for f in files if f.parent.name == room]
        return [str(file.relative_to(self._root)) for file in named]


def _test(context: str) -> str:
    """The test of a context, `<node id>|<setup, run or teardown>`; parameters may hold a bar of their own."""
    return context.rpartition("|")[0]


def measure(root: Path, environment: dict[str, str]) -> Reach:
    """Run all unit tests in `root`. Raises RuntimeError where one fails without any bug, and fails alone, too: nothing
    could be learnt. One that only was late beside others is none."""
    file = root / ".coverage"
    configuration = root / ".coveragerc"
    configuration.write_text("[run]\nbranch = False\nomit = tests/*\n")
    quiet = ["-q", "-p", "no:cacheprovider", "--no-header", "-W", "ignore"]
    arguments = [
        *quiet,
        "-n",
        "auto",
        "--dist",
        "loadfile",
        "--cov=.",
        "--cov-context=test",
        "--cov-report=",
        *FLOORS,
    ]

    def run(*arguments: str, data: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=root,
            env={**environment, "COVERAGE_FILE": data},
            capture_output=True,
            text=True,
            check=False,
        )

    whole = run(*arguments, f"--cov-config={configuration}", data=str(file))
    lines = whole.stdout.splitlines()
    failed = [line.removeprefix("FAILED ").partition(" - ")[0] for line in lines if line.startswith("FAILED ")]
    if whole.returncode and (not failed or run(*quiet, *failed, data=f"{file}.again").returncode):
        raise RuntimeError("the unit tests fail without any bug:\n" + "\n".join(lines[-40:]))
    data = CoverageData(str(file))
    data.read()
    return Reach(data, root)
