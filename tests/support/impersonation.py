"""The API server in somebody's name, by plain HTTP: what kubectl would first ask for is not asked."""

from __future__ import annotations

import base64
import contextlib
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import yaml

from profile_cli.demo.target import Target


@contextlib.contextmanager
def impersonated(target: Target, account: str) -> Iterator[httpx2.Client]:
    """The API server as the administrator reaches it in somebody's name."""
    config = yaml.safe_load(target.kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    with tempfile.TemporaryDirectory() as folder:

        def pem(holder: dict[str, str], field: str) -> str:
            """The file that a field names, or that holds what it says."""
            if field in holder:
                return str((target.kubeconfig.parent / holder[field]).resolve())
            file = Path(folder) / field
            file.write_bytes(base64.b64decode(holder[f"{field}-data"]))
            return str(file)

        context = ssl.create_default_context(cafile=pem(cluster, "certificate-authority"))
        context.load_cert_chain(pem(user, "client-certificate"), pem(user, "client-key"))
        headers = {"Impersonate-User": account}
        with httpx2.Client(base_url=cluster["server"], verify=context, headers=headers, trust_env=False) as client:
            yield client
