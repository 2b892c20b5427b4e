"""The Helm chart rendered by Helm itself."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from profile_sandbox.build import programs_folder
from profile_sandbox.values import chart_values

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "profile-studio"
CPU = ("--values", str(CHART / "values-cpu.yaml"))
STYLES_KNOWN = ("--api-versions", "profilestudio.io/v1alpha1/ClusterProfileStyle")
NAMES = {"app.kubernetes.io/name": "profile-studio", "app.kubernetes.io/instance": "profile-studio"}
# How names begin of what no namespace holds.
CLUSTER = "profile-system-profile-studio"
STYLES = {"studio-warm", "studio-cool", "business-neutral", "campus", "retouch-warm", "retouch-cool"}

# Programs in Go that run for a moment need little garbage collection, which took a quarter of their time.
RARELY_COLLECTED = {**os.environ, "GOGC": "400"}

Object = dict[str, Any]
# The rule by which pods reach the cluster's own DNS, and no other.
DNS: Object = {
    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
    "to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ],
}


@functools.cache
def helm() -> str:
    found = programs_folder() / "helm"
    program = str(found) if found.exists() else shutil.which("helm")
    if program is None:
        pytest.fail("helm is neither compiled nor on the PATH: run `make binaries`")
    return program


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([helm(), *arguments], capture_output=True, text=True, check=False, env=RARELY_COLLECTED)


@functools.cache
def render(*arguments: str) -> tuple[Object, ...]:
    result = run("template", "profile-studio", str(CHART), "--namespace", "profile-system", *arguments)
    assert result.returncode == 0, result.stderr
    return tuple(document for document in yaml.load_all(result.stdout, Loader=yaml.CSafeLoader) if document)


def of_kind(kind: str, *arguments: str) -> dict[str, Object]:
    return {found["metadata"]["name"]: found for found in render(*arguments) if found["kind"] == kind}


def the(kind: str, name: str, *arguments: str) -> Object:
    return of_kind(kind, *arguments)[name]


def config_of(*arguments: str) -> Object:
    text = the("ConfigMap", "profile-studio-operator", *arguments)["data"]["config.yaml"]
    document: Object = yaml.safe_load(text)
    return document


def sandbox_arguments(folder: Path) -> tuple[str, ...]:
    """The arguments with which the chart runs in the sandbox."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(chart_values()))
    return (*CPU, "--values", str(file))
