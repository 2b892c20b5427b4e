"""KubernetesLease: the Lease that says which of the operator's processes works."""

from __future__ import annotations

from datetime import UTC, datetime

from kubernetes.aio import client

from profile_operator import names
from profile_operator.election import LeaseRecord
from profile_runtime.kubernetes.aio import AsyncApi
from profile_runtime.kubernetes.errors import ResourceNotFound
from profile_runtime.kubernetes.resources import Document

# A call that takes longer says nothing about who leads any more.
SECONDS = 4.0


class KubernetesLease:
    """One Lease of the API server. Every call raises ApiError."""

    def __init__(self, api: client.ApiClient, namespace: str, name: str) -> None:
        self._api = AsyncApi(api, seconds=SECONDS, manager=names.FIELD_MANAGER)
        self._namespace, self._name = namespace, name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"

    async def read(self) -> LeaseRecord | None:
        """As it stands; None where there is none."""
        try:
            return _record(await self._api.call("GET", f"{self._path}/{self._name}"))
        except ResourceNotFound:
            return None

    async def create(self, holder: str, seconds: float) -> LeaseRecord:
        """Make it. Raises ResourceConflict if there is one."""
        return _record(await self._api.call("POST", self._path, self._document({}, holder, seconds, 0, taken=True)))

    async def write(self, before: LeaseRecord, holder: str, seconds: float) -> LeaseRecord:
        """Write it, if nobody else did since `before` was read. Raises ResourceConflict."""
        taken = holder not in ("", before.holder)
        transitions = before.transitions + taken
        version = {"resourceVersion": before.version}
        body = self._document(version, holder, seconds, transitions, taken=taken)
        path, merge = f"{self._path}/{self._name}", "application/merge-patch+json"
        return _record(await self._api.call("PATCH", path, body, content_type=merge))

    def _document(
        self, version: dict[str, str], holder: str, seconds: float, transitions: int, *, taken: bool
    ) -> Document:
        """The Lease as it is to be; when it was taken is told by whoever took it."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace, **version},
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": int(seconds),
                "renewTime": now,
                "leaseTransitions": transitions,
                **({"acquireTime": now} if taken else {}),
            },
        }


def _record(document: Document) -> LeaseRecord:
    """What an object of the API server says of the lease."""
    spec = document.get("spec") or {}
    return LeaseRecord(
        holder=spec.get("holderIdentity") or "",
        version=document["metadata"]["resourceVersion"],
        seconds=float(spec.get("leaseDurationSeconds") or 0),
        transitions=int(spec.get("leaseTransitions") or 0),
    )
