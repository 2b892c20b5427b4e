"""KServe's own manifests, made fit for a sandbox: custom resources, configuration, webhooks."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path
from typing import Any

import yaml

from . import layout

# Parts of the full schemas that repeat a pod's whole schema once more and that the product has no use for.
UNUSED = ("explainer", "transformer", "workerSpec")
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
# What `deploy` and `ingress` must say without Knative and Istio.
OVERRIDES: dict[str, dict[str, object]] = {
    "deploy": {"defaultDeploymentMode": "Standard"},
    "ingress": {"disableIngressCreation": True, "disableIstioVirtualHost": True, "ingressClassName": ""},
    "security": {"autoMountServiceAccountToken": False},
}


def write_manifests(module: Path, folder: Path, webhooks: Path, authority: bytes) -> None:
    """Write what to apply before KServe's manager starts into `folder`, and its webhooks into a file of their own.

    `module` is the folder of KServe's own manifests, `authority` the PEM that signed its certificate.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in slim_definitions(module):
        (folder / file.name).write_text(file.read_text())
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": layout.KSERVE_NAMESPACE}}
    config = configure(yaml.safe_load((module / "config.yaml").read_text()))
    _write(folder / "00-config.yaml", [namespace, config])
    hooks = [point_at_process(hook, authority) for hook in _documents(module / "webhooks.yaml")]
    _write(webhooks, hooks)


def slim_definitions(module: Path) -> list[Path]:
    """The custom resource definitions as JSON files beside the originals; made at the first start, as it takes
    seconds."""
    slimmed = []
    for file in sorted(module.glob("crd-*.yaml")):
        target = file.with_suffix(".json")
        if not target.exists():
            definition = slim(yaml.load(file.read_text(), Loader=yaml.CSafeLoader))
            partial = target.with_suffix(f".{os.getpid()}.part")
            partial.write_text(json.dumps(definition))
            partial.replace(target)
        slimmed.append(target)
    return slimmed


def slim(schema: Any) -> Any:
    """A custom resource definition without prose, and with the parts that nobody here uses left unchecked.

    InferenceService's has a pod's schema some twenty times, one for each framework with a block of its own; the API
    server would take ten seconds and a hundred megabytes for it. A property that is *called* description is a
    mapping, and stays.
    """
    if isinstance(schema, list):
        return [slim(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: item for key, item in schema.items() if key != "description" or not isinstance(item, str)}
    return {key: OPEN if _is_unused(key, item) else slim(item) for key, item in kept.items()}


def _is_unused(name: str, schema: Any) -> bool:
    if not isinstance(schema, dict) or "properties" not in schema:
        return False
    framework = "protocolVersion" in schema["properties"] and "storageUri" in schema["properties"] and name != "model"
    return name in UNUSED or framework


def configure(config: dict[str, Any]) -> dict[str, Any]:
    """The ConfigMap `inferenceservice-config` with the sandbox's settings in it."""
    data = {key: value for key, value in config["data"].items() if not key.startswith("_")}
    for key, settings in OVERRIDES.items():
        data[key] = json.dumps({**json.loads(data[key]), **settings})
    return {**config, "metadata": {**config["metadata"], "namespace": layout.KSERVE_NAMESPACE}, "data": data}


def point_at_process(configuration: dict[str, Any], authority: bytes) -> dict[str, Any]:
    """A webhook configuration whose hooks go to the manager's process beside the API server, not to a Service."""
    bundle = base64.b64encode(authority).decode()
    hooks = []
    for hook in configuration["webhooks"]:
        path = hook["clientConfig"]["service"]["path"]
        url = f"https://127.0.0.1:{layout.KSERVE_WEBHOOK_PORT}{path}"
        hooks.append({**hook, "clientConfig": {"url": url, "caBundle": bundle}})
    metadata = {"name": configuration["metadata"]["name"]}
    return {**configuration, "metadata": metadata, "webhooks": hooks}


def _documents(file: Path) -> list[dict[str, Any]]:
    text = re.sub(r"\$\((\w+)\)", r"\1", file.read_text())
    return [document for document in yaml.safe_load_all(text) if document]


def _write(path: Path, documents: list[dict[str, Any]]) -> None:
    path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
