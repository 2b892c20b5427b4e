"""Asks the cluster's programs over loopback, from within the sandbox, as its administrator."""

from __future__ import annotations

import json
import ssl
import urllib.request
from pathlib import Path
from typing import Any

from . import layout


def fetch(url: str) -> bytes:
    """The body of an answer with status 200. Raises OSError (urllib's errors are some) for anything else."""
    # Only loopback of this namespace is asked, and some of the programs there sign their own certificate.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    pki = Path(layout.STATE) / "pki"
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    with urllib.request.urlopen(url, timeout=2, context=context) as answer:  # noqa: S310 - URLs of our own tables
        return bytes(answer.read())


def service(namespace: str, name: str) -> dict[str, Any]:
    """A Service's specification. Raises OSError where it is not there."""
    api = f"https://127.0.0.1:{layout.API_PORT}"
    answer = json.loads(fetch(f"{api}/api/v1/namespaces/{namespace}/services/{name}"))
    return dict(answer["spec"])
