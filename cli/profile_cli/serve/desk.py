"""Desk: the page over the folder runner, as one application with the worker behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from profile_cli.errors import CommandError
from profile_cli.run.settings import NAMESPACE
from profile_contract.style import ProfileStyleSpec
from profile_contract.style_ref import StyleKind, StyleRef
from profile_runtime.kubernetes.resources import Document
from profile_web.app import make_app
from profile_web.bucket import Bucket
from profile_web.cluster import PageCluster
from profile_web.config import Namespaces, PageStore, SignIn, WebConfig
from profile_web.page import Backends

from .gate import Gate
from .ledger import Ledger
from .shelf import SHELF, ScannedFolder, Shelf, ShelfSigners
from .worker import Worker, Workplace

USER = "you"
REQUESTS = "requests"


@dataclass(frozen=True)
class Desk:
    """The page as an ASGI application, and the worker behind it."""

    app: Gate
    worker: Worker
    ledger: Ledger


def desk_of(workplace: Workplace, origin: str, token: str, port: int) -> Desk:
    """The page over a workplace. Raises CommandError where the folder cannot be used."""
    store = ScannedFolder(workplace.store.root)
    try:
        ledger = Ledger(store.root / REQUESTS, _documents(workplace.styles))
    except OSError as error:
        raise CommandError(f"{store.root} cannot be used: {error.strerror}") from error
    signers = ShelfSigners(origin)
    config = WebConfig(
        sign_in=SignIn(mode="Local", user=USER, hosts=[origin.removeprefix("http://").rpartition(":")[0].strip("[]")]),
        namespaces=Namespaces(default=NAMESPACE),
        store=PageStore(endpoint=f"127.0.0.1:{port}", bucket=SHELF, public_url=origin),
    )

    async def connected() -> PageCluster:
        return PageCluster(ledger)

    backends = Backends(bucket=Bucket(config.store, {}, store, signers=signers), connect=connected)
    app = make_app(config, {}, backends)
    return Desk(Gate(app, Shelf(store, signers), token, port), Worker(ledger, workplace), ledger)


def _documents(styles: Mapping[str, ProfileStyleSpec]) -> list[Document]:
    """The styles as the API server gives them; all are the cluster's there."""
    documents: list[dict[str, Any]] = []
    for key, style in styles.items():
        spec = style.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        documents.append({"kind": StyleKind.CLUSTER, "metadata": {"name": StyleRef.of_key(key).name}, "spec": spec})
    return documents
