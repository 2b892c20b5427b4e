"""Leave to send one photo to the store or to read one picture from it, signed here and used by the browser."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from minio.datatypes import PostPolicy

from profile_contract.model import Tolerant
from profile_contract.store import S3Store, open_s3

from .config import PageStore

UPLOAD_SECONDS, PICTURE_SECONDS = 1800, 3600
FEWEST_BYTES = 1000


class Upload(Tolerant):
    """A form that sends one photo: to this URL, with these fields, then the file as field `file`."""

    name: str
    url: str
    fields: dict[str, str]


class Grants:
    """Signing asks nobody: it works while the store is away. Reading and deleting raise StoreError."""

    def __init__(self, store: PageStore, environment: Mapping[str, str]) -> None:
        self._bucket, self._origin = store.bucket, store.public_url
        self._own: S3Store = open_s3(store.url(), environment)
        self._public: S3Store = open_s3(store.url(public=True), environment)

    @property
    def origin(self) -> str:
        """Where browsers reach the store."""
        return self._origin

    def picture(self, key: str, save_as: str = "") -> str:
        """A URL that reads one object; with a name, browsers save it instead of showing it."""
        return self._public.presign_get(key, PICTURE_SECONDS, save_as=save_as)

    def upload(self, prefix: str, name: str, content_type: str, most_bytes: int) -> Upload:
        """A form that writes this one object, of this type, no larger than that."""
        policy = PostPolicy(self._bucket, datetime.now(UTC) + timedelta(seconds=UPLOAD_SECONDS))
        policy.add_equals_condition("key", prefix + name)
        policy.add_equals_condition("Content-Type", content_type)
        policy.add_content_length_range_condition(FEWEST_BYTES, most_bytes)
        signed = self._public.presign_form(policy)
        fields = {"key": prefix + name, "Content-Type": content_type, **signed}
        return Upload(name=name, url=f"{self._origin}/{self._bucket}", fields=fields)

    async def names(self, prefix: str) -> list[str]:
        """The last parts of the keys below a prefix."""
        found = await asyncio.to_thread(self._own.list, prefix)
        return [one.key.removeprefix(prefix) for one in found]

    async def delete(self, key: str) -> int:
        """Delete everything below a prefix."""
        return await asyncio.to_thread(self._own.delete, key)

    def read(self, key: str) -> bytes:
        """One object, read here."""
        return self._own.read(key)
