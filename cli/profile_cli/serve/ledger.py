"""Ledger: the requests of one machine, as the API server would keep them, in files of a folder.

The page asks it as it asks an API server; the worker takes from it whose turn it is and writes how far that is.
"""

from __future__ import annotations

import copy
import json
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from profile_cli.run.settings import NAMESPACE
from profile_cli.run.values import merged
from profile_contract.request import TrainingMode
from profile_contract.resource import Key
from profile_runtime.kubernetes.errors import ResourceConflict, ResourceNotFound
from profile_runtime.kubernetes.resources import (
    CLUSTER_STYLES_PATH,
    JSON,
    Document,
    Query,
    namespace_path,
    request_path,
    requests_path,
    styles_path,
)

# As in the folder runner's own area.
NAMESPACE_UID = "00000000-0000-0000-0000-000000000000"


class Ledger:
    """Raises ApiError as the API server's client does. The page and the worker use it from threads of their own."""

    def __init__(self, folder: Path, styles: Iterable[Document]) -> None:
        """`folder` is made; requests of an earlier run are taken up."""
        self._folder, self._styles = folder, list(styles)
        self._lock, self._news = threading.RLock(), threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        self._documents = {name: document for file in sorted(folder.glob("*.json")) for name, document in _read(file)}
        versions = [int(document["metadata"]["resourceVersion"]) for document in self._documents.values()]
        self._version = max(versions, default=0)

    async def close(self) -> None:
        """Nothing is held open."""

    async def call(
        self, method: str, path: str, body: object = None, query: Query = (), *, content_type: str = JSON
    ) -> Document:
        """What the API server would answer. `query` is a selector of owners, of whom there is one here."""
        with self._lock:
            return copy.deepcopy(self._answer(method, path, body))

    def _answer(self, method: str, path: str, body: Any) -> Document:
        requests = requests_path(NAMESPACE)
        if method == "GET" and path in (CLUSTER_STYLES_PATH, styles_path(NAMESPACE)):
            return {"items": self._styles if path == CLUSTER_STYLES_PATH else []}
        if method == "GET" and path == namespace_path(NAMESPACE):
            return {"metadata": {"name": NAMESPACE, "uid": NAMESPACE_UID}}
        if path == requests:
            return {"items": list(self._documents.values())} if method == "GET" else self._create(body)
        name = path.removeprefix(f"{requests}/")
        if path != request_path(Key(NAMESPACE, name)) or name not in self._documents:
            raise ResourceNotFound(f"there is no {path}", 404)
        changes: Mapping[str, Callable[[str, Any], Document]] = {"PATCH": self._change, "DELETE": self._begin_deletion}
        return changes[method](name, body) if method in changes else self._documents[name]

    def _create(self, manifest: Document) -> Document:
        name = manifest["metadata"]["name"]
        if name in self._documents:
            raise ResourceConflict(f"{name} exists already", 409)
        known = {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "generation": 1,
            # Several are made within a second.
            "serial": self._version + 1,
        }
        return self._put(name, {**manifest, "metadata": {**manifest["metadata"], **known}})

    def _change(self, name: str, patch: Document) -> Document:
        """After a merge patch of the spec."""
        standing = self._documents[name]
        version = patch.get("metadata", {}).get("resourceVersion")
        if version not in (None, standing["metadata"]["resourceVersion"]):
            raise ResourceConflict(f"{name} has changed", 409)
        spec = _without_nulls(merged(standing["spec"], patch.get("spec", {})))
        metadata = {**standing["metadata"], "generation": standing["metadata"]["generation"] + 1}
        return self._put(name, {**standing, "spec": spec, "metadata": metadata})

    def _begin_deletion(self, name: str, options: Document) -> Document:
        """Mark it, and what belongs to it; the worker takes away what they made."""
        standing = self._documents[name]
        uid = (options or {}).get("preconditions", {}).get("uid")
        if uid not in (None, standing["metadata"]["uid"]):
            raise ResourceConflict(f"{name} is another", 409)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for each, document in list(self._documents.items()):
            owners = [owner["uid"] for owner in document["metadata"].get("ownerReferences", ())]
            if each == name or standing["metadata"]["uid"] in owners:
                self._put(each, {**document, "metadata": {**document["metadata"], "deletionTimestamp": now}})
        return self._documents[name]

    def _put(self, name: str, document: Document) -> Document:
        """Keep a document, in its file too, and wake the worker."""
        self._version += 1
        document = {**document, "metadata": {**document["metadata"], "resourceVersion": str(self._version)}}
        self._documents[name] = document
        part = self._folder / f".{name}.part"
        part.write_text(json.dumps(document))
        part.replace(self._folder / f"{name}.json")
        self._news.set()
        return document

    # --- what the worker asks ----------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Until something changed, or the time is over."""
        self._news.wait(seconds)
        self._news.clear()

    def documents(self) -> list[Document]:
        """All requests, in the order of their turns."""
        with self._lock:
            return sorted(copy.deepcopy(list(self._documents.values())), key=turn)

    def standing(self, name: str) -> Document | None:
        """A request as it is now; None where there is none."""
        with self._lock:
            return copy.deepcopy(self._documents.get(name))

    def tell(self, name: str, uid: str, status: Document) -> None:
        """Write the status of a request, if it is still that one, and if anything is new."""
        with self._lock:
            document = self._documents.get(name)
            if document is not None and document["metadata"]["uid"] == uid and document.get("status") != status:
                self._put(name, {**document, "status": status})

    def forget(self, name: str) -> None:
        """A request is gone, with all that it made."""
        with self._lock:
            self._documents.pop(name, None)
            (self._folder / f"{name}.json").unlink(missing_ok=True)


def turn(document: Document) -> tuple[bool, int]:
    """What requests are sorted by: first pictures, which take a minute and are looked at while others wait, then by
    age."""
    trains = document["spec"].get("training", {}).get("mode") != TrainingMode.NONE
    return trains, int(document["metadata"]["serial"])


def settled(document: Document) -> bool:
    """Whether nothing is to be done: it ended, well or not, as its spec stands now."""
    status = document.get("status") or {}
    ended = any(
        condition["type"] in ("Ready", "Stalled") and condition["status"] == "True"
        for condition in status.get("conditions", ())
    )
    return ended and status.get("observedGeneration") == document["metadata"]["generation"]


def _read(file: Path) -> list[tuple[str, Document]]:
    """A request of an earlier run; none where the file is no such thing."""
    try:
        document = json.loads(file.read_text())
        metadata = document["metadata"]
        whole = isinstance(metadata["serial"], int) and isinstance(document["spec"], dict) and metadata["uid"]
        return [(str(metadata["name"]), document)] if whole and int(metadata["resourceVersion"]) else []
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _without_nulls(spec: Document) -> Document:
    """As a merge patch leaves it: what it set to null is gone."""
    return {name: value for name, value in spec.items() if value is not None}
