"""The plug-in's archive and krew's manifest of it: the program in it really runs, as kubectl's own sub-command."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from profile_krew.archive import COMPLETION, LICENCE, PROGRAM, pack
from profile_krew.platforms import everywhere
from profile_sandbox import add_ons, build, programs
from profile_sandbox.kubectl import find_kubectl

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
    assert {entry["from"] for entry in platform["files"]} == set(names) == {PROGRAM, COMPLETION, LICENCE}
    assert platform["bin"] in names


def kubectl(place: Path, *words: str, home: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """kubectl as somebody has it whose programs lie in `place`, with nothing of this environment but its Python."""
    program = str(find_kubectl())
    if not (place / "python3").exists():
        (place / "python3").symlink_to(Path(sys.executable).resolve())
    environment = {"PATH": f"{place}{os.pathsep}/usr/bin{os.pathsep}/bin", "HOME": str(home)}
    said = subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == code, said.stdout + said.stderr
    assert "Traceback" not in said.stderr
    return said


def test_kubectl_finds_runs_and_completes_it(made: Path, tmp_path: Path) -> None:
    (archive,) = made.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "bin", filter="data")
    assert "create" in kubectl(tmp_path / "bin", "profile", "--help", home=tmp_path).stdout
    kubectl(tmp_path / "bin", "profile", "styles", home=tmp_path, code=1)
    proposed = kubectl(tmp_path / "bin", "__complete", "profile", "w", home=tmp_path).stdout
    assert proposed.splitlines()[0] == "watch"


def krew() -> Path:
    folder = add_ons.KREW.folder
    if build.missing(folder, [programs.KREW]):
        pytest.fail("krew is not compiled: run `make checks`")
    return folder


def test_krews_own_validator_takes_the_manifest(made: Path) -> None:
    command = [str(krew() / "validate-krew-manifest"), "-manifest", str(made / "profile.yaml"), "-skip-install"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


@pytest.fixture
def release(made: Path, tmp_path: Path) -> Iterator[str]:
    """The URL below which archive and manifest can be fetched, as they can from a release."""
    folder = tmp_path / "release"
    shutil.copytree(made, folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        manifest = folder / "profile.yaml"
        manifest.write_text(manifest.read_text().replace(f"{HOME}/downloads", url))
        Thread(target=server.serve_forever, daemon=True).start()
        yield url
        server.shutdown()


def test_krew_installs_it_and_completion_is_put_beside(release: str, tmp_path: Path) -> None:
    root = tmp_path / "krew"
    # Without krew's index of other people's plug-ins, which this test neither needs nor reaches.
    command = [str(krew() / "krew"), "install", "--no-update-index", "--manifest-url", f"{release}/profile.yaml"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KREW_ROOT": str(root)}
    said = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert said.returncode == 0, said.stderr
    place = root / "bin"
    assert "create" in kubectl(place, "profile", "--help", home=tmp_path).stdout
    assert "__complete" in kubectl(place, "profile", "completion", home=tmp_path).stdout
    kubectl(place, "profile", "completion", "--install", home=tmp_path)
    assert "portraits" in kubectl(place, "__complete", "profile", "p", home=tmp_path).stdout.splitlines()


def test_the_same_program_packs_to_the_same_bytes(tmp_path: Path) -> None:
    program = tmp_path / PROGRAM
    program.write_bytes(b"#!/usr/bin/env python3\n")
    assert pack(program, tmp_path / "a.tar.gz") == pack(program, tmp_path / "b.tar.gz")


def test_every_platform_has_every_python() -> None:
    told = [json.loads(one) for one in everywhere()]
    names = ("sys_platform", "platform_machine", "python_version")
    of = {tuple(one["marker_environment"][name] for name in names) for one in told}
    assert len(told) == len(of) == 12
    assert ("darwin", "arm64", "3.13") in of


def test_a_platform_takes_the_wheels_that_there_are() -> None:
    linux = json.loads(everywhere()[0])["compatible_tags"]
    assert {"cp311-cp311-manylinux2014_x86_64", "cp39-abi3-manylinux_2_26_x86_64", "py3-none-any"} <= set(linux)
    intel = json.loads(everywhere()[-1])["compatible_tags"]
    assert "cp313-cp313-macosx_10_12_x86_64" in intel
