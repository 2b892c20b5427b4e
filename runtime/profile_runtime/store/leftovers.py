"""S3Leftovers: what a bucket keeps beside its objects (versions, markers of deletion, unfinished uploads), page by
page, and how it goes. Every method raises StoreError."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from .port import MOST_KEYS_IN_A_CALL, StoredVersion, StoreError, UnfinishedUpload
from .s3 import StoreUrl, _store_errors, open_s3

if TYPE_CHECKING:
    from minio import Minio


class S3Leftovers:
    """A bucket of MinIO or any S3, for whoever tidies it."""

    def __init__(self, client: Minio, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def folders(self, prefix: str, after: str, most: int) -> list[str]:
        """The first `most` folders right below a prefix that sort after `after`, those with nothing but old versions
        included."""
        with _store_errors(prefix):
            listed = self._client.list_objects(
                bucket_name=self._bucket, prefix=prefix, start_after=after or None, include_version=True
            )
            names = (item.object_name or "" for item in listed if item.is_dir)
            return list(islice((name for name in names if name > after), most))

    def versions(self, prefix: str, after: str, most: int) -> list[StoredVersion]:
        """The versions of the objects below a prefix, from the key after `after` on: at most `most`, sorted by key, the
        latest of each first.

        A store lists versions and markers page by page, each page's markers last: where no more than a page (1,000) is
        asked for, or less than `most` came, of all keys but the last everything is there.
        """
        with _store_errors(prefix):
            listed = self._client.list_objects(
                bucket_name=self._bucket, prefix=prefix, recursive=True, start_after=after or None, include_version=True
            )
            items = list(islice(listed, most))
        versions = [
            StoredVersion(
                key=item.object_name or "",
                version="" if item.version_id in (None, "null") else str(item.version_id),
                bytes=item.size or 0,
                modified=item.last_modified,
                latest=str(item.is_latest or "true") == "true",
                marker=bool(item.is_delete_marker),
            )
            for item in items
        ]
        never = datetime.min.replace(tzinfo=UTC)
        versions.sort(key=lambda entry: entry.modified or never, reverse=True)
        return sorted(versions, key=lambda entry: (entry.key, not entry.latest))

    def remove(self, versions: Iterable[StoredVersion]) -> None:
        """Delete exactly these versions; one without a version is deleted as anybody would delete the object."""
        from minio.deleteobjects import DeleteObject

        wanted = iter(versions)
        while batch := list(islice(wanted, MOST_KEYS_IN_A_CALL)):
            keys = [DeleteObject(entry.key, entry.version or None) for entry in batch]
            with _store_errors(batch[0].key):
                errors = list(self._client.remove_objects(bucket_name=self._bucket, delete_object_list=keys))
            if errors:
                raise StoreError(f"{len(errors)} of {len(batch)} versions could not be deleted: {errors[0].code}")

    def unfinished(self, most: int) -> list[UnfinishedUpload]:
        """The first `most` unfinished uploads of the bucket. MinIO finds none below a prefix, so all are asked for."""
        with _store_errors(self._bucket):
            listed = self._client._list_multipart_uploads(self._bucket, max_uploads=most)
        return [UnfinishedUpload(entry.object_name, entry.upload_id, entry.initiated_time) for entry in listed.uploads]

    def abort(self, uploads: Iterable[UnfinishedUpload]) -> None:
        """End these uploads; their parts go. One that was ended meanwhile is none to end."""
        for entry in uploads:
            try:
                with _store_errors(entry.key):
                    self._client._abort_multipart_upload(self._bucket, entry.key, entry.upload)
            except StoreError as error:
                if "NoSuchUpload" not in str(error):
                    raise


def open_leftovers(url: str, env: Mapping[str, str] = os.environ) -> S3Leftovers:
    """The same bucket that `open_s3` opens."""
    return S3Leftovers(open_s3(url, env)._client, StoreUrl.parse(url).bucket)
