"""What the store's client is told, and what becomes of it: nothing that was refused counts as done, or as missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from minio import Minio
from minio.error import S3Error

from profile_runtime.store.port import NotFound, StoreError
from profile_runtime.store.s3 import S3Store


def refusal(code: str) -> S3Error:
    return S3Error(
        cast("Any", SimpleNamespace(status=403, headers={}, data=b"")), code, "words of the store", "key", "r", "h"
    )


@dataclass
class Bucket:
    """As much of the client as the store asks: some objects, and a refusal for everything or for some of them."""

    keys: list[str] = field(default_factory=list)
    code: str = ""
    kept: frozenset[str] = frozenset()

    def list_objects(self, bucket_name: str, prefix: str, recursive: bool) -> Iterator[Any]:
        for key in self.keys:
            if key.startswith(prefix):
                yield SimpleNamespace(object_name=key, size=1, etag='"e"', last_modified=None)

    def get_object(self, bucket_name: str, object_name: str) -> Any:
        raise refusal(self.code)

    def stat_object(self, bucket_name: str, object_name: str) -> Any:
        raise refusal(self.code)

    def remove_objects(self, bucket_name: str, delete_object_list: Iterable[Any], **_: Any) -> Iterator[Any]:
        for wish in delete_object_list:
            key = str(getattr(wish, "name", None) or wish._name)
            if key in self.kept:
                yield SimpleNamespace(name=key, code="AccessDenied", message="no")


def store(bucket: Bucket) -> S3Store:
    return S3Store(cast("Minio", bucket), "profiles")


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchObject"])
def test_what_is_not_there_is_not_found(code: str) -> None:
    with pytest.raises(NotFound):
        store(Bucket(code=code)).read("hr/a")
    assert store(Bucket(code=code)).stat("hr/a") is None


@pytest.mark.parametrize("code", ["AccessDenied", "InternalError", "NoSuchBucket", "SlowDown"])
def test_what_is_refused_is_not_called_missing(code: str) -> None:
    for ask in (S3Store.read, S3Store.stat):
        with pytest.raises(StoreError) as raised:
            ask(store(Bucket(code=code)), "hr/a")
        assert not isinstance(raised.value, NotFound)
        assert code in str(raised.value)


def test_what_could_not_be_deleted_is_not_counted_as_deleted() -> None:
    keys = ["hr.1a2b3c4d-5e6f/requests/minji/1.png", "hr.1a2b3c4d-5e6f/requests/minji/2.png"]
    assert store(Bucket(keys)).delete("hr.1a2b3c4d-5e6f/requests/minji/") == 2
    with pytest.raises(StoreError, match="could not be deleted"):
        store(Bucket(keys, kept=frozenset(keys[1:]))).delete("hr.1a2b3c4d-5e6f/requests/minji/")
