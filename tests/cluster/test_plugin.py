"""`kubectl profile` from a folder of photos to downloaded portraits, called by kubectl as a user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from product import Product, Space
from profile_cli.demo.target import Target

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
NAME = "from-a-folder"

Profile = Callable[..., str]


@pytest.fixture(scope="module")
def space(product: Product) -> Iterator[Space]:
    with product.space() as space:
        yield space


@pytest.fixture(scope="module")
def profile(target: Target, space: Space) -> Profile:
    """Calls the plugin as kubectl finds it: a program of that name on the PATH."""
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        **target.store_environment,
        "PROFILE_STORE": target.store_url,
        "KUBECONFIG": str(target.kubeconfig),
        "PATH": f"{programs}:{os.environ['PATH']}",
    }

    def call(*arguments: str, code: int = 0, before: Sequence[str] = ()) -> str:
        command = [str(programs / "kubectl"), *before, "profile", "--namespace", space.name, *arguments]
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return call


def test_doctor_finds_all_well(profile: Profile) -> None:
    said = profile("doctor")
    assert "you may create profilerequests" in said
    assert "missing" not in said
    assert all(finding["well"] for finding in json.loads(profile("doctor", "-o", "json")))


def test_styles_are_listed(profile: Profile) -> None:
    assert "studio-warm" in profile("styles")
    assert {style["metadata"]["name"] for style in json.loads(profile("styles", "-o", "json"))} >= {"studio-cool"}


def test_from_a_folder_to_portraits(profile: Profile, people: Path, tmp_path: Path) -> None:
    folder = str(people / "p00060")
    asked = (
        "--noun=woman",
        "--portraits=1",
        "--candidates=2",
        "--minimum-likeness=0",
        "--layouts=square,employee-card",
    )
    said = profile("create", NAME, folder, *asked, "--watch")
    assert "12 photos stand" in said
    assert "ready: 1 portraits" in said
    assert "Accepted" in profile("photos", NAME)
    verdicts = json.loads(profile("photos", NAME, "-o", "json"))
    assert len(verdicts) == 12
    assert all(verdict["accepted"] for verdict in verdicts)
    profile("portraits", NAME, "--out", str(tmp_path))
    files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert {"adapter.safetensors", "contact-sheet.jpg"} <= files
    assert len(list((tmp_path / "portraits").rglob("*.jpg"))) >= 2
    again = json.loads(profile("portraits", NAME, "--out", str(tmp_path), "-o", "json"))
    assert [portrait["rank"] for portrait in again["portraits"]] == [1]
    # As the shell asks kubectl, and kubectl the plugin.
    assert NAME in profile("photos", "", before=["__complete"]).splitlines()


def test_what_is_not_there_is_said(profile: Profile) -> None:
    assert "there is no ProfileRequest" in profile("watch", "nobody", code=1)
    assert "there is no ProfileRequest" in profile("delete", "nobody", code=1)


def test_delete_takes_everything_away(profile: Profile, space: Space) -> None:
    assert space.made(NAME)
    assert "are gone" in profile("delete", NAME, "--wait")
    assert space.made(NAME) == []
