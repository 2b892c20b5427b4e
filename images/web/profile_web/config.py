"""What the platform team sets: one YAML file, named by $PROFILE_WEB_CONFIG. Secrets come from the environment alone.

AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY   the page's own account in the store: uploads/ in full, requests/ to read
PROFILE_WEB_OWNER_KEY                      what owners are derived with, 32 characters or more; it must never change.
                                           Not asked for in mode Local
PROFILE_WEB_PROXY_SECRET                   optional: what the proxy before the page sends to be told from others
PROFILE_REDIS                              redis://[:PASSWORD@]HOST:PORT/DB, optional: without it progress is coarser
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from profile_contract.model import Contract
from profile_contract.request import DeletionPolicy, Training
from profile_runtime.configuration import ConfigError
from profile_runtime.store.address import StoreAddress

SHORTEST_OWNER_KEY, SHORTEST_PROXY_SECRET = 32, 16
_UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86400}


class SignIn(Contract):
    """Who a visitor is. `Header`: an OIDC proxy before the page says so. `Local`: everybody is `user` (one machine).

    A visitor is the subject that `subject_header` names, together with the issuer: the one of `issuer_header`, or
    `issuer`. `user_header` holds what is shown of them, an address as a rule. `hosts` are the names under which the
    page answers; without any, every name will do, but in mode Local this machine's own alone.
    """

    mode: Literal["Header", "Local"] = "Header"
    subject_header: str = Field(default="X-Auth-Request-User", min_length=1)
    user_header: str = Field(default="X-Auth-Request-Email", min_length=1)
    groups_header: str = Field(default="X-Auth-Request-Groups", min_length=1)
    groups_format: Literal["List", "Json"] = "List"
    issuer_header: str = ""
    issuer: str = ""
    proxy_secret_header: str = Field(default="X-Profile-Studio-Proxy", min_length=1)
    hosts: list[Annotated[str, Field(min_length=1)]] = []
    user: str = ""

    @model_validator(mode="after")
    def _local_has_a_user(self) -> Self:
        if self.mode == "Local" and not self.user:
            raise ValueError("signIn.user must be set in mode Local")
        return self


@dataclass(frozen=True)
class SignInKeys:
    """`owner`: what owners are derived with. `proxy`: what the proxy sends; empty where none is agreed upon."""

    owner: bytes
    proxy: bytes = b""


NamespaceName = Annotated[str, Field(max_length=63)]


class Namespaces(Contract):
    """In which namespace a visitor's requests are made: by user, else by the first group that is named, else
    `default`; a visitor for whom nothing is left is refused."""

    by_user: dict[str, NamespaceName] = {}
    by_group: dict[str, NamespaceName] = {}
    default: NamespaceName = ""

    @property
    def served(self) -> list[str]:
        """All namespaces that a visitor can have, by name."""
        return sorted({name for name in (*self.by_user.values(), *self.by_group.values(), self.default) if name})


class PageStore(StoreAddress):
    """The bucket. `endpoint` is as the page reaches it, `public_url` as browsers do."""

    public_url: str = Field(pattern=r"^https?://[^/]+$")

    def url(self, *, public: bool = False) -> str:
        """The store's URL, see `profile_runtime.store.opening`."""
        parts = urlsplit(self.public_url)
        if public:
            return self.url_at(parts.netloc, secure=parts.scheme == "https")
        return self.url_at(self.endpoint, secure=self.secure)


class VisitorLimits(Contract):
    """What is checked before a photo is sent, and again by the store (the same as preprocessing's own limits), and what
    one visitor may have: photos that were sent in bytes, drafts (photos without a request), requests in all, requests
    that are being worked on, and pages that follow a request."""

    photo_bytes: int = Field(default=25_000_000, ge=100_000)
    fewest_photos: int = Field(default=5, ge=1)
    most_photos: int = Field(default=20, ge=1, le=40)
    most_portraits: int = Field(default=8, ge=1, le=16)
    visitor_bytes: int = Field(default=5_000_000_000, ge=100_000)
    drafts: int = Field(default=5, ge=1)
    requests: int = Field(default=50, ge=1)
    active_requests: int = Field(default=3, ge=1)
    streams: int = Field(default=5, ge=1)


class Drafts(Contract):
    """Photos that were sent for a request that was never made: deleted when the newest is as old as this."""

    expire_after: str = Field(default="24h", pattern=r"^[1-9]\d{0,4}[mhd]$")

    @property
    def seconds(self) -> int:
        """`expire_after` in seconds."""
        return int(self.expire_after[:-1]) * _UNIT_SECONDS[self.expire_after[-1]]


class Defaults(Contract):
    """What every request of the page says beside what the visitor chose; what is left out is the API's own default."""

    minimum_likeness: int | None = Field(default=None, ge=0, le=100)
    deletion_policy: DeletionPolicy | None = None
    training: Training | None = None


class WebConfig(Contract):
    """Everything."""

    sign_in: SignIn = SignIn()
    namespaces: Namespaces = Namespaces()
    store: PageStore
    limits: VisitorLimits = VisitorLimits()
    drafts: Drafts = Drafts()
    defaults: Defaults = Defaults()
    port: int = Field(default=8080, ge=1, le=65535)


def read_keys(environment: Mapping[str, str], sign_in: SignIn) -> SignInKeys:
    """The page's secrets about visitors. Raises ConfigError for one that is missing or could be guessed."""
    if sign_in.mode == "Local":
        return SignInKeys(b"")
    owner = environment.get("PROFILE_WEB_OWNER_KEY", "")
    proxy = environment.get("PROFILE_WEB_PROXY_SECRET", "")
    if len(owner) < SHORTEST_OWNER_KEY:
        raise ConfigError(f"PROFILE_WEB_OWNER_KEY must hold at least {SHORTEST_OWNER_KEY} random characters")
    if proxy and len(proxy) < SHORTEST_PROXY_SECRET:
        raise ConfigError(f"PROFILE_WEB_PROXY_SECRET must hold at least {SHORTEST_PROXY_SECRET} random characters")
    return SignInKeys(owner.encode(), proxy.encode())
