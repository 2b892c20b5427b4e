"""Tidy: rounds of the sweep over a real MinIO with a versioned bucket, and an API server in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from minio import Minio
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from areas import NAMESPACE_UID, area
from fake_kubernetes import NAMESPACES, REQUESTS, FakeKubernetes
from fake_store import Tokens
from operator_world import CONFIG, SPEC
from profile_contract.artifacts import purgeable_mark, request_prefix
from profile_operator.act.sweeper import Sweeper
from profile_operator.clients.census import Census
from profile_operator.clients.store import StoreAccess
from profile_operator.config import SweepConfig, UploadsConfig
from profile_runtime.store.credentials import Signers
from profile_runtime.store.leftovers import open_leftovers
from profile_runtime.store.s3 import S3Store
from profile_sandbox import passwords, services
from real_minio import RealMinio, real_minio

NOBODY = request_prefix(area(), "nobody")


@contextlib.contextmanager
def versioned_minio(folder: Path) -> Iterator[RealMinio]:
    """A store whose bucket keeps versions."""
    with real_minio(folder) as minio:
        root = {"access_key": passwords.STORE_ROOT_USER, "secret_key": minio.secret.store_root}
        client = Minio(minio.address, **root, secure=False, region=services.REGION)
        client.set_bucket_versioning(bucket_name=services.BUCKET, config=VersioningConfig(ENABLED))
        yield minio


@dataclass
class Tidy:
    """A sweeper in a year of its own: `later` days from now."""

    minio: RealMinio
    server: FakeKubernetes = field(default_factory=FakeKubernetes)
    tokens: Tokens = field(default_factory=Tokens)
    later: float = 0.0

    def __post_init__(self) -> None:
        self.server.put(NAMESPACES, {"metadata": {"name": "hr", "uid": NAMESPACE_UID}})

    @property
    def store(self) -> S3Store:
        return self.minio.store()

    async def round(self, mode: str = "Delete", expire: str = "", watched: tuple[str, ...] = ("hr",)) -> Any:
        settings = SweepConfig.model_validate({"mode": mode})
        config = CONFIG.model_copy(
            update={
                "sweep": settings,
                "uploads": UploadsConfig(expire_after=expire),
                "watch_namespaces": list(watched),
            }
        )
        api = self.server.in_process()
        marks = StoreAccess(self.store, self.tokens, Signers(self.minio.url, self.tokens))
        leftovers = open_leftovers(self.minio.url, self.minio.operator)

        sweeper = Sweeper(
            Census(api),
            leftovers,
            marks,
            config=config,
            now=lambda: datetime.now(UTC) + timedelta(days=self.later),
        )
        return await sweeper.round()

    def keys(self, prefix: str = "") -> list[str]:
        return [entry.key for entry in self.store.list(prefix)]

    def versions(self, prefix: str = "") -> list[str]:
        leftovers = open_leftovers(self.minio.url, self.minio.operator)
        return [entry.key for entry in leftovers.versions(prefix, "", 1000)]

    def may_go(self) -> None:
        self.store.write(purgeable_mark(NOBODY), b"")

    def request(self, name: str, **status: Any) -> None:
        self.server.put(
            REQUESTS.format("hr"),
            {"metadata": {"name": name}, "spec": SPEC.document(), "status": status},
        )

    def clear(self) -> None:
        """Nothing is left for the next one."""
        leftovers = open_leftovers(self.minio.url, self.minio.operator)
        leftovers.remove(leftovers.versions("", "", 1000))
        leftovers.abort(leftovers.unfinished(1000))
