"""MinIO or any S3 as a store, through the `minio` client."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import getproxies_environment

if TYPE_CHECKING:
    import urllib3
    from minio import Minio
    from minio.datatypes import PostPolicy

from profile_runtime.network import network_trouble
from profile_runtime.store.port import (
    MOST_KEYS_IN_A_CALL,
    NotFound,
    StoredObject,
    StoreError,
    StoreUnreachable,
    _within,
    content_type_of,
)

# Kept open to one store: as many as threads ask at once, or each further one is opened, used once and thrown away.
CONNECTIONS = 16


class S3Store:
    """A bucket of MinIO or any S3."""

    def __init__(self, client: Minio, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def list(self, prefix: str, most: int | None = None) -> list[StoredObject]:
        """The objects below the prefix (the first `most`), sorted by key; no page is asked for that holds none."""
        with _store_errors(prefix):
            listed = self._client.list_objects(bucket_name=self._bucket, prefix=prefix, recursive=True)
            items = list(islice(listed, most))
        return [
            StoredObject(o.object_name or "", o.size or 0, (o.etag or "").strip('"'), o.last_modified) for o in items
        ]

    def stat(self, key: str) -> StoredObject | None:
        """The object, or None where nothing is."""
        try:
            with _store_errors(key):
                item = self._client.stat_object(bucket_name=self._bucket, object_name=key)
        except NotFound:
            return None
        return StoredObject(key, item.size or 0, (item.etag or "").strip('"'))

    def read(self, key: str, most: int | None = None) -> bytes:
        """The content. Raises NotFound, and TooLarge for more than `most` bytes, of which no more are read."""
        with _store_errors(key):
            response = self._client.get_object(bucket_name=self._bucket, object_name=key)
            try:
                return _within(bytes(response.read(None if most is None else most + 1)), key, most)
            finally:
                response.close()
                response.release_conn()

    def write(self, key: str, data: bytes, content_type: str = "") -> None:
        """Write the object whole, replacing what was there."""
        with _store_errors(key):
            self._client.put_object(
                bucket_name=self._bucket,
                object_name=key,
                data=io.BytesIO(data),
                length=len(data),
                content_type=content_type or content_type_of(key),
            )

    def delete(self, prefix: str) -> int:
        """Delete everything below the prefix; returns how many objects went."""
        count = 0
        with _store_errors(prefix):
            listed = self._client.list_objects(bucket_name=self._bucket, prefix=prefix, recursive=True)
            # However many there are, no more than one call's worth is held.
            while keys := [item.object_name or "" for item in islice(listed, MOST_KEYS_IN_A_CALL)]:
                self._remove(keys, f"below {prefix}")
                count += len(keys)
        return count

    def remove(self, keys: Iterable[str]) -> None:
        """Delete exactly these objects; one that is not there is none to delete."""
        self._remove([*keys], "that were named")

    def _remove(self, keys: Sequence[str], which: str) -> None:
        """Delete some objects in one call; `which` says of them what an error tells. Raises StoreError."""
        from minio.deleteobjects import DeleteObject

        with _store_errors(which):
            errors = list(
                self._client.remove_objects(
                    bucket_name=self._bucket, delete_object_list=[DeleteObject(key) for key in keys]
                )
            )
        if errors:
            raise StoreError(f"{len(errors)} of {len(keys)} objects {which} could not be deleted")

    def presign_get(self, key: str, seconds: int, *, save_as: str = "") -> str:
        """A URL that reads this one object, for so many seconds; no browser or proxy may keep what it gives.

        Browsers save it where `save_as` names a file. It is signed by this store's own account: what strangers may be
        given is made by `profile_runtime.store.credentials`.
        """
        headers = {"response-cache-control": "private, no-store"}
        if save_as:
            headers["response-content-disposition"] = f'attachment; filename="{_file_name(save_as)}"'
        with _store_errors(key):
            url: str = self._client.presigned_get_object(
                bucket_name=self._bucket,
                object_name=key,
                expires=timedelta(seconds=seconds),
                response_headers=dict(headers),
            )
        return url

    def presign_form(self, policy: PostPolicy) -> dict[str, str]:
        """The fields that let a browser's form write what the policy allows."""
        with _store_errors(self._bucket):
            fields: dict[str, str] = self._client.presigned_post_policy(policy)
        return fields

    def presign_put(self, key: str, seconds: int) -> str:
        """A URL that writes this one object, for so many seconds."""
        with _store_errors(key):
            url: str = self._client.presigned_put_object(
                bucket_name=self._bucket, object_name=key, expires=timedelta(seconds=seconds)
            )
        return url

    def scan(self, prefix: str) -> Iterator[StoredObject]:
        """All objects below the prefix, sorted by key, page by page: more of them than anybody could hold at once."""
        with _store_errors(prefix):
            for item in self._client.list_objects(bucket_name=self._bucket, prefix=prefix, recursive=True):
                tag = (item.etag or "").strip('"')
                yield StoredObject(item.object_name or "", item.size or 0, tag, item.last_modified)


def _file_name(name: str) -> str:
    """A file's name that cannot leave its quotes in a header: letters outside of ASCII become '_'."""
    return "".join(letter if " " <= letter <= "~" and letter not in '"\\/;%' else "_" for letter in name)[:200]


# What a store says of itself, and not of what was asked.
_OVERLOADED = ("InternalError", "ServiceUnavailable", "SlowDown", "SlowDownRead", "XMinioServerNotInitialized")


@contextlib.contextmanager
def _store_errors(key: str) -> Iterator[None]:
    """Turns everything that the client raises into StoreError, without the client's long texts."""
    from minio.error import S3Error

    try:
        yield
    except StoreError:
        raise
    except S3Error as error:
        if error.code in ("NoSuchKey", "NoSuchObject"):
            raise NotFound(key) from None
        kind = StoreUnreachable if error.code in _OVERLOADED else StoreError
        raise kind(f"the store refused {key}: {error.code}") from error
    except Exception as error:
        raise StoreUnreachable(f"the store cannot be reached: {network_trouble(error)}") from error


@dataclass(frozen=True)
class StoreUrl:
    """What a store's URL says; see the module's text."""

    bucket: str
    endpoint: str
    secure: bool
    region: str

    @classmethod
    def parse(cls, url: str) -> StoreUrl:
        """Raises StoreError for a URL that names no bucket of an S3."""
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise StoreError(f"store URL {url!r} must begin with s3://BUCKET")
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        return cls(
            bucket=parts.netloc,
            endpoint=query.get("endpoint", "s3.amazonaws.com"),
            secure=query.get("secure", "true") != "false",
            region=query.get("region", "us-east-1"),
        )

    @property
    def scheme(self) -> str:
        """http or https."""
        return "https" if self.secure else "http"

    @property
    def origin(self) -> str:
        """Where the store answers."""
        return f"{self.scheme}://{self.endpoint}"

    @property
    def host(self) -> str:
        """The Host header: without a port that goes without saying."""
        usual = ":443" if self.secure else ":80"
        return self.endpoint.removesuffix(usual)


def proxy_of(scheme: str, endpoint: str, env: Mapping[str, str] | None = None) -> str:
    """The proxy that the environment names for HOST:PORT, or '' where none is named or NO_PROXY spares the host.

    NO_PROXY is read as curl and Go read it: names with their subdomains, `*`, HOST:PORT, addresses and CIDR ranges.
    """
    proxies = getproxies_environment() if env is None else _proxies(env)
    proxy = proxies.get(scheme) or proxies.get("all") or ""
    if not proxy or any(_spares(entry.strip().lower(), endpoint.lower()) for entry in proxies.get("no", "").split(",")):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _proxies(env: Mapping[str, str]) -> dict[str, str]:
    """Proxies by scheme, as `getproxies_environment` gives them; small letters win."""
    upper = {name.lower().removesuffix("_proxy"): value for name, value in env.items() if name.endswith("_PROXY")}
    return upper | {name.removesuffix("_proxy"): value for name, value in env.items() if name.endswith("_proxy")}


def _spares(entry: str, endpoint: str) -> bool:
    """Whether one entry of NO_PROXY means HOST:PORT."""
    host = (urlsplit(f"//{endpoint}").hostname or "").rstrip(".")
    if not entry:
        return False
    if entry == "*" or entry in (host, endpoint):
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        name = entry.removeprefix("*").lstrip(".").rstrip(".")
        return host == name or host.endswith(f".{name}")


def pool_for(url: StoreUrl, *, read_seconds: float) -> urllib3.PoolManager:
    """Connections to a store, through the environment's proxy if one is named for it."""
    import urllib3

    proxy = proxy_of(url.scheme, url.endpoint)
    # Who waits long for a store that is down only hides the reason.
    timeout = urllib3.Timeout(connect=5, read=read_seconds)
    retries = urllib3.Retry(total=2, backoff_factor=0.3)
    if proxy:
        account = urlsplit(proxy)
        login = f"{unquote(account.username)}:{unquote(account.password or '')}" if account.username else None
        headers = urllib3.make_headers(proxy_basic_auth=login)
        return urllib3.ProxyManager(proxy, proxy_headers=headers, timeout=timeout, retries=retries, maxsize=CONNECTIONS)
    return urllib3.PoolManager(timeout=timeout, retries=retries, maxsize=CONNECTIONS)


def open_s3(url: str, env: Mapping[str, str] = os.environ) -> S3Store:
    """Open a bucket; see the module's text for the URL. The region is given, or the client would ask for it."""
    from minio import Minio

    place = StoreUrl.parse(url)
    client = Minio(
        endpoint=place.endpoint,
        access_key=env.get("AWS_ACCESS_KEY_ID"),
        secret_key=env.get("AWS_SECRET_ACCESS_KEY"),
        session_token=env.get("AWS_SESSION_TOKEN"),
        secure=place.secure,
        region=place.region,
        http_client=pool_for(place, read_seconds=60),
    )
    return S3Store(client, place.bucket)
