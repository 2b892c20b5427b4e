"""Grants over HTTP: what presigned links let an order read and write, and how long that may take."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
import stamina

from profile_contract.areas import Area, area_in, namespace_of
from profile_contract.artifacts import requests_area
from profile_contract.look_ref import LOOKS, looks_area, shared_looks, store_prefix_of
from profile_draw.errors import Denied, Expired, Refused, Unavailable
from profile_predictor.engine.files import Fetched

from .links import parsed

log = logging.getLogger(__name__)

# The reasons that S3 gives for a link whose time is over (error codes and their messages).
_EXPIRED = (
    b"Request has expired",
    b"ExpiredToken",
    b"RequestTimeTooSkewed",
    b"token included in the request is expired",
)
_REFUSAL_BYTES = 4096
# For one step of a conversation (connecting apart); a whole read has a deadline of its own.
_STEP_SECONDS = 10.0
_CONNECT_SECONDS = 5.0
# An order's reads may take so many times as long as one.
_ORDER_READS = 3
# Of a write, with pauses of 0.5, 1 and 2 seconds, each up to half a second longer: a store that is away for three
# seconds costs no candidate.
ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = _MORE_SECONDS = 0.5
_PLAIN = {"Accept-Encoding": "identity"}


class StoreGrants:
    """Reads and writes what presigned links grant. Safe for threads; raises as `Files` says, never with a link.

    `hosts`: see `links.allowed`. `seconds`: for one whole read or one attempt of a write. `bucket`: where all grants
    lie; empty: any.
    """

    def __init__(self, hosts: Sequence[str], seconds: float = 30.0, bucket: str = "") -> None:
        self._hosts, self._seconds, self._bucket = tuple(hosts), seconds, bucket
        # No redirects: a store that sends us elsewhere would lead past the list of hosts. No proxies from outside.
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(min(seconds, _STEP_SECONDS), connect=_CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
            # Of the environment, the authorities alone (SSL_CERT_FILE): stores may have one of their own.
            verify=httpx2.create_ssl_context(trust_env=True),
            limits=httpx2.Limits(max_connections=64),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def of(self, namespace: str, keys: Sequence[str] = ()) -> OrderGrants:
        """What an order for a request of this namespace may grant, from now until its deadline.

        `keys`: what it is to draw; they must lie in one area of that namespace, and so must all that it grants. Raises
        Refused.
        """
        prefixes: tuple[str, ...] = ("/",)
        shared = prefixes
        if self._bucket and keys:
            areas = {area_in(key) for key in keys}
            area = areas.pop()
            if areas or area is None or namespace_of(area) != namespace:
                raise Refused("the order's keys do not lie in the area of its request's namespace")
            prefixes = (f"/{self._bucket}/{requests_area(area)}",)
            shared = self._looks_of(area)
        return OrderGrants(self, prefixes, shared, time.monotonic() + _ORDER_READS * self._seconds)

    def of_look(self, namespace: str, key: str) -> OrderGrants:
        """What is granted to whoever checks a look of this namespace, or, where that is empty, of the installation's.
        Raises Refused for a key that lies elsewhere."""
        area = area_in(key)
        place = key[: key.rindex(f"{LOOKS}/")] if area is None and f"{LOOKS}/" in key else ""
        if (area is not None and namespace_of(area) != namespace) or (area is None and namespace):
            raise Refused("the look does not lie where its namespace's do")
        prefix = looks_area(area) if area is not None else shared_looks(place)
        prefixes = (f"/{self._bucket}/{prefix}",) if self._bucket else ("/",)
        return OrderGrants(self, prefixes, (), time.monotonic() + self._seconds)

    def _looks_of(self, area: Area) -> tuple[str, ...]:
        """Where looks may lie that a namespace's orders are drawn with: its own, and the installation's."""
        places = looks_area(area), shared_looks(store_prefix_of(area))
        return tuple(f"/{self._bucket}/{place}" for place in places)

    def read(self, url: str, limit: int, prefixes: tuple[str, ...] = ("/",), deadline: float = math.inf) -> Fetched:
        """See `Files.read`. Raises Unavailable for a store that takes too long for the whole of it."""
        deadline = min(deadline, time.monotonic() + self._seconds)
        with self._get(url, prefixes) as response:
            _check_plain(response, limit)
            content = bytearray()
            for chunk in response.iter_raw():
                content += chunk
                if len(content) > limit:
                    raise Refused(f"a granted file has more than {limit} bytes")
                if time.monotonic() > deadline:
                    raise Unavailable(f"the store did not send a granted file within {self._seconds:g} s")
            return Fetched(bytes(content), _stamp(response))

    def stamp(self, url: str, prefixes: tuple[str, ...] = ("/",)) -> str:
        """See `Files.stamp`. Asks for one byte: a link that was signed for GET does not serve for HEAD."""
        with self._get(url, prefixes, {"Range": "bytes=0-0"}) as response:
            return _stamp(response)

    def check(self, url: str, prefixes: tuple[str, ...] = ("/",)) -> None:
        """Raises Refused for a link that points elsewhere than to a configured store, or outside of these prefixes
        there."""
        parsed(url, self._hosts, prefixes)

    def write(self, url: str, content: bytes, content_type: str, before: Callable[[], None] = lambda: None) -> None:
        """Put a file to a presigned link that was checked; a store that is away is tried again after a pause.

        `before` is asked before each attempt; a Refused that it raises ends the writing. Raises as `read` does.
        """
        target = parsed(url, self._hosts)
        attempts = stamina.retry_context(
            on=(httpx2.HTTPError, Unavailable),
            attempts=ATTEMPTS,
            timeout=None,
            wait_initial=_FIRST_PAUSE_SECONDS,
            wait_jitter=_MORE_SECONDS,
        )
        try:
            for attempt in attempts:
                with attempt:
                    if attempt.num > 1:
                        log.warning("the store did not take a candidate; attempt %d of %d", attempt.num, ATTEMPTS)
                    before()
                    response = self._client.put(target, content=content, headers={"Content-Type": content_type})
                    _check(response.status_code, response.content[:_REFUSAL_BYTES])
        except (httpx2.HTTPError, Unavailable) as error:
            raise Unavailable("the store did not take a candidate; nothing is lost but this try") from error

    @contextmanager
    def _get(
        self, url: str, prefixes: tuple[str, ...], headers: dict[str, str] | None = None
    ) -> Iterator[httpx2.Response]:
        """The answer to a read, before its body. Raises as `Files` says."""
        target = parsed(url, self._hosts, prefixes)
        try:
            with self._client.stream("GET", target, headers={**_PLAIN, **(headers or {})}) as response:
                if not response.is_success:
                    _check(response.status_code, next(response.iter_raw(_REFUSAL_BYTES), b"")[:_REFUSAL_BYTES])
                yield response
        except httpx2.HTTPError as error:
            raise Unavailable("the store does not answer") from error


@dataclass(frozen=True)
class OrderGrants:
    """The grants of one order: below its prefixes, all of them read before one deadline. `Files` of the engine.

    `_shared`: where the looks lie that it may be drawn with.
    """

    _store: StoreGrants
    _prefixes: tuple[str, ...]
    _shared: tuple[str, ...]
    _deadline: float

    @property
    def looks(self) -> OrderGrants:
        """The same for what many people share: the files of looks, and nothing else."""
        return OrderGrants(self._store, self._shared, (), self._deadline)

    def read(self, url: str, limit: int) -> Fetched:
        """See `Files.read`."""
        self._check_time()
        return self._store.read(url, limit, self._prefixes, self._deadline)

    def stamp(self, url: str) -> str:
        """See `Files.stamp`."""
        self._check_time()
        return self._store.stamp(url, self._prefixes)

    def check(self, url: str) -> None:
        """Raises Refused for a link that this order may not bring."""
        self._store.check(url, self._prefixes)

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise Unavailable("the store took too long for all that the order grants; ask again later")


def _check_plain(response: httpx2.Response, limit: int) -> None:
    """What is packed would have another size, and another digest."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused("the store sends a granted file packed (Content-Encoding); store it as it is")
    size = response.headers.get("Content-Length", "")
    if size.isdecimal() and int(size) > limit:
        raise Refused(f"a granted file has more than {limit} bytes")


def _stamp(response: httpx2.Response) -> str:
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
