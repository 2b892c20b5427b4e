"""Who visits, and in which namespace their requests are made. Pure.

A visitor is an issuer and a subject, as OpenID Connect has it: an address is shown and chooses a namespace, but it is
nobody's identity, for addresses are given to other people one day. The owner of requests and photos is a keyed digest
of both: who knows somebody's subject still cannot tell which label or folder is theirs.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from profile_contract.areas import Area
from profile_contract.ownership import OWNER_LABEL, local_owner, owner_of

from .config import Namespaces, SignIn, SignInKeys
from .problems import Code, Problem

LONGEST_IDENTITY = 1024

# As ASGI gives them: names in small letters, values as bytes.
Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Visitor:
    """`user` is shown; `owner` stands for issuer and subject where a name must not stand."""

    user: str
    namespace: str
    owner: str
    # Where the namespace's things lie in the bucket, for calls that ask for it.
    area: Area = Area("")


def visitor_of(headers: Headers, sign_in: SignIn, namespaces: Namespaces, keys: SignInKeys) -> Visitor:
    """Raises Problem: not signed in, an identity that is doubled or cannot be read, no namespace."""
    if sign_in.mode == "Local":
        local = local_visitor(sign_in.user, "")
        return _placed(local.user, local.owner, [local.user], [], namespaces)
    _sent_by_the_proxy(headers, sign_in, keys)
    subject = _subject(headers, sign_in)
    address = _address(_header(headers, sign_in.user_header))
    issuer = _header(headers, sign_in.issuer_header) if sign_in.issuer_header else sign_in.issuer
    if not subject or (sign_in.issuer_header and not issuer):
        raise Problem(Code.NOT_SIGNED_IN)
    groups = groups_of(_header(headers, sign_in.groups_header), sign_in.groups_format)
    return _placed(address or subject, owner_of(issuer, subject, keys.owner), [subject, address], groups, namespaces)


def local_visitor(user: str, namespace: str) -> Visitor:
    """Everybody, where the page runs for one machine alone: there is nobody from whom the owner would be a secret."""
    return Visitor(user, namespace, local_owner(user))


def groups_of(text: str, groups_format: str) -> list[str]:
    """The groups that a header names, in its order: a JSON array of strings, or a list as HTTP has it, in which a name
    with a comma stands in double quotes. Raises Problem for a header that is neither."""
    if groups_format == "Json":
        return _json_groups(text)
    groups, rest = [], text
    while rest:
        group, rest = _next_group(rest.lstrip())
        groups.append(group)
    return [group for group in groups if group]


def _json_groups(text: str) -> list[str]:
    try:
        groups = json.loads(text or "[]")
    except (ValueError, RecursionError):
        raise Problem(Code.UNREADABLE_IDENTITY) from None
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise Problem(Code.UNREADABLE_IDENTITY)
    return groups


def _next_group(text: str) -> tuple[str, str]:
    """The first group of a list, and the rest behind its comma."""
    if not text.startswith('"'):
        group, _, rest = text.partition(",")
        return group.strip(), rest
    group, place = "", 1
    while place < len(text) and text[place] != '"':
        place += text[place] == "\\"
        group += text[place : place + 1]
        place += 1
    behind = text[place + 1 :].lstrip()
    if place >= len(text) or (behind and not behind.startswith(",")):
        raise Problem(Code.UNREADABLE_IDENTITY)
    return group, behind[1:]


def belongs(document: dict[str, Any], visitor: Visitor, prefix: str) -> bool:
    """Whether a request is this visitor's: by its label, and by its photos, which lie where this visitor's photos for
    a request of this name do. The label alone is no proof: whoever may edit requests may write any."""
    label = _at(document, "metadata", "labels", OWNER_LABEL)
    return label == visitor.owner and photos_prefix_of(document) == prefix


def photos_prefix_of(document: dict[str, Any]) -> Any:
    """`spec.photos.prefix`; None where there is none."""
    return _at(document, "spec", "photos", "prefix")


def _at(document: Any, *path: str) -> Any:
    """What stands there; None where nothing does, or something else on the way."""
    for part in path:
        document = document.get(part) if isinstance(document, dict) else None
    return document


def host_is_allowed(host: str, sign_in: SignIn) -> bool:
    """Whether the page answers to this Host header. Where a proxy signs people in, any will do unless some are named.
    In mode Local it must be this machine's own name or one that is named: any other site's name could be made to lead
    here, and its script would be taken for the page's."""
    name = _host_name(host)
    if name in {host.casefold() for host in sign_in.hosts}:
        return True
    return _is_loopback(name) if sign_in.mode == "Local" else not sign_in.hosts


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").casefold().rstrip(".")
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _placed(user: str, owner: str, names: Iterable[str], groups: Iterable[str], namespaces: Namespaces) -> Visitor:
    by_user = {_address(name): namespace for name, namespace in namespaces.by_user.items()}
    places = [*(by_user.get(_address(name), "") for name in names if name)]
    places += [namespaces.by_group.get(group, "") for group in groups]
    namespace = next((place for place in [*places, namespaces.default] if place), "")
    if not namespace:
        raise Problem(Code.NO_NAMESPACE, user=user)
    return Visitor(user, namespace, owner)


def _sent_by_the_proxy(headers: Headers, sign_in: SignIn, keys: SignInKeys) -> None:
    """Where proxy and page share a secret, whoever does not know it is not the proxy."""
    if not keys.proxy:
        return
    values = _values(headers, sign_in.proxy_secret_header)
    if len(values) != 1 or not hmac.compare_digest(values[0].strip(), keys.proxy):
        raise Problem(Code.NOT_SIGNED_IN)


def _subject(headers: Headers, sign_in: SignIn) -> str:
    """Subjects that differ in capitals are two; where an address is all the proxy knows, they are one."""
    subject = _header(headers, sign_in.subject_header)
    return _address(subject) if sign_in.subject_header.lower() == sign_in.user_header.lower() else subject


def _address(text: str) -> str:
    """An address, the same however it was typed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _header(headers: Headers, name: str) -> str:
    """A header's only value; none is empty. Raises Problem where it was sent twice, or is no text."""
    values = _values(headers, name)
    if len(values) > 1:
        raise Problem(Code.DOUBLED_IDENTITY)
    if not values:
        return ""
    try:
        text = unicodedata.normalize("NFC", values[0].decode().strip())
    except UnicodeDecodeError:
        raise Problem(Code.UNREADABLE_IDENTITY) from None
    if len(values[0]) > LONGEST_IDENTITY * 8 or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        raise Problem(Code.UNREADABLE_IDENTITY)
    return text


def _values(headers: Headers, name: str) -> list[bytes]:
    wanted = name.lower().encode()
    return [value for known, value in headers if known.lower() == wanted]
