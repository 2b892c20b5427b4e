"""`kubectl profile` from a folder of photos to downloaded portraits, called by kubectl as a user calls it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from product import Product, Space
from profile_cli.demo.target import Target
from profile_contract.artifacts import uploads_prefix
from profile_sandbox.kubectl import Kubectl, find_kubectl

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
        command = [str(find_kubectl()), *before, "profile", "--namespace", space.name, *arguments]
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return call


def test_doctor_finds_all_well(profile: Profile) -> None:
    said = profile("doctor")
    assert "you may create profilerequests" in said
    assert "problem" not in said
    assert all(finding["well"] for finding in json.loads(profile("doctor", "-o", "json")))


def test_doctor_tells_what_is_missing_and_what_to_do(profile: Profile, kubectl: Kubectl, space: Space) -> None:
    style = kubectl.get("clusterprofilestyles", "studio-warm")
    name = f"{space.name}-lonely"
    lonely = {
        "apiVersion": style["apiVersion"],
        "kind": style["kind"],
        "metadata": {"name": name},
        "spec": style["spec"] | {"predictor": "nowhere"},
    }
    kubectl.apply(json.dumps(lonely))
    try:
        findings = {one["what"]: one for one in json.loads(profile("doctor", "--store", "", "-o", "json", code=1))}
    finally:
        kubectl.run("delete", "clusterprofilestyle", name)
    missing = {what for what, one in findings.items() if not one["well"]}
    assert missing == {"the predictor nowhere is ready", "PROFILE_STORE names the store"}
    assert name in findings["the predictor nowhere is ready"]["advice"]
    assert findings["the operator runs"]["well"]
    away = profile("doctor", "--store", "s3://profiles?endpoint=127.0.0.1:1&secure=false", code=1)
    assert "the store answers you" in away


def test_doctor_counts_against_nobody_what_a_namespaces_editor_cannot_see(  # noqa: PLR0917
    product: Product, profile: Profile, kubectl: Kubectl, target: Target, space: Space, tmp_path: Path
) -> None:
    editor, theirs = f"{space.name}:editor", tmp_path / "kubeconfig"
    kubectl.run("-n", space.name, "create", "serviceaccount", "editor")
    # Editors may not ask for portraits by that alone: the chart's own role says so.
    for role in ("edit", f"{product.release_namespace}-profile-studio-edit"):
        kubectl.run(
            "-n", space.name, "create", "rolebinding", role, f"--clusterrole={role}", f"--serviceaccount={editor}"
        )
    token = kubectl.run("-n", space.name, "create", "token", "editor").strip()
    shutil.copy(target.kubeconfig, theirs)
    own = ("--kubeconfig", str(theirs), "config")
    kubectl.run(*own, "set-credentials", "editor", f"--token={token}")
    kubectl.run(*own, "set-context", "--current", "--user=editor")
    findings = {one["what"]: one["well"] for one in json.loads(profile(*own[:2], "doctor", "-o", "json"))}
    assert [what for what, well in findings.items() if well is None] == ["the operator runs", "there are styles"]
    verbs = ("create", "get", "list", "patch", "delete")
    assert all(findings[f"you may {verb} profilerequests"] for verb in verbs)


def test_what_the_api_refuses_is_uploaded_nowhere(profile: Profile, people: Path, target: Target, space: Space) -> None:
    folder = str(people / "p00060")
    assert "cannot be a request's name" in profile("create", "Bob_X", folder, code=1)
    assert "there is no style nosuch" in profile("create", NAME, folder, "--style", "nosuch", code=1)
    assert 'namespaces "nosuch" not found' in profile("create", NAME, folder, "-n", "nosuch", code=1)
    assert json.loads(profile("create", NAME, folder, "--dry-run=server"))["metadata"]["namespace"] == space.name
    store = target.store()
    assert store.list(uploads_prefix(space.area, f"uploads/{NAME}/")) == store.list("nosuch/") == []


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
    assert "ready: 1 portrait" in said
    assert "already exists" in profile("create", NAME, folder, code=1)
    assert "studio-warm" in profile("portraits", NAME)
    assert NAME in profile("list")
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


def test_programs_read_along(profile: Profile) -> None:
    (*_, last) = [json.loads(line) for line in profile("watch", NAME, "-o", "json").splitlines()]
    assert last["ready"]
    assert set(last["stages"]) == {"preprocess", "train", "generate", "finish"}


def test_what_is_not_there_is_said(profile: Profile) -> None:
    assert "there is no ProfileRequest" in profile("watch", "nobody", code=1)
    assert "there is no ProfileRequest" in profile("delete", "nobody", code=1)


def test_other_photos_are_looked_at_anew(profile: Profile, people: Path, kubectl: Kubectl, space: Space) -> None:
    def photos() -> dict[str, int]:
        found: dict[str, int] = kubectl.get("-n", space.name, "preq", NAME)["status"]["photos"]
        return found

    # Suspended, nothing is trained anew: what a revision is good for is seen in the photos alone.
    kubectl.run("-n", space.name, "patch", "preq", NAME, "--type=merge", "-p", '{"spec": {"suspend": true}}')
    assert "1 photos deleted, 11 left" in profile("remove", NAME, "00.jpg")
    assert json.loads(profile("add", NAME, str(people / "p00060"), "-o", "json"))["added"] == ["00.jpg"]
    assert kubectl.get("-n", space.name, "preq", NAME)["spec"]["photos"]["revision"] == 3
    assert photos()["found"] == 12


def test_delete_takes_everything_away(profile: Profile, space: Space, target: Target) -> None:
    uploads = uploads_prefix(space.area, f"uploads/{NAME}/")
    assert space.made(NAME)
    assert len(target.store().list(uploads)) == 12
    gone = json.loads(profile("delete", NAME, "--wait", "-o", "json"))
    assert (gone["gone"], gone["photosGo"], gone["stays"]) == (True, True, [])
    assert space.made(NAME) == []
    assert target.store().list(uploads) == []
