"""The product in the cluster: its own chart, until everything of it answers."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from profile_cli.cluster import Unreachable
from profile_cli.errors import CommandError
from profile_cli.terminal import Terminal, Tracker
from profile_sandbox.paths import CLONE

from .cluster import DemoCluster
from .target import Target

CHART = CLONE / "charts" / "profile-studio"
RELEASE = "profile-studio"
NAMESPACE = "profile-system"
OPERATOR = "profile-studio-operator"
PREDICTOR = "profile-predictor"
HISTORY = "profile-studio-history"
WEB = "profile-studio-web"
HELM_SECONDS = 180
# What helm says while another helm works on the same release.
BUSY = ("another operation", "release: already exists")
BUSY_SECONDS, BUSY_PAUSE_SECONDS = 60, 5
STUCK = f"An earlier helm run was interrupted. Run `helm rollback {RELEASE} --namespace {NAMESPACE}`, then try again."
# Longer than an image pull on a slow line; the sandbox needs half a minute.
READY_SECONDS = 420
# A pod may fail once while what it needs comes up.
TROUBLE_SECONDS = 45
PAUSE_SECONDS = 0.5


def install(target: Target, terminal: Terminal) -> None:
    """`helm upgrade --install`. Raises CommandError with helm's own words."""
    for namespace in target.namespaces:
        DemoCluster(target.kubeconfig).ensure_namespace(namespace)
    terminal.say(f"helm upgrade --install {RELEASE} charts/profile-studio --namespace {NAMESPACE}")
    deadline = time.monotonic() + BUSY_SECONDS
    with tempfile.TemporaryDirectory() as folder:
        values = Path(folder) / "values.yaml"
        values.write_text(json.dumps(target.values))
        while True:
            failure = _helm(target, values)
            if not failure:
                return
            busy = any(words in failure for words in BUSY)
            if not busy or time.monotonic() > deadline:
                raise CommandError(f"helm: {failure}" + (f"\n{STUCK}" if busy else ""))
            terminal.say("somebody else is changing the release; waiting for that")
            time.sleep(BUSY_PAUSE_SECONDS)


def _helm(target: Target, values: Path) -> str:
    """Run helm; what it says where it fails, empty where all went well."""
    files = [*(CHART / name for name in target.presets), values]
    command = [
        target.helm, "upgrade", "--install", RELEASE, str(CHART), "--namespace", NAMESPACE, "--create-namespace",
        *(f"--values={file}" for file in files),
    ]  # fmt: skip
    environment = {**os.environ, "KUBECONFIG": str(target.kubeconfig)}
    try:
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=HELM_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise CommandError("helm is not on the PATH: install Helm 3 or 4") from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"helm did not end within {HELM_SECONDS} s") from error
    return (result.stderr.strip() or result.stdout.strip() or "failed") if result.returncode else ""


def wait_ready(cluster: DemoCluster, terminal: Terminal, *, page: bool = False, history: bool = False) -> None:
    """Wait until operator, predictor and, if wanted, history and page are ready.

    Raises CommandError after a while, or when a pod keeps failing.
    """
    deployments = {"the operator": OPERATOR}
    deployments |= {"the history": HISTORY} if history else {}
    deployments |= {"the page": WEB} if page else {}
    with terminal.tracker("installing") as tracker:
        _wait(cluster, tracker, deployments)
    terminal.say(f"{', '.join(deployments)} and the predictor are ready")


def _wait(cluster: DemoCluster, tracker: Tracker, deployments: Mapping[str, str]) -> None:
    """Wait for the predictor and these deployments, by how they are called. Raises CommandError."""
    begin, trouble_since = time.monotonic(), None
    while True:
        waiting, troubles = _look(cluster, deployments)
        if not waiting:
            return
        now = time.monotonic()
        trouble_since = (trouble_since or now) if troubles else None
        if troubles and trouble_since is not None and now - trouble_since > TROUBLE_SECONDS:
            raise CommandError("a pod does not start:\n" + "\n".join(f"  {line}" for line in troubles))
        if now - begin > READY_SECONDS:
            raise CommandError(f"not ready after {READY_SECONDS} s: {', '.join(waiting)}")
        tracker.show("waiting for " + " and ".join(waiting))
        time.sleep(PAUSE_SECONDS)


def _look(cluster: DemoCluster, deployments: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """What is not ready yet, and which pods are in trouble."""
    try:
        waiting = [text for text, name in deployments.items() if not cluster.deployment_ready(NAMESPACE, name)]
        waiting += [] if cluster.predictor_ready(NAMESPACE, PREDICTOR) else ["the predictor (it loads the base model)"]
        return waiting, cluster.pods_in_trouble(NAMESPACE) if waiting else []
    except Unreachable:
        return ["the API server"], []
