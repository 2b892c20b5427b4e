"""Grants over HTTP: presigned links of the configured stores, and of nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx

from profile_predictor.engine.errors import Denied, Expired, Refused, Unavailable
from profile_predictor.engine.files import Fetched

log = logging.getLogger(__name__)

_PORTS = {"http": 80, "https": 443}
# The reasons that S3 gives for a link whose time is over (error codes and their messages).
_EXPIRED = (
    b"Request has expired",
    b"ExpiredToken",
    b"RequestTimeTooSkewed",
    b"token included in the request is expired",
)
_REFUSAL_BYTES = 4096


def allowed(url: httpx.URL, hosts: Sequence[str]) -> bool:
    """Whether a link points to one of the stores. A store named without port means its scheme's own port."""
    if url.scheme not in _PORTS or url.userinfo or not url.host:
        return False
    port = url.port or _PORTS[url.scheme]
    names = {f"{url.host}:{port}"} | ({url.host} if port == _PORTS[url.scheme] else set())
    return any(host.lower() in names for host in hosts)


class StoreGrants:
    """Reads and writes what presigned links grant. Safe for threads; raises as `Files` says, never with a link."""

    def __init__(self, hosts: Sequence[str], seconds: float = 30.0, attempts: int = 3) -> None:
        self._hosts, self._attempts = tuple(hosts), attempts
        # No redirects: a store that sends us elsewhere would lead past the list of hosts. No proxies from outside.
        self._client = httpx.Client(
            timeout=httpx.Timeout(seconds, connect=5.0),
            follow_redirects=False,
            trust_env=False,
            # Of the environment, the authorities alone (SSL_CERT_FILE): stores may have one of their own.
            verify=httpx.create_ssl_context(trust_env=True),
            limits=httpx.Limits(max_connections=32),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def read(self, url: str, limit: int) -> Fetched:
        """See `Files.read`."""
        with self._get(url) as response:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > limit:
                    raise Refused(f"a granted file has more than {limit} bytes")
            return Fetched(bytes(content), _stamp(response))

    def stamp(self, url: str) -> str:
        """See `Files.stamp`. Asks for one byte: a link that was signed for GET does not serve for HEAD."""
        with self._get(url, {"Range": "bytes=0-0"}) as response:
            return _stamp(response)

    def check_host(self, url: str) -> None:
        """Raises Refused for a link that points elsewhere than to a configured store."""
        self._parsed(url)

    def write(self, url: str, content: bytes, content_type: str) -> None:
        """Put a file to a presigned link. Raises as `read` does."""
        target = self._parsed(url)
        for attempt in range(1, self._attempts + 1):
            try:
                response = self._client.put(target, content=content, headers={"Content-Type": content_type})
                _check(response.status_code, response.content[:_REFUSAL_BYTES])
            except (httpx.HTTPError, Unavailable) as error:
                if attempt == self._attempts:
                    raise Unavailable("the store did not take a candidate; nothing is lost but this try") from error
                log.warning("the store did not take a candidate (%s), trying again", type(error).__name__)
            else:
                return

    @contextmanager
    def _get(self, url: str, headers: dict[str, str] | None = None) -> Iterator[httpx.Response]:
        target = self._parsed(url)
        try:
            with self._client.stream("GET", target, headers=headers) as response:
                if not response.is_success:
                    _check(response.status_code, next(response.iter_bytes(_REFUSAL_BYTES), b""))
                yield response
        except httpx.HTTPError as error:
            raise Unavailable("the store does not answer") from error

    def _parsed(self, url: str) -> httpx.URL:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise Refused("a grant holds no usable link") from error
        if not allowed(parsed, self._hosts):
            raise Refused(f"a grant points to {parsed.host or 'no host'}, which is none of the configured stores")
        return parsed


def _stamp(response: httpx.Response) -> str:
    """The address without its signature, and the version. Without ETag nothing is ever taken for the same."""
    tag = response.headers.get("ETag", "")
    url = response.request.url
    return f"{url.scheme}://{url.netloc.decode()}{url.path} {tag}" if tag else f"{id(response)} unknown"


def _check(status: int, body: bytes) -> None:
    """Raises for anything but success."""
    if 200 <= status < 300:
        return
    if status in (400, 403) and any(reason in body for reason in _EXPIRED):
        raise Expired("a grant has expired; ask again with a fresh one")
    if status == 404:
        raise Denied("a granted file is not in the store (any more)")
    if status in (401, 403, 410, 416):
        raise Denied(f"the store denies what a grant names ({status})")
    if status in (408, 429) or status >= 500:
        raise Unavailable(f"the store answers {status}")
    raise Refused(f"the store answers {status} to a grant")
