"""ProfileRequests and ProfileStyles in the cluster: all that the page may do there."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Collection
from typing import Any, TypeVar

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config.config_exception import ConfigException

from profile_contract import GROUP, VERSION

from .problems import NOT_FOUND, Code, Problem
from .visitor import OWNER_LABEL, Visitor, belongs
from .wishes import Look, look_patch, photos_prefix

log = logging.getLogger(__name__)

Document = dict[str, Any]
Answer = TypeVar("Answer")

REQUESTS, STYLES = "profilerequests", "profilestyles"
TIMEOUT_SECONDS = 10.0
CONFLICT, INVALID, FORBIDDEN, TOO_MANY, SERVER_ERROR = 409, 422, 403, 429, 500
# So many owners fit into a selector that every proxy passes on; of more, all owners' requests are listed.
MOST_OWNERS = 40


class Cluster:
    """Raises Problem. A request of another owner is as one that does not exist."""

    def __init__(self, api: client.ApiClient, custom: Any = None) -> None:
        """`custom`: another CustomObjectsApi than the cluster's, in tests."""
        self._api = api
        self._custom = custom or client.CustomObjectsApi(api)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def styles(self) -> list[Document]:
        """All styles, by name."""
        found = await _call(
            self._custom.list_cluster_custom_object(GROUP, VERSION, STYLES, _request_timeout=TIMEOUT_SECONDS)
        )
        return sorted(found["items"], key=lambda style: str(style["metadata"]["name"]))

    async def listed(self, namespace: str, owners: Collection[str] | None = None) -> list[Document]:
        """The requests of these owners in a namespace, whatever their photos; of None: all requests there are."""
        selector = ""
        if owners is not None:
            among = f"{OWNER_LABEL} in ({','.join(sorted(owners))})"
            selector = among if len(owners) <= MOST_OWNERS else OWNER_LABEL
        found = await _call(
            self._custom.list_namespaced_custom_object(
                GROUP, VERSION, namespace, REQUESTS, label_selector=selector, _request_timeout=TIMEOUT_SECONDS
            )
        )
        return list(found["items"])

    async def requests(self, visitor: Visitor) -> list[Document]:
        """The visitor's requests, the newest first."""
        found = [one for one in await self.listed(visitor.namespace, [visitor.owner]) if is_own(one, visitor)]
        return sorted(found, key=lambda one: str(one["metadata"]["creationTimestamp"]), reverse=True)

    async def request(self, visitor: Visitor, name: str) -> Document:
        """One of the visitor's requests."""
        found: Document = await _call(
            self._custom.get_namespaced_custom_object(
                GROUP, VERSION, visitor.namespace, REQUESTS, name, _request_timeout=TIMEOUT_SECONDS
            )
        )
        if not is_own(found, visitor):
            raise Problem(Code.REQUEST_NOT_FOUND)
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

    async def look_otherwise(self, visitor: Visitor, document: Document, look: Look) -> Document:
        """Ask for another look of a request, as it was read. Raises Problem, NOT_AT_REST if it changed since."""
        metadata = document["metadata"]
        # Of this version: one of the same name that was made since, or that goes on since, is left alone.
        patch = {
            "metadata": {"resourceVersion": metadata["resourceVersion"]},
            "spec": look_patch(look, document["spec"]),
        }
        try:
            found: Document = await _call(
                self._custom.patch_namespaced_custom_object(
                    GROUP, VERSION, visitor.namespace, REQUESTS, str(metadata["name"]), patch,
                    _content_type="application/merge-patch+json", _request_timeout=TIMEOUT_SECONDS,
                )
            )  # fmt: skip
        except Problem as problem:
            if problem.code is Code.NAME_TAKEN:
                raise Problem(Code.NOT_AT_REST) from problem
            raise
        return found

    async def delete(self, visitor: Visitor, name: str) -> None:
        """Ask for a request's deletion, and with it that of everything it made."""
        document = await self.request(visitor, name)
        # That very one: a request of the same name that somebody made meanwhile is another.
        options = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=document["metadata"].get("uid")))
        await _call(
            self._custom.delete_namespaced_custom_object(
                GROUP, VERSION, visitor.namespace, REQUESTS, name, body=options, _request_timeout=TIMEOUT_SECONDS
            )
        )


def is_own(document: Document, visitor: Visitor) -> bool:
    """Whether a request is the visitor's, see `belongs`."""
    return belongs(document, visitor, photos_prefix(visitor, str(document["metadata"]["name"])))


async def connect() -> Cluster:
    """By the pod's service account, else by KUBECONFIG. Raises Problem where neither is there."""
    try:
        config.load_incluster_config()
    except ConfigException:
        try:
            # The library looks at the environment as it is imported, and not again.
            await config.load_kube_config(config_file=os.environ.get("KUBECONFIG"))
        except ConfigException as error:
            log.error("no cluster is configured: %s", error)
            raise Problem(Code.CLUSTER_AWAY) from error
    return Cluster(client.ApiClient())


async def _call(call: Awaitable[Answer]) -> Any:
    try:
        return await call
    except ApiException as error:
        raise _problem(error) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        log.warning("the API server does not answer: %s", type(error).__name__)
        raise Problem(Code.CLUSTER_AWAY) from error


def _problem(error: ApiException) -> Problem:
    """What a visitor is told; what the API server says names accounts and namespaces, and is for the log alone."""
    status, body = int(error.status or 0), str(error.body or error.reason)
    if status == NOT_FOUND:
        return Problem(Code.REQUEST_NOT_FOUND)
    log.warning("the API server answered %s: %r", status, body[:1000])
    if status == FORBIDDEN and "exceeded quota" in body:
        return Problem(Code.QUOTA)
    if status == CONFLICT:
        return Problem(Code.NAME_TAKEN)
    if status == TOO_MANY or status >= SERVER_ERROR or status == 0:
        return Problem(Code.CLUSTER_AWAY)
    return Problem(Code.CLUSTER_REFUSED)
