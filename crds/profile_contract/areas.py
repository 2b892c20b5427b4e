"""Area: a namespace's own part of the bucket, which every key begins with.

<store.prefix><namespace>.<beginning of the namespace's UID>/

A namespace that is made anew under an old name has another UID, and so another area: what the old one left is not seen
from it. No part of `store.prefix` and no namespace's name holds a dot, so the first part with a dot is the namespace's.
"""

from __future__ import annotations

import re
from typing import NewType

from .keys import ForeignKey

# Ends with '/'. Made by `area_of` and `area_in` alone.
Area = NewType("Area", str)

# Of the bucket: empty, or folders in small letters. The session policies of long names leave no more room.
LONGEST_STORE_PREFIX = 40
STORE_PREFIX = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?/)*$"
_STORE_PREFIX = re.compile(STORE_PREFIX)
LONGEST_AREA = LONGEST_STORE_PREFIX + 63 + 15

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# The first two groups of a UUID, 48 bits: that one name's namespaces share them does not happen.
_UID = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4})-[-0-9a-f]+")
_AREA = re.compile(rf"((?:[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?/)*)({_NAMESPACE.pattern})\.[0-9a-f]{{8}}-[0-9a-f]{{4}}/")

# Folders may hold spaces: up to the last slash, and the name behind it.
_PLACE = re.compile(rf"{_AREA.pattern}(?:.*/)?[^\s;]*")


def area_of(namespace: str, uid: str, store_prefix: str = "") -> Area:
    """The area of the namespace of that UID. Raises ForeignKey for what is no name, no UID or no prefix."""
    short = _UID.fullmatch(uid)
    if short is None:
        raise ForeignKey(f"{uid[:64]!a} is no UID of a namespace, and no part of a key")
    if not _NAMESPACE.fullmatch(namespace):
        raise ForeignKey(f"{namespace[:64]!a} is no namespace, and no part of a key")
    if len(store_prefix) > LONGEST_STORE_PREFIX or not _STORE_PREFIX.fullmatch(store_prefix):
        raise ForeignKey(f"{store_prefix[:64]!a} is no prefix of an installation's keys")
    return Area(f"{store_prefix}{namespace}.{short[1]}/")


def areas_prefix(namespace: str, store_prefix: str = "") -> str:
    """What the keys of every namespace that ever had this name begin with, for listings."""
    return f"{store_prefix}{namespace}."


def area_in(key: str) -> Area | None:
    """The area that a key, a prefix or an area lies in; None for what lies in none."""
    place = _AREA.match(key)
    return Area(place[0]) if place else None


def without_places(text: str) -> str:
    """The text without keys: folders of photos may be called as people are."""
    return _PLACE.sub("[a place in the store]", text)


def told_area(text: str, namespace: str) -> Area | None:
    """The area that a status tells, if it is one of a namespace of this name; else None."""
    area = area_in(text)
    return area if area is not None and area == text and namespace_of(area) == namespace else None


def namespace_of(area: Area) -> str:
    """The name of the area's namespace. Raises ForeignKey for what is no area."""
    place = _AREA.fullmatch(area)
    if place is None:
        raise ForeignKey(f"{area[:LONGEST_AREA]!a} is no area of a namespace")
    return place[2]
