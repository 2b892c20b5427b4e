"""docs/install.md and docs/uninstall.md word for word on an empty cluster: an API server, and KServe's definitions.

No pod runs there. A command that needs one, or a world outside, is named in OUTSIDE with who else tries it.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from bare_cluster import bare_cluster
from chart import STYLES, STYLES_KNOWN, helm, render
from page_steps import Command, Values, commands, steps
from product import wait_for
from profile_sandbox.build import programs_folder
from profile_sandbox.kserve import slim_definitions
from profile_sandbox.kubectl import Kubectl, find_kubectl
from profile_sandbox.paths import CLONE
from profile_sandbox.process import SandboxError
from terminal import Terminal

INSTALL = CLONE / "docs" / "install.md"
UNINSTALL = CLONE / "docs" / "uninstall.md"
OUTSIDE = {
    "for image in ": "a container builder; tests/images builds them",
    "pip install ": "a package index",
    "hf download ": "a model hub; tests/packaging/test_models_page.py",
    "PYTHONPATH=models:runtime:crds python3.11 -m profile_models ": "a package index; tests/unit/models runs both",
    "sha256sum ": "what was downloaded",
    "kubectl -n profile-models wait ": "a node",
    "kubectl -n profile-models cp ": "a node",
    "kubectl -n profile-models exec ": "a node",
    "kubectl -n profile-system wait ": "a node; tests/cluster/test_docs.py",
    "mc ": "MinIO's client; the sandbox's MinIO takes the same policy",
    "redis-cli ": "Redis' client; tests/unit/operator/test_stage_redis.py asks a server",
    "kubectl -n hr wait --for=jsonpath": "an operator; tests/cluster/test_docs.py",
    "kubectl -n hr get preq -w": "an end; tests/cluster/test_docs.py",
}
RELEASE = "profile-studio"
NAMESPACE = "profile-system"
# What the API server itself makes, or what tells of the moment alone.
PASSING = {"events", "events.events.k8s.io", "leases.coordination.k8s.io", "apiservices.apiregistration.k8s.io"}


class World:
    """A person's terminal at an empty cluster with KServe."""

    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        self.kubectl = Kubectl(kubeconfig)
        self.terminal = Terminal(folder, CLONE, kubeconfig, {"helm": helm(), "kubectl": str(find_kubectl())})
        for file in slim_definitions(programs_folder() / "kserve-manifests"):
            self.kubectl.run("create", "-f", str(file))
        wait_for(lambda: "inferenceservices" in self.kubectl.run("api-resources"), 30, "KServe's kinds are served")

    def follow(self, page: Path) -> list[str]:
        """Do what the page says, from top to bottom; returns the commands that need what is not here.

        The first YAML is values.yaml; what comes later is tried on top of it.
        """
        skipped = []
        for step in steps(page):
            match step:
                case Values(text):
                    self._values(text)
                case Command(text) if text.startswith(tuple(OUTSIDE)):
                    skipped.append(text)
                case Command(text) if text.startswith("helm install "):
                    self.install(text)
                case Command(text):
                    self.terminal.run(text)
        return skipped

    def install(self, line: str) -> None:
        """By the page's line, and where the API server is too slow to know the new kinds, by its way on."""
        done = self.terminal.type(line)
        if "no matches for kind" in done.stderr:
            self.terminal.run(the_line(INSTALL, "helm upgrade --install "))
        else:
            assert done.returncode == 0, done.stderr

    def _values(self, text: str) -> None:
        file = self.terminal.folder / "values.yaml"
        if not file.exists():
            file.write_text(text)
            return
        (self.terminal.folder / "more.yaml").write_text(text)
        self.terminal.run(the_line(INSTALL, "helm upgrade --install ") + " -f more.yaml --dry-run=server")

    def status(self) -> str:
        """Of the release, as Helm has it; empty where there is none."""
        listed = json.loads(self.terminal.run(f"helm list --all -n {NAMESPACE} -o json"))
        return next((found["status"] for found in listed if found["name"] == RELEASE), "")

    def objects(self) -> set[str]:
        """Everything that stands: KIND/NAME, with the namespace before it where there is one."""
        kinds = set(self.kubectl.run("api-resources", "--verbs=list", "-o", "name").split()) - PASSING
        items = self.kubectl.get(",".join(sorted(kinds)), "--all-namespaces")["items"]
        return {_name(found) for found in items}


def _name(found: dict[str, Any]) -> str:
    metadata = found["metadata"]
    kind = {"CustomResourceDefinition": "crd"}.get(found["kind"], found["kind"].lower())
    return "/".join(part for part in (metadata.get("namespace"), kind, metadata["name"]) if part)


def the_line(page: Path, start: str) -> str:
    (line,) = (command for command in commands(page) if command.startswith(start))
    return line


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    for name in ("cluster", "home"):
        (tmp_path / name).mkdir()
    with bare_cluster(tmp_path / "cluster") as kubeconfig:
        yield World(tmp_path / "home", kubeconfig)


def test_the_page_installs_word_for_word(world: World) -> None:
    skipped = world.follow(INSTALL)
    unused = {start for start in OUTSIDE if not any(command.startswith(start) for command in skipped)}
    assert unused == set(), "the page no longer says this"
    assert world.status() == "deployed"
    assert {found["metadata"]["name"] for found in world.kubectl.get("clusterprofilestyles")["items"]} == STYLES
    values = yaml.safe_load((world.terminal.folder / "values.yaml").read_text())
    _what_values_name_stands(world, values)
    # hr's people may now ask for portraits, and others may not.
    for group, answer in (("hr-team", "yes"), ("others", "no")):
        may = f"kubectl -n hr auth can-i create profilerequests.profilestudio.io --as=somebody --as-group={group}"
        assert world.terminal.type(may).stdout.strip() == answer
    assert world.kubectl.get("-n", "hr", "preq", "minji")["spec"]["styles"] == [
        {"name": "studio-warm", "kind": "ClusterProfileStyle", "refresh": 0}
    ]


def _what_values_name_stands(world: World, values: dict[str, Any]) -> None:
    keys = {"store": {"accessKey", "secretKey"}, "redis": {"url"}, "database": {"dsn"}}
    for section, wanted in keys.items():
        secret = world.kubectl.get("-n", NAMESPACE, "secret", values[section]["existingSecret"])
        assert set(secret["data"]) == wanted
    secret = world.kubectl.get("-n", NAMESPACE, "secret", values["history"]["store"]["existingSecret"])
    assert set(secret["data"]) == keys["store"]
    assert values["watchNamespaces"]
    for namespace in (NAMESPACE, *values["watchNamespaces"]):
        claim = world.kubectl.get("-n", namespace, "pvc", values["models"]["existingClaim"])
        assert claim["spec"]["accessModes"] == ["ReadOnlyMany"]
        volume = world.kubectl.get("pv", claim["spec"]["volumeName"])
        assert volume["spec"]["nfs"]["readOnly"] is True
        assert volume["spec"]["claimRef"]["namespace"] == namespace
    downloads = " ".join(commands(INSTALL))
    base_model = values["training"]["baseModel"]
    recipe = yaml.safe_load((CLONE / "charts" / "profile-studio" / "recipes" / f"{base_model}.yaml").read_text())
    for model in (base_model, recipe["controlModel"]):
        assert f'--local-dir "$MODELS/{model}"' in downloads


def test_a_namespace_that_is_not_there_is_named_and_nothing_remains(world: World) -> None:
    for command in commands(INSTALL):
        if command.startswith("kubectl create namespace ") and not command.endswith(" hr"):
            world.terminal.run(command)
    world._values(next(step.text for step in steps(INSTALL) if isinstance(step, Values)))
    before = world.objects()
    refused = world.terminal.type(the_line(INSTALL, "helm install "))
    assert refused.returncode != 0
    assert "watchNamespaces names the namespace hr, which does not exist" in refused.stderr
    (remedy,) = re.findall(r"kubectl create namespace \S+", refused.stderr)
    assert world.objects() == before
    world.terminal.run(remedy)
    world.install(the_line(INSTALL, "helm install "))
    assert world.status() == "deployed"


@contextlib.contextmanager
def _no_deployments(world: World) -> Iterator[None]:
    """Who must be asked about Deployments does not answer, so the API server takes none."""
    asked = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "away"},
        "webhooks": [
            {
                "name": "away.example.com",
                "clientConfig": {"url": "https://127.0.0.1:1/"},
                "rules": [
                    {
                        "apiGroups": ["apps"],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["deployments"],
                    }
                ],
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "timeoutSeconds": 1,
            }
        ],
    }
    probe = f"kubectl -n {NAMESPACE} create deployment probe --image=probe --dry-run=server"
    world.kubectl.apply(json.dumps(asked))
    wait_for(lambda: world.terminal.type(probe).returncode != 0, 30, "no Deployment is taken")
    yield
    world.kubectl.run("delete", "validatingwebhookconfiguration", "away")
    wait_for(lambda: world.terminal.type(probe).returncode == 0, 30, "Deployments are taken")


def test_an_install_that_fails_halfway_goes_on_by_the_pages_line(world: World) -> None:
    for command in commands(INSTALL):
        if command.startswith("kubectl create namespace "):
            world.terminal.run(command)
    world._values(next(step.text for step in steps(INSTALL) if isinstance(step, Values)))
    with _no_deployments(world):
        assert world.terminal.type(the_line(INSTALL, "helm install ")).returncode != 0
    assert world.status() == "failed"
    again = world.terminal.type(the_line(INSTALL, "helm install "))
    assert "cannot re-use a name" in again.stderr, "the page says so"
    world.terminal.run(the_line(INSTALL, "helm upgrade --install "))
    assert world.status() == "deployed"
    assert {found["metadata"]["name"] for found in world.kubectl.get("clusterprofilestyles")["items"]} == STYLES


class HookPlayer(threading.Thread):
    """In a node's place: runs what the Job before an uninstall would run, and tells the API server how it ended."""

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True)
        self._world = world
        self._over = threading.Event()
        self.said: list[str] = []

    def __enter__(self) -> HookPlayer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(0.3):
            # Helm may delete the Job at any moment.
            with contextlib.suppress(SandboxError):
                for job in self._world.kubectl.get("-n", NAMESPACE, "jobs")["items"]:
                    if not job.get("status", {}).get("conditions"):
                        self._end(job)

    def _end(self, job: dict[str, Any]) -> None:
        (container,) = job["spec"]["template"]["spec"]["containers"]
        _, *command = container["command"]
        done = subprocess.run(
            [sys.executable, *command, *container["args"]],
            env=self._world.terminal.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        self.said.append(done.stdout + done.stderr)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        status: dict[str, Any] = {"startTime": now}
        if done.returncode:
            conditions = ("FailureTarget", "Failed")
            status |= {"failed": 1}
        else:
            conditions = ("SuccessCriteriaMet", "Complete")
            status |= {"succeeded": 1, "completionTime": now}
        status["conditions"] = [
            {"type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now} for kind in conditions
        ]
        patch = ("patch", "job", job["metadata"]["name"], "--subresource=status", "--type=merge")
        self._world.kubectl.run("-n", NAMESPACE, *patch, "-p", json.dumps({"status": status}))


def test_what_stays_after_an_uninstall_is_what_the_page_says(world: World) -> None:
    before = world.objects()
    world.follow(INSTALL)
    own = _own_objects(world)
    gone, *_ = (line for line in commands(UNINSTALL) if line.startswith("helm uninstall "))
    delete = the_line(UNINSTALL, "kubectl -n hr delete preq ")
    world.kubectl.run(
        *("-n", "hr", "patch", "preq", "minji", "--type=merge"),
        *("-p", '{"metadata": {"finalizers": ["profilestudio.io/purge"]}}'),
    )
    with HookPlayer(world) as player:
        refused = world.terminal.type(gone)
        assert refused.returncode != 0
        assert "hr/minji" in player.said[0]
        assert world.kubectl.get("-n", NAMESPACE, "deployment", "profile-studio-operator")
        # Nobody is there to finish it: the page's way by hand.
        world.terminal.run(delete + " --wait=false")
        world.terminal.run(the_line(UNINSTALL, "kubectl -n hr patch preq minji "))
        world.terminal.run(delete)
        world.terminal.run(gone)
    assert world.status() == ""
    stays = world.objects() - before - own
    assert stays == said_to_stay()


def _own_objects(world: World) -> set[str]:
    """What the page had its reader make."""
    managed = "app.kubernetes.io/managed-by"
    kinds = ("namespaces", "secrets", "pv", "pvc", "pods", "rolebindings", "preq", "configmaps", "serviceaccounts")
    items = world.kubectl.get(",".join(kinds), "--all-namespaces")["items"]
    return {
        _name(found)
        for found in items
        if found["metadata"].get("labels", {}).get(managed) != "Helm" and found.get("type") != "helm.sh/release.v1"
    }


def said_to_stay() -> set[str]:
    """The objects in the table of docs/uninstall.md that are not of the page for people."""
    rows = [line.split("|")[1] for line in UNINSTALL.read_text().splitlines() if line.startswith("|")]
    return {name for row in rows if "if the page was on" not in row for name in re.findall(r"`([a-z]+/[^`]+)`", row)}


def test_the_page_for_people_leaves_its_key_and_nothing_else() -> None:
    web = ("--set", "web.enabled=true,web.store.publicUrl=https://store.example.com,web.signIn.proxySecret=proxy")
    kept = {
        f"{found['kind'].lower()}/{found['metadata']['name']}"
        for found in render(*STYLES_KNOWN, *web)
        if found["kind"] not in ("CustomResourceDefinition", "ClusterProfileStyle")
        and found["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
    }
    (row,) = (line for line in UNINSTALL.read_text().splitlines() if "if the page was on" in line)
    assert kept == set(re.findall(r"`([a-z]+/[^`]+)`", row.split("|")[1]))


def test_an_install_that_gives_up_where_no_pod_runs_ends_by_the_pages_line(world: World) -> None:
    """--atomic uninstalls, and the check before that needs a pod."""
    for command in commands(INSTALL):
        if command.startswith("kubectl create namespace "):
            world.terminal.run(command)
    world._values(next(step.text for step in steps(INSTALL) if isinstance(step, Values)))
    gave_up = world.terminal.type(the_line(INSTALL, "helm install ") + " --atomic --timeout 5s")
    assert gave_up.returncode != 0
    assert world.status() == "uninstalling"
    _, without = (line for line in commands(UNINSTALL) if line.startswith("helm uninstall "))
    world.terminal.run(without)
    assert world.status() == ""
    assert "profilerequests.profilestudio.io" in world.kubectl.run("get", "crd", "-o", "name")
    world.install(the_line(INSTALL, "helm install "))
    assert world.status() == "deployed"


def test_an_uninstall_that_asks_nothing_keeps_requests_and_an_install_finds_them(world: World) -> None:
    world.follow(INSTALL)
    _, without = (line for line in commands(UNINSTALL) if line.startswith("helm uninstall "))
    world.terminal.run(without)
    assert world.status() == ""
    uid = world.kubectl.get("-n", "hr", "preq", "minji")["metadata"]["uid"]
    world.install(the_line(INSTALL, "helm install "))
    assert world.kubectl.get("-n", "hr", "preq", "minji")["metadata"]["uid"] == uid
    for line in commands(UNINSTALL):
        if line.startswith(("helm history ", "kubectl get preq ")):
            world.terminal.run(line)
    world.terminal.run(the_line(INSTALL, "helm upgrade --install ") + " --set commonLabels.team=a")
    world.terminal.run(the_line(UNINSTALL, "helm rollback "))
    assert {found["metadata"]["name"] for found in world.kubectl.get("clusterprofilestyles")["items"]} == STYLES
