"""The wheel: it holds the product and neither workshop nor tools, and its programs run from it alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import environment
import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
LEFT_OUT = ("profile_workshop", "profile_dashboards", "profile_krew", "profile_samples")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.iterdir()
    return wheel


def test_it_holds_every_file_of_the_product_and_nothing_else(wheel: Path) -> None:
    """The page, the migrations and other files that are no Python, too; by what Git knows."""
    packages = BUILD["targets"]["wheel"]["packages"]
    listed = subprocess.run(["git", "ls-files", *packages], cwd=ROOT, check=True, capture_output=True, text=True)
    product = {
        str(Path(file).relative_to(Path(package).parent))
        for file in listed.stdout.splitlines()
        for package in packages
        if Path(file).is_relative_to(package) and (ROOT / file).exists()
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert product - held == set()
    assert {name.split("/")[0] for name in held} == {Path(package).name for package in packages}
    assert not {name.split("/")[0] for name in held} & set(LEFT_OUT)


@pytest.mark.parametrize(
    ("extra", "program", "says"),
    [("plugin", "kubectl-profile", "photos"), ("cli", "profile-studio", "run")],
)
def test_its_programs_run_from_it_alone(wheel: Path, tmp_path: Path, extra: str, program: str, says: str) -> None:
    uv, python = str(environment.uv()), str(tmp_path / "bin" / "python")
    environment.run(uv, "venv", "--quiet", "--python", sys.executable, str(tmp_path))
    wanted = (f"profile-studio[{extra}] @ {wheel.as_uri()}", "--constraints", str(environment.EVERYTHING))
    environment.run(uv, "pip", "install", "--quiet", "--python", python, *wanted)
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    # Somewhere else than in the clone, whose folders would be found.
    command = [str(tmp_path / "bin" / program), "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
    assert says in done.stdout
    origin = subprocess.run(
        [python, "-c", "import profile_cli, importlib.util as u, sys; print(profile_cli.__file__);"
         "print([name for name in sys.argv[1:] if u.find_spec(name)])", *LEFT_OUT],
        cwd=tmp_path, env=clean, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert origin.stdout.splitlines()[0].startswith(str(tmp_path))
    assert origin.stdout.splitlines()[1] == "[]"
