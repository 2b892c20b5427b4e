"""Writes Prometheus' list of targets: every running pod that asks to be scraped by the usual annotations.

A container beside Prometheus, for Debian's Prometheus is built without its discovery of Kubernetes. Reads the API
server with the pod's own service account, and writes a file in the form of Prometheus' `file_sd_configs`.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
EVERY_SECONDS = 5.0
PREFIX = "prometheus.io"


def targets(pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Prometheus target groups for the pods (objects of the API) that are running and annotated."""
    return [group for pod in pods if (group := _group(pod)) is not None]


def _group(pod: dict[str, Any]) -> dict[str, Any] | None:
    notes = pod["metadata"].get("annotations", {})
    address = pod["status"].get("podIP")
    if notes.get(f"{PREFIX}/scrape") != "true" or pod["status"].get("phase") != "Running" or not address:
        return None
    return {
        "targets": [f"{address}:{notes.get(f'{PREFIX}/port', '8080')}"],
        "labels": {
            "__metrics_path__": notes.get(f"{PREFIX}/path", "/metrics"),
            "namespace": pod["metadata"]["namespace"],
            "pod": pod["metadata"]["name"],
        },
    }


def read_pods() -> list[dict[str, Any]]:
    """All pods of the cluster. Raises OSError."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}"}
    request = urllib.request.Request(f"https://{host}:{port}/api/v1/pods", headers=headers)
    with urllib.request.urlopen(request, context=context, timeout=5) as answer:  # noqa: S310 - the same
        return list(json.load(answer)["items"])


def main() -> None:
    """Keep the file named by the first argument up to date; an API server that is away is asked again."""
    file = Path(sys.argv[1])
    partial = file.with_suffix(".part")
    while True:
        try:
            partial.write_text(json.dumps(targets(read_pods())))
            partial.replace(file)
        except OSError as error:
            print(f"not updated: {error}", file=sys.stderr, flush=True)
        time.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    main()
