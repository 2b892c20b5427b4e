"""Documents of an API server: calls, selectors, merge patches, fields that somebody owns, and refusals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One call, as it came in."""

    method: str
    path: str
    query: dict[str, str]
    content_type: str
    body: Any


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def selects(selector: str, labels: dict[str, str]) -> bool:
    """Whether labels meet a selector: `a=b`, `a in (b,c)`, `a`, or several of the first and last with commas."""
    if " in " in selector:
        name, _, values = selector.partition(" in ")
        return labels.get(name) in values.strip("()").split(",")
    pairs = [term.partition("=") for term in selector.split(",") if term]
    return all(labels.get(name) == value if equals else name in labels for name, equals, value in pairs)


def within(collection: str, path: str) -> bool:
    """Whether an object is in a collection; `/apis/g/v/kind` holds those of all namespaces."""
    parent = path.rpartition("/")[0]
    if parent == collection:
        return True
    base, _, kind = collection.rpartition("/")
    return "/namespaces/" not in collection and parent.startswith(f"{base}/namespaces/") and parent.endswith(f"/{kind}")


def parts_of(path: str) -> tuple[str, str]:
    return (path.removesuffix("/status"), "status") if path.endswith("/status") else (path, "")


def outdated(body: Document, before: Document) -> bool:
    version = body.get("metadata", {}).get("resourceVersion")
    return version is not None and version != before["metadata"]["resourceVersion"]


def conflict(path: str) -> Document:
    text = f'Operation cannot be fulfilled on "{path}": the object has been modified; please apply your changes'
    return failed(409, text, "Conflict")


def failed(code: int, message: str, reason: str, kind: str = "") -> Document:
    return {"kind": "Status", "code": code, "message": message, "reason": reason, "details": {"kind": kind}}


def merged(before: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    after = dict(before) if isinstance(before, dict) else {}
    for name, value in patch.items():
        if value is None:
            after.pop(name, None)
        else:
            after[name] = merged(after.get(name), value)
    return after


_SERVERS_OWN = {
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.resourceVersion",
    "metadata.generation",
    "metadata.creationTimestamp",
    "apiVersion",
    "kind",
}


def leaves(value: Any, path: str = "") -> set[str]:
    """The fields that a document says something about; keys with dots stand as they are, after a '.'."""
    if not isinstance(value, dict) or not value:
        return {path} - _SERVERS_OWN - {""}
    return set().union(*(leaves(inner, f"{path}.{name}" if path else name) for name, inner in value.items()))


def remove(document: Document, leaf: str) -> None:
    """Take a field away: `metadata.annotations.<key>` and alike, the key with its dots."""
    parts = leaf.split(".", 2)
    here: Any = document
    for part in parts[:-1]:
        here = here.get(part, {})
    if isinstance(here, dict):
        here.pop(parts[-1], None)
