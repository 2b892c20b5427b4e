"""The pages' commands, run as they stand there: one person's request from the first page to the last."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from page_commands import STORY
from product import Product, Space, pictures_in
from profile_cli.demo.target import Target
from profile_contract.areas import areas_prefix
from profile_sandbox.kubectl import find_kubectl
from profile_sandbox.paths import CLONE

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
NAMESPACE = "hr"
NOTES_WORDS = re.compile(r"^  (kubectl .+)$", re.MULTILINE)
# Lines that end by themselves never.
WATCHING = {"kubectl -n hr get preq -w"}

Shell = Callable[[str], str]


@pytest.fixture(scope="module")
def shell(product: Product, target: Target, people: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A terminal as the pages think of it: in a clone, with photos and values.yaml, and programs on the PATH."""
    if product.kubectl.run("get", "namespace", NAMESPACE, "--ignore-not-found"):
        pytest.skip(f"the cluster has a namespace {NAMESPACE}, which the pages use: it is not ours to change")
    home = tmp_path_factory.mktemp("clone")
    for name in ("charts", "examples"):
        (home / name).symlink_to(CLONE / name)
    (home / "photos").mkdir()
    for photo in pictures_in(people / "p00060"):
        shutil.copy(photo, home / "photos")
    (home / "values.yaml").write_text(yaml.safe_dump(_installed_values(product, target)))
    kubeconfig = home / "kubeconfig"
    shutil.copy(target.kubeconfig, kubeconfig)
    product.kubectl.run("--kubeconfig", str(kubeconfig), "config", "set-context", "--current", "--namespace", NAMESPACE)
    programs = home / "bin"
    programs.mkdir()
    (programs / "helm").symlink_to(target.helm)
    path = [str(programs), str(Path(sys.executable).parent), str(find_kubectl().parent), os.environ["PATH"]]
    environment = {
        **os.environ,
        **target.store_environment,
        "PROFILE_STORE": target.store_url,
        "KUBECONFIG": str(kubeconfig),
        "PATH": os.pathsep.join(path),
        "SECRET": "secret",
    }

    def run(line: str) -> str:
        command = f"timeout 5 {line} || test $? = 124" if line in WATCHING else f"{line} {STORY.get(line, '')}"
        command = command.replace("-n NAMESPACE ", "").replace("preq NAME", f"preq -n {NAMESPACE} minji")
        done = subprocess.run(
            ["bash", "-c", command], cwd=home, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    try:
        yield run
    finally:
        product.kubectl.run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")
        product.store.delete(areas_prefix(NAMESPACE))


def _installed_values(product: Product, target: Target) -> object:
    told = subprocess.run(
        [target.helm, "get", "values", "profile-studio", "-n", product.release_namespace, "-o", "yaml"],
        env={**os.environ, "KUBECONFIG": str(target.kubeconfig)},
        capture_output=True,
        text=True,
        check=True,
    )
    return yaml.safe_load(told.stdout)


def test_the_story(shell: Shell, product: Product, people: Path, tmp_path: Path) -> None:
    said: dict[str, str] = {}
    for line in STORY:
        if "apply -f examples/request.yaml" in line:
            # As `mc cp` does.
            area = Space(product.kubectl, product.store, NAMESPACE).area
            for photo in pictures_in(people / "p00060"):
                product.store.write(
                    f"{area}uploads/minji/{photo.name}",
                    photo.read_bytes(),
                    "image/jpeg",
                )
        said[line] = shell(line)

    def about(words: str) -> str:
        (found,) = (text for line, text in said.items() if words in line)
        return found

    assert "passed" in about("helm -n profile-system test")
    assert "profile-predictor" in about("get deployments,inferenceservices")
    assert "studio-warm" in about("get clusterprofilestyles")
    assert "problem" not in about("profile doctor")
    assert "registry.example.com" in about("helm show values")
    assert "photos" in about("explain preq.spec")
    assert "profile-studio-operator" in about("get pods -l app.kubernetes.io/component=operator")
    assert "minji-train" in about("get jobs --all-namespaces -l profilestudio.io/stage=train")
    assert "minji" in about("get preq -w")
    assert "condition met" in about("wait --for=condition=Ready preq/minji")
    assert "Best Likeness" in about("describe preq minji")
    assert "minji" in said["kubectl get preq --all-namespaces"]
    assert "ready: 1 portrait" in about("profile create minji")
    assert "Accepted" in about("profile photos minji")
    assert re.search(r"the history of [1-9]\d* requests was written anew", about("profile_history rebuild"))
    assert re.search(r"the photos under hr\.[0-9a-f-]+/uploads/minji/ are gone, too", about("profile delete minji"))


def test_what_helm_says_after_an_install(shell: Shell, product: Product, target: Target) -> None:
    """Its commands, but for the one that asks for a request."""
    notes = subprocess.run(
        [target.helm, "get", "notes", "profile-studio", "-n", product.release_namespace],
        env={**os.environ, "KUBECONFIG": str(target.kubeconfig)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    told = [line for line in NOTES_WORDS.findall(notes) if "<" not in line]
    assert len(told) == 3
    said = [shell(line) for line in told]
    assert "successfully rolled out" in said[0]
    assert "condition met" in said[1]
    assert "studio-warm" in said[2]
