"""Reach: which tests reach which line. Each folder of tests runs once under coverage, in a copy without a bug.

What was recorded of a folder is kept until its tests or the sources change, and only folders whose tests name the
package of a bug are run: a run that was cut goes on where it was, and one bug costs no run of everything.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from coverage import CoverageData

from .mutant import Mutant

# The tests that need no cluster.
FLOORS = ("tests/unit", "tests/chart", "tests/networks")
# So many files are asked before anything is measured.
MOST_NEAR = 5
# What coverage cannot follow is looked at by these.
BY_FOLDER = {
    "charts/": "tests/chart/test_*.py",
    "images/web/profile_web/static/": "tests/unit/web/test_*.py",
    "sandbox/services/": "tests/unit/sandbox/test_*.py",
}


class Reach:
    """The records of the folders of tests that were run."""

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
        return sorted(using | set(naming(self._root, mutant)))

    def files(self, mutant: Mutant) -> list[str]:
        """Whole files of tests that may see what the tests of its lines do not: what runs in a process of its own is
        not followed, and a bug may change the parameters by which a test is named."""
        mirror = (self._root / "tests" / "unit" / _room(mutant)).glob("test_*.py")
        known = {test.partition("::")[0] for test in self.tests(mutant)}
        return sorted(known | set(naming(self._root, mutant)) | {str(file.relative_to(self._root)) for file in mirror})


def naming(root: Path, mutant: Mutant) -> list[str]:
    """Test files that name the module, else those of its package: of what is but declared nothing runs after the
    import, and what runs in a process of its own (the decoder of pictures) leaves no trace here."""
    files = sorted(file for floor in FLOORS for file in (root / floor).rglob("test_*.py"))
    named = [file for file in files if _module(mutant) in file.read_text()]
    named = named or [file for file in files if file.parent.name == _room(mutant)]
    return [str(file.relative_to(root)) for file in named]


def near(root: Path, mutant: Mutant) -> list[str]:
    """A few files of tests in the folder of the bug's package, or of networks, that name its module, those first that
    import least: most bugs are seen there, and nothing has to be measured for it."""
    folders = (root / "tests" / "unit" / _room(mutant), root / "tests" / "networks")
    texts = {file: file.read_text() for folder in folders for file in folder.glob("test_*.py")}
    named = [file for file, text in texts.items() if mutant.file.endswith(".py") and _module(mutant) in text]
    named.sort(key=lambda file: (file.parent.name == "networks", texts[file].count("import "), file.name))
    return [str(file.relative_to(root)) for file in named[:MOST_NEAR]]


def _module(mutant: Mutant) -> str:
    """The bug's module, as an import names it."""
    return "profile_" + mutant.file.removesuffix(".py").rpartition("profile_")[2].replace("/", ".")


def _room(mutant: Mutant) -> str:
    """The bug's package without its first word, which is what the folder of its unit tests is called."""
    return mutant.file.rpartition("profile_")[2].split("/")[0]


def _test(context: str) -> str:
    """The test of a context, `<node id>|<setup, run or teardown>`; parameters may hold a bar of their own."""
    return context.rpartition("|")[0]


def measure(root: Path, environment: dict[str, str], mutants: Sequence[Mutant], kept: Path) -> Reach:
    """Run the folders of tests that may see these bugs in `root`; what `kept` holds of them is not run again. Raises
    RuntimeError where a test fails without any bug, and fails alone, too: nothing could be learnt. One that only was
    late beside others is none."""
    configuration = root / ".coveragerc"
    configuration.write_text("[run]\nbranch = False\nomit = tests/*\n")
    kept.mkdir(parents=True, exist_ok=True)
    whole = CoverageData(str(root / ".coverage"))
    sources = digest(path for path in root.rglob("*.py") if not {"tests", ".venv"} & set(path.relative_to(root).parts))
    for folder in folders_for(root, mutants):
        tests = digest([*(root / folder).rglob("*.py"), *(root / "tests" / "support").rglob("*.py")])
        record = kept / f"{folder.replace('/', '-')}.{sources}{tests}"
        if not record.is_file():
            print(f"{folder}, without any bug ...", flush=True)
            for old in kept.glob(f"{folder.replace('/', '-')}.*"):
                old.unlink()
            _record(root, environment, folder, record, configuration)
        data = CoverageData(str(record))
        data.read()
        whole.update(data)
    return Reach(whole, root)


def folders_for(root: Path, mutants: Iterable[Mutant]) -> list[str]:
    """The folders of tests in which a package of these bugs is named; bugs that coverage cannot follow need none."""
    packages = {f"profile_{_room(m)}" for m in mutants if m.file.endswith(".py")}
    unit = sorted(path for path in (root / "tests" / "unit").iterdir() if path.is_dir())
    folders = [*unit, *(root / floor for floor in FLOORS if floor != "tests/unit")]
    named = {folder: "".join(file.read_text() for file in folder.rglob("*.py")) for folder in folders}
    return [
        str(folder.relative_to(root)) for folder in folders if any(package in named[folder] for package in packages)
    ]


def digest(files: Iterable[Path]) -> str:
    """Of the contents of files and their names."""
    whole = hashlib.sha256()
    for path in sorted(files):
        whole.update(str(path).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:12]


def _record(root: Path, environment: dict[str, str], folder: str, record: Path, configuration: Path) -> None:
    """Run a folder of tests under coverage; its record appears once it is whole."""
    quiet = ["-q", "-p", "no:cacheprovider", "--no-header", "-W", "ignore"]
    coverage = ["--cov=.", "--cov-context=test", "--cov-report=", f"--cov-config={configuration}"]

    def run(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pytest", *quiet, *arguments],
            cwd=root,
            env={**environment, "COVERAGE_FILE": str(data)},
            capture_output=True,
            text=True,
            check=False,
        )

    unfinished = root / ".coverage.unfinished"
    unfinished.unlink(missing_ok=True)
    whole = run(*coverage, folder, data=unfinished)
    lines = whole.stdout.splitlines()
    failed = [line.removeprefix("FAILED ").partition(" - ")[0] for line in lines if line.startswith("FAILED ")]
    if whole.returncode and (not failed or run(*failed, data=root / ".coverage.again").returncode):
        raise RuntimeError(f"{folder} fails without any bug:\n" + "\n".join(lines[-40:]))
    unfinished.rename(record)
