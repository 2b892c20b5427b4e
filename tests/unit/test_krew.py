"""The plug-in's archive and krew's manifest of it: the program in it really runs, as kubectl's own sub-command."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from profile_krew.archive import LICENCE, PROGRAM, everywhere, pack

CLONE = Path(__file__).resolve().parents[2]
HOME = "https://profile-studio.example"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the release's command left archive and manifest, for this machine alone."""
    folder = tmp_path_factory.mktemp("krew")
    command = [
        sys.executable, "-m", "profile_krew", "--here", "--out", str(folder), "--homepage", HOME,
        "--uri", HOME + "/downloads/{file}",
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder


def test_the_manifest_names_the_archive(made: Path) -> None:
    manifest = yaml.safe_load((made / "profile.yaml").read_text())
    assert manifest["metadata"]["name"] == "profile"
    assert manifest["spec"]["version"].startswith("v")
    assert len(manifest["spec"]["shortDescription"]) <= 50
    (platform,) = manifest["spec"]["platforms"]
    archive = made / platform["uri"].rsplit("/", 1)[1]
    assert platform["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    with tarfile.open(archive) as packed:
        names = packed.getnames()
    assert {entry["from"] for entry in platform["files"]} == set(names) == {PROGRAM, LICENCE}
    assert platform["bin"] in names


def test_kubectl_finds_and_runs_it(made: Path, tmp_path: Path) -> None:
    (archive,) = made.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "bin", filter="data")
    kubectl = shutil.which("kubectl", path=str(Path(sys.executable).parent))
    assert kubectl is not None
    # Nothing of this environment but its interpreter, under the name that the program asks for.
    (tmp_path / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
    environment = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin", "HOME": str(tmp_path)}
    result = subprocess.run(
        [kubectl, "profile", "--help"], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "create" in result.stdout
    failed = subprocess.run(
        [kubectl, "profile", "styles"], env=environment, capture_output=True, text=True, check=False
    )
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr


def test_the_same_program_packs_to_the_same_bytes(tmp_path: Path) -> None:
    program = tmp_path / PROGRAM
    program.write_bytes(b"#!/usr/bin/env python3\n")
    assert pack(program, tmp_path / "a.tar.gz") == pack(program, tmp_path / "b.tar.gz")


def test_every_platform_has_every_python() -> None:
    assert "macosx_11_0_arm64-cp-313-cp313" in everywhere()
    assert len(everywhere()) == 12
