"""Presigned links: which ones may be followed, and when they were signed. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx2

from profile_draw.errors import Refused

_PORTS = {"http": 80, "https": 443}
_LONGEST_LINK = 4096


def parsed(url: str, hosts: Sequence[str], prefixes: tuple[str, ...] = ("/",)) -> httpx2.URL:
    """A link to one of the stores, below one of these prefixes. Raises Refused for any other, never quoting it."""
    if len(url) > _LONGEST_LINK:
        raise Refused(f"a grant's link has more than {_LONGEST_LINK} characters")
    try:
        link = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise Refused("a grant holds no usable link") from error
    if not allowed(link, hosts):
        raise Refused(f"a grant points to {link.host[:100] or 'no host'!r}, which is none of the configured stores")
    if not any(_is_below(link.path, prefix) for prefix in prefixes):
        raise Refused("a grant points outside of what is granted to requests of its namespace")
    return link


def allowed(url: httpx2.URL, hosts: Sequence[str]) -> bool:
    """Whether a link points to one of the stores.

    A store is HOST:PORT (HTTP or HTTPS, as the link says), HOST (HTTPS on its own port), or http://HOST[:PORT] or
    https://HOST[:PORT] for that scheme alone.
    """
    if url.scheme not in _PORTS or url.userinfo or not url.host:
        return False
    host = f"[{url.host}]" if ":" in url.host else url.host
    place = f"{host}:{_PORTS[url.scheme] if url.port is None else url.port}"
    return any((url.scheme, place) in _places(entry.lower()) for entry in hosts)


def _places(entry: str) -> set[tuple[str, str]]:
    """The schemes and places, HOST:PORT, that a store's entry stands for."""
    scheme, _, address = entry.rpartition("://")
    has_port = re.search(r":\d+$", address) is not None
    if not scheme and has_port:
        return {(each, address) for each in _PORTS}
    scheme = scheme or "https"
    return {(scheme, address if has_port else f"{address}:{_PORTS.get(scheme, 0)}")}


def _is_below(path: str, prefix: str) -> bool:
    """Whether a path, percent-decoded, lies below a prefix without any detour."""
    return path.startswith(prefix) and not any(part in ("", ".", "..") for part in path[1:].split("/"))


def signed_at(url: str) -> float | None:
    """When a link was signed (S3's X-Amz-Date), in seconds since 1970; None if it does not say."""
    date = re.search(r"[?&]X-Amz-Date=(\d{8}T\d{6})Z(&|$)", url)
    if date is None:
        return None
    try:
        return datetime.strptime(date[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
