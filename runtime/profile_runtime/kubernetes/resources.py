"""Paths of our resources in the Kubernetes API, and what calls on them are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from profile_contract import GROUP, VERSION
from profile_contract.resource import CLUSTER_LOOKS, CLUSTER_STYLES, LOOKS, REQUESTS, STYLES, Key

Document = dict[str, Any]
Query = Sequence[tuple[str, str]]

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

GROUP_PATH = f"/apis/{GROUP}/{VERSION}"
CLUSTER_STYLES_PATH = f"{GROUP_PATH}/{CLUSTER_STYLES}"
CLUSTER_LOOKS_PATH = f"{GROUP_PATH}/{CLUSTER_LOOKS}"


@dataclass(frozen=True)
class Acting:
    """As whom the API server is asked, where its own rights allow that: a user, and the groups of that user. An empty
    user: as whom the credentials name."""

    user: str = ""
    groups: tuple[str, ...] = ()

    @property
    def headers(self) -> list[tuple[str, str]]:
        """What a call says of it; none for an empty user."""
        if not self.user:
            return []
        return [("Impersonate-User", self.user), *(("Impersonate-Group", group) for group in self.groups)]


THEMSELVES = Acting()


def requests_path(namespace: str | None = None) -> str:
    """The ProfileRequests of a namespace, or of all for None."""
    return f"{GROUP_PATH}/{REQUESTS}" if namespace is None else f"{GROUP_PATH}/namespaces/{namespace}/{REQUESTS}"


def styles_path(namespace: str | None = None) -> str:
    """The ProfileStyles of a namespace, or of all for None."""
    return f"{GROUP_PATH}/{STYLES}" if namespace is None else f"{GROUP_PATH}/namespaces/{namespace}/{STYLES}"


def looks_path(namespace: str | None = None) -> str:
    """The StyleAdapters of a namespace, or of all for None."""
    return f"{GROUP_PATH}/{LOOKS}" if namespace is None else f"{GROUP_PATH}/namespaces/{namespace}/{LOOKS}"


def request_path(key: Key) -> str:
    """One ProfileRequest."""
    return f"{requests_path(key.namespace)}/{key.name}"


def namespace_path(namespace: str) -> str:
    """A namespace's own object."""
    return f"/api/v1/namespaces/{namespace}"


def headers(accept: str, content_type: str) -> dict[str, str]:
    """The headers of a call."""
    return {"Accept": accept, "Content-Type": content_type}


def managed(method: str, query: Query, manager: str) -> list[tuple[str, str]]:
    """The query of a call; every write names the manager of its fields, if there is one."""
    named = [("fieldManager", manager)] if manager and method in ("POST", "PATCH") else []
    return [*query, *named]
