"""area: of the namespaces of tests that have no cluster, all of which have one UID."""

from __future__ import annotations

from profile_contract.areas import Area, area_of

NAMESPACE_UID = "1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d"


def area(namespace: str = "hr", uid: str = NAMESPACE_UID, store_prefix: str = "") -> Area:
    """Such as hr.1a2b3c4d-5e6f/."""
    return area_of(namespace, uid, store_prefix)
