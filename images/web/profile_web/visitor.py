"""Who visits, and in which namespace their requests are made. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from .config import Namespaces, SignIn

# Requests of one namespace are told apart by their owner: a label's value, and a folder of uploads.
OWNER_LABEL = "profilestudio.io/owner"
OWNER_DIGITS = 16


class NotSignedIn(Exception):
    """Nobody is signed in: the proxy before the page is missing, or said nothing."""


class NoPlace(Exception):
    """The visitor is known, but no namespace is theirs."""


@dataclass(frozen=True)
class Visitor:
    user: str
    namespace: str

    @property
    def owner(self) -> str:
        """Hexadecimal digits that stand for the user where a name must not stand."""
        return hashlib.sha256(self.user.encode()).hexdigest()[:OWNER_DIGITS]


def visitor_of(headers: Mapping[str, str], sign_in: SignIn, namespaces: Namespaces) -> Visitor:
    """Raises NotSignedIn or NoPlace. `headers` are looked up whatever their case."""
    if sign_in.mode == "Local":
        user, groups = sign_in.user, []
    else:
        known = {name.lower(): value for name, value in headers.items()}
        user = known.get(sign_in.user_header.lower(), "").strip().lower()
        groups = [group.strip() for group in known.get(sign_in.groups_header.lower(), "").split(",")]
    if not user:
        raise NotSignedIn("you are not signed in: this page is reached through the sign-in proxy only")
    mine = [namespaces.by_user.get(user, ""), *(namespaces.by_group.get(group, "") for group in groups)]
    namespace = next((name for name in [*mine, namespaces.default] if name), "")
    if not namespace:
        raise NoPlace(f"no namespace is set up for {user}: ask the people who run this service")
    return Visitor(user, namespace)
