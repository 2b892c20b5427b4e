"""What the platform team sets: one YAML file, named by $PROFILE_WEB_CONFIG. Secrets come from the environment alone.

AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY   the page's own account in the store: uploads/ in full, requests/ to read
PROFILE_REDIS                              redis://[:PASSWORD@]HOST:PORT/DB, optional: without it progress is coarser
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlencode, urlsplit

import yaml
from pydantic import Field, ValidationError, model_validator

from profile_contract.model import Contract
from profile_contract.names import DeletionPolicy
from profile_contract.request import Training


class ConfigError(Exception):
    """The configuration cannot be used; the message names the field."""


class SignIn(Contract):
    """Who a visitor is. `Header`: an OIDC proxy before the page says so. `Local`: everybody is `user` (one machine)."""

    mode: Literal["Header", "Local"] = "Header"
    user_header: str = "X-Auth-Request-Email"
    groups_header: str = "X-Auth-Request-Groups"
    user: str = ""

    @model_validator(mode="after")
    def _local_has_a_user(self) -> Self:
        if self.mode == "Local" and not self.user:
            raise ValueError("signIn.user must be set in mode Local")
        return self


class Namespaces(Contract):
    """In which namespace a visitor's requests are made: by user, else by the first group that is named, else
    `default`; a visitor for whom nothing is left is refused."""

    by_user: dict[str, str] = {}
    by_group: dict[str, str] = {}
    default: str = ""


class PageStore(Contract):
    """The bucket. `endpoint` is HOST:PORT as the page reaches it, `public_url` as browsers do."""

    endpoint: str = Field(min_length=1)
    bucket: str = Field(min_length=3)
    region: str = "us-east-1"
    secure: bool = True
    public_url: str = Field(pattern=r"^https?://[^/]+$")

    def url(self, *, public: bool = False) -> str:
        """The store's URL, see `profile_contract.store`."""
        parts = urlsplit(self.public_url)
        endpoint, secure = (parts.netloc, parts.scheme == "https") if public else (self.endpoint, self.secure)
        query = {"endpoint": endpoint, "secure": str(secure).lower(), "region": self.region}
        return f"s3://{self.bucket}?{urlencode(query, safe=':')}"


class Limits(Contract):
    """What is checked before a photo is sent, and again by the store; the same as preprocessing's own limits."""

    photo_bytes: int = Field(default=25_000_000, ge=100_000)
    fewest_photos: int = Field(default=5, ge=1)
    most_photos: int = Field(default=20, ge=1)


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
    limits: Limits = Limits()
    defaults: Defaults = Defaults()
    port: int = Field(default=8080, ge=1, le=65535)


def read_config(file: Path) -> WebConfig:
    """Raises ConfigError."""
    try:
        return WebConfig.model_validate(yaml.safe_load(file.read_text()) or {})
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is no YAML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise ConfigError(f"{file}: {problems}") from error
