"""ProfileRequests and ProfileStyles in the cluster: all that the page may do there."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable
from typing import Any, TypeVar

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config.config_exception import ConfigException

from profile_contract import GROUP, VERSION

from .visitor import OWNER_LABEL, Visitor

Document = dict[str, Any]
Answer = TypeVar("Answer")

REQUESTS, STYLES = "profilerequests", "profilestyles"
TIMEOUT_SECONDS = 10.0
NOT_FOUND, CONFLICT = 404, 409


class ClusterAway(Exception):
    """The API server cannot be reached."""


class Refused(Exception):
    """The API server refused; the message is its own, made for people."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Cluster:
    """Raises Refused and ClusterAway. A request of another owner is as one that does not exist: Refused with 404."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api
        self._custom = client.CustomObjectsApi(api)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def styles(self) -> list[Document]:
        """All styles, by name."""
        found = await _call(
            self._custom.list_cluster_custom_object(GROUP, VERSION, STYLES, _request_timeout=TIMEOUT_SECONDS)
        )
        return sorted(found["items"], key=lambda style: str(style["metadata"]["name"]))

    async def requests(self, visitor: Visitor) -> list[Document]:
        """The visitor's requests, the newest first."""
        found = await _call(
            self._custom.list_namespaced_custom_object(
                GROUP, VERSION, visitor.namespace, REQUESTS,
                label_selector=f"{OWNER_LABEL}={visitor.owner}", _request_timeout=TIMEOUT_SECONDS,
            )
        )  # fmt: skip
        return sorted(found["items"], key=lambda one: str(one["metadata"]["creationTimestamp"]), reverse=True)

    async def request(self, visitor: Visitor, name: str) -> Document:
        """One of the visitor's requests."""
        found: Document = await _call(
            self._custom.get_namespaced_custom_object(
                GROUP, VERSION, visitor.namespace, REQUESTS, name, _request_timeout=TIMEOUT_SECONDS
            )
        )
        if found["metadata"].get("labels", {}).get(OWNER_LABEL) != visitor.owner:
            raise Refused(NOT_FOUND, f'profilerequests.{GROUP} "{name}" not found')
        return found

    async def create(self, visitor: Visitor, manifest: Document) -> Document:
        """Make a request."""
        found: Document = await _call(
            self._custom.create_namespaced_custom_object(
                GROUP, VERSION, visitor.namespace, REQUESTS, manifest, _request_timeout=TIMEOUT_SECONDS
            )
        )
        return found

    async def look_again(self, visitor: Visitor, name: str) -> None:
        """Raise the photos' revision: photos came or went."""
        document = await self.request(visitor, name)
        revision = int(document["spec"]["photos"].get("revision", 1)) + 1
        await _call(
            self._custom.patch_namespaced_custom_object(
                GROUP, VERSION, visitor.namespace, REQUESTS, name, {"spec": {"photos": {"revision": revision}}},
                _content_type="application/merge-patch+json", _request_timeout=TIMEOUT_SECONDS,
            )
        )  # fmt: skip

    async def delete(self, visitor: Visitor, name: str) -> None:
        """Ask for a request's deletion, and with it that of everything it made."""
        await self.request(visitor, name)
        await _call(
            self._custom.delete_namespaced_custom_object(
                GROUP, VERSION, visitor.namespace, REQUESTS, name, _request_timeout=TIMEOUT_SECONDS
            )
        )


async def connect() -> Cluster:
    """By the pod's service account, else by KUBECONFIG. Raises ClusterAway where neither is there."""
    try:
        config.load_incluster_config()
    except ConfigException:
        try:
            # The library looks at the environment as it is imported, and not again.
            await config.load_kube_config(config_file=os.environ.get("KUBECONFIG"))
        except ConfigException as error:
            raise ClusterAway(f"no cluster is configured: {error}") from error
    return Cluster(client.ApiClient())


async def _call(call: Awaitable[Answer]) -> Any:
    try:
        return await call
    except ApiException as error:
        raise Refused(error.status or 0, _message(error)) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ClusterAway(f"the cluster does not answer: {type(error).__name__}") from error


def _message(error: ApiException) -> str:
    """What the API server's Status object says, or the HTTP reason."""
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)
