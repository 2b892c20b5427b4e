"""The settings of the program: all of them come from the environment.

PROFILE_STORE               the store's URL, see `profile_runtime.store.opening` (required)
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY   an account that may list the bucket and read reports in it (required)
PROFILE_DATABASE            postgresql://USER:PASSWORD@HOST/DB (required)
PROFILE_NAMESPACES          namespaces whose requests are written down, with commas between them; empty: all
PROFILE_STORE_PREFIX        what the installation's keys begin with, such as profile/cluster-a/; empty if left out
PROFILE_RESYNC_SECONDS      how often everything is listed anew, whatever the watch said; 3600 if left out
PROFILE_PORT                where /metrics and /healthz answer; 9090 if left out
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import Field, SecretStr, ValidationError

from profile_contract.model import Contract
from profile_runtime.configuration import ConfigError
from profile_runtime.store.address import StorePrefix

_REQUIRED = ("PROFILE_STORE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "PROFILE_DATABASE")


class HistorySettings(Contract):
    """What the program is told. No namespaces: all of them."""

    store: str
    access_key: SecretStr
    secret_key: SecretStr
    database: SecretStr
    store_prefix: StorePrefix = ""
    namespaces: tuple[str, ...] = ()
    resync_seconds: float = Field(default=3600.0, ge=1.0)
    port: int = Field(default=9090, ge=0, le=65535)

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> HistorySettings:
        """Raises ConfigError."""
        if missing := [name for name in _REQUIRED if not env.get(name)]:
            raise ConfigError(f"the environment lacks {', '.join(missing)}")
        given = {
            "resync_seconds": env.get("PROFILE_RESYNC_SECONDS"),
            "port": env.get("PROFILE_PORT"),
            "store_prefix": env.get("PROFILE_STORE_PREFIX"),
        }
        namespaces = env.get("PROFILE_NAMESPACES", "").split(",")
        try:
            return cls.model_validate(
                {
                    "store": env["PROFILE_STORE"],
                    "access_key": env["AWS_ACCESS_KEY_ID"],
                    "secret_key": env["AWS_SECRET_ACCESS_KEY"],
                    "database": env["PROFILE_DATABASE"],
                    "namespaces": tuple(name.strip() for name in namespaces if name.strip()),
                    **{field: text for field, text in given.items() if text},
                }
            )
        except ValidationError as error:
            problems = (f"PROFILE_{str(problem['loc'][0]).upper()}: {problem['msg']}" for problem in error.errors())
            raise ConfigError("; ".join(problems)) from None

    @property
    def account(self) -> dict[str, str]:
        """The account in the store, as the store's client reads it."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key.get_secret_value(),
            "AWS_SECRET_ACCESS_KEY": self.secret_key.get_secret_value(),
        }
