"""Requests and styles from Git, as Flux brings them: the examples, as they are.

The tests are one story, in this order.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from flux_world import RELEASE, Flux, Repository, adapted
from product import Product, Request, Space, pictures_in, wait_for
from profile_sandbox import Sandbox, flux

# The first time on a machine, the controllers are compiled.
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PLATFORM, PORTRAITS = "profile-studio", "portraits"
REPOSITORIES = {PLATFORM: "platform/profile-studio.git", PORTRAITS: "hr/portraits.git"}
STYLE = "company-blue"
# What keeps a request small here, as a patch of the Kustomization: what lies in Git stays what people copy.
QUICK = {
    "portraits": 1,
    "candidates": 2,
    "minimumLikeness": 0,
    "training": {"steps": 4, "rank": 4},
    # A style's new content is drawn by itself: what a team that keeps its own style in Git asks for.
    "updates": "Followed",
}


@dataclass(frozen=True)
class Story:
    """The team's repository, Flux that watches it, and the namespace that it fills."""

    flux: Flux
    repository: Repository
    space: Space

    @property
    def minji(self) -> Request:
        """The one of whom there are photos."""
        return Request(self.space.kubectl, self.space.name, "minji")

    def publish(self, message: str) -> str:
        """Commit, push, and have Flux fetch it; gives the revision."""
        self.repository.commit(message)
        self.repository.push(f"{self.flux.server}/{REPOSITORIES[PORTRAITS]}")
        self.flux.fetch(PORTRAITS, self.repository.revision)
        return self.repository.revision

    def wait_ready(self, revision: str, seconds: float = 240) -> None:
        """Wait until the folder is ready with this revision; never may it be so before its request is."""

        def look() -> bool:
            # The folder first: a request that gets ready in between must not look as if it had been late.
            ready = self.flux.is_ready(PORTRAITS, revision)
            condition = self.minji.condition("Ready")
            assert not ready or (condition is not None and condition.status == "True")
            return ready

        wait_for(look, seconds, f"{PORTRAITS} is ready with {revision}")

    def change(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file of the folder."""
        file = self.repository.folder / "examples" / "gitops" / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def names(self) -> list[str]:
        """Whose requests there are."""
        found = self.space.kubectl.get("-n", self.space.name, "preq")["items"]
        return [request["metadata"]["name"] for request in found]

    def digest(self, stage: str) -> str:
        """The digest that her status tells for a stage."""
        entry = getattr(self.minji.status.stages, stage)
        return entry.digest if entry else ""

    def style(self) -> Any:
        """The style's spec in the cluster."""
        return self.space.kubectl.get("-n", self.space.name, "pstyle", STYLE)["spec"]


@pytest.fixture(scope="module")
def story(
    sandbox: Sandbox, product: Product, people: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    kubectl, folder = product.kubectl, tmp_path_factory.mktemp("flux")
    space = Space(kubectl, product.store, f"test-{uuid.uuid4().hex[:8]}")
    repository = Repository(folder / "team")
    shutil.copytree(EXAMPLES, repository.folder / "examples")
    repository.begin()
    # Photos are sent into a namespace that is there; Flux finds it, and takes it for its own as the folder says.
    kubectl.run("create", "namespace", space.name)
    space.upload(pictures_in(people / "p00060"), "uploads/minji/")
    try:
        with flux.running(kubectl, folder / "manifests", print) as server:
            story = Story(Flux(kubectl, server), repository, space)
            story.flux.prepare()
            yield story
    finally:
        kubectl.run("delete", "crd", RELEASE, "--ignore-not-found")
        kubectl.run("delete", "namespace", space.name, "--ignore-not-found", "--wait=false")
        space.store.delete(space.area)


def test_requests_wait_for_the_product(story: Story) -> None:
    patch = {"kind": "ProfileRequest", "apiVersion": "profilestudio.io/v1alpha1", "metadata": {"name": "any"}}
    patches = [{"target": {"kind": "ProfileRequest"}, "patch": json.dumps({**patch, "spec": QUICK})}]
    documents = list(yaml.safe_load_all((EXAMPLES / "flux" / "portraits.yaml").read_text()))
    ours = {"targetNamespace": story.space.name, "patches": patches}
    for path in REPOSITORIES.values():
        story.repository.push(f"{story.flux.server}/{path}")
    story.space.kubectl.apply(adapted(documents, PORTRAITS, ours))
    revision = story.repository.revision
    for source in REPOSITORIES:
        story.flux.wait_fetched(source, revision)
    story.flux.wait(PORTRAITS, "DependencyNotReady", 60)
    story.flux.wait(PLATFORM, "Progressing", 60)
    story.flux.released("profile-studio")
    wait_for(lambda: story.flux.is_ready(PLATFORM, revision), 60, "the release and the predictor are ready")


def test_one_request_that_stalls_is_the_folders_failure_at_once(story: Story) -> None:
    message = story.flux.wait(PORTRAITS, "HealthCheckFailed", 120)
    assert f"ProfileRequest/{story.space.name}/junho" in message, "there are no photos of him"
    assert Request(story.space.kubectl, story.space.name, "junho").wait("Stalled").reason == "NoPhotos"
    assert story.style()["tone"] == "Cool"


def test_who_leaves_the_repository_leaves_the_cluster_while_others_are_in_work(story: Story) -> None:
    file = story.repository.folder / "examples" / "gitops" / "team.yaml"
    file.write_text(file.read_text().partition("---\n")[0])
    story.publish("Junho has left")
    wait_for(lambda: story.names() == ["minji"], 60, "his request goes")
    # What Flux waits for holds nobody up: the next commit is applied although her portraits are not there yet.
    story.change("company-blue.yaml", "Company, blue backdrop", "Company, blue")
    revision = story.publish("A shorter title")
    wait_for(lambda: story.style()["title"]["en"] == "Company, blue", 60, "the next commit is applied")
    assert not story.minji.status.portraits
    story.wait_ready(revision)
    assert len(story.minji.status.portraits) == 1


def test_a_style_that_changes_is_generated_anew_and_nobody_is_trained_again(story: Story) -> None:
    before, trained = story.digest("generate"), story.digest("train")
    story.change("company-blue.yaml", "navy blazer", "grey blazer")
    revision = story.publish("Grey blazers")
    wait_for(lambda: "grey blazer" in story.style()["prompt"], 60, "the style is applied")
    wait_for(lambda: story.digest("generate") != before, 60, "it is generated anew")
    wait_for(lambda: story.flux.is_ready(PORTRAITS, revision), 240, "the folder is ready")
    story.minji.wait("Ready")
    assert story.digest("train") == trained


def test_without_the_folder_everything_is_gone(story: Story) -> None:
    kubectl = story.space.kubectl
    assert story.space.made("minji")
    kubectl.run("-n", flux.NAMESPACE, "delete", flux.KUSTOMIZATIONS, PORTRAITS, "--timeout=60s")
    wait_for(lambda: not story.space.made("minji"), 60, "what was made for her goes")
    assert not kubectl.run("-n", story.space.name, "get", "pstyle", STYLE, "--ignore-not-found")
    wait_for(lambda: not kubectl.run("get", "namespace", story.space.name, "--ignore-not-found"), 90, "the namespace")
