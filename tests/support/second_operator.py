"""A second operator beside the product's: another installation, as a process of this machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from product import Product
from profile_cli.demo.target import Target

OPERATOR = "app.kubernetes.io/component=operator"
SECOND = "lab/second"


def second_configuration(product: Product, namespace: str, store: str, folder: Path) -> Path:
    """The file with the configuration of another installation, which serves that namespace from outside the cluster and
    reaches the store at that address."""
    maps = product.kubectl.get("-n", product.release_namespace, "configmap", "-l", OPERATOR)["items"]
    config = yaml.safe_load(next(m["data"]["config.yaml"] for m in maps if "config.yaml" in m["data"]))
    config["store"]["ownEndpoint"] = store
    config |= {
        "installation": SECOND,
        "formerly": [],
        "watchNamespaces": [namespace],
        "resyncSeconds": 1.0,
        "metricsPort": 0,
        "healthPort": 0,
        "lease": {},
        "sweep": {"mode": "Off"},
    }
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


@contextlib.contextmanager
def running(config: Path, target: Target) -> Iterator[None]:
    """An operator of that configuration, as a process of its own."""
    environment = {**os.environ, **target.store_environment, "KUBECONFIG": str(target.kubeconfig)}
    program = [sys.executable, "-m", "profile_operator", "--config", str(config)]
    with config.with_name("log").open("w") as log, subprocess.Popen(program, env=environment, stderr=log) as process:
        try:
            yield
        finally:
            process.terminate()
            sys.stderr.write(config.with_name("log").read_text())
