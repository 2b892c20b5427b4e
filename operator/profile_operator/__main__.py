"""The program: `python -m profile_operator` runs the operator, `... rebuild-history` writes the database anew."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

import kopf

from profile_runtime.configuration import ConfigError, read_config
from profile_runtime.kubernetes.aio import connect
from profile_runtime.kubernetes.errors import ApiError
from profile_runtime.kubernetes.resources import Document
from profile_runtime.logging import configure
from profile_runtime.store.port import StoreError
from profile_runtime.store.s3 import open_s3

from .clients.kubernetes import Kube
from .config import OperatorConfig, Secrets
from .handlers import register
from .history import Database
from .operator_app import OperatorApp
from .rebuild import rebuild

log = logging.getLogger("profile_operator")

VARIABLE = "PROFILE_CONFIG"


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="profile_operator", description="The operator of Profile Studio.")
    parser.add_argument("command", nargs="?", choices=["run", "rebuild-history"], default="run")
    parser.add_argument("--config", type=Path, default=Path(os.environ.get(VARIABLE, "/etc/profile/config.yaml")))
    parser.add_argument("--verbose", action="store_true", help="log more")
    arguments = parser.parse_args()
    configure(level=logging.DEBUG if arguments.verbose else logging.INFO)
    try:
        config, secrets = read_config(arguments.config, OperatorConfig, VARIABLE), Secrets.from_environment()
        return _rebuild(config, secrets) if arguments.command == "rebuild-history" else _run(config, secrets)
    except (ConfigError, StoreError, ApiError) as error:
        log.error("%s", error)
        return 2


def _run(config: OperatorConfig, secrets: Secrets) -> int:
    registry = kopf.OperatorRegistry()
    register(registry, OperatorApp(config, secrets))
    kopf.run(
        registry=registry,
        # One replica, replaced and never doubled: no peering needed.
        standalone=True,
        clusterwide=not config.watch_namespaces,
        namespaces=config.watch_namespaces,
    )
    return 0


def _rebuild(config: OperatorConfig, secrets: Secrets) -> int:
    dsn = secrets.database.get_secret_value()
    if not dsn:
        raise ConfigError("PROFILE_DATABASE is not set: there is no database to rebuild")
    account = {
        "AWS_ACCESS_KEY_ID": secrets.access_key.get_secret_value(),
        "AWS_SECRET_ACCESS_KEY": secrets.secret_key.get_secret_value(),
    }
    documents = asyncio.run(_requests(config))
    count = rebuild(open_s3(config.store.url(own=True), account), Database(dsn), documents)
    log.info("the history of %d requests was written anew", count)
    return 0


async def _requests(config: OperatorConfig) -> list[Document]:
    """The cluster's requests. Raises ApiError: without them the content would not be the same."""
    kube = Kube(await connect())
    try:
        return await kube.requests(config.watch_namespaces)
    finally:
        await kube.close()


if __name__ == "__main__":
    sys.exit(main())
